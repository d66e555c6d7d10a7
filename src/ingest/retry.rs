//! Ingests rejected lines again, for example after an upgrade that can read them, or with other rules.

use super::error::IngestError;
use super::outcome::IngestOutcome;
use super::run::{IngestOptions, ProgressListener};
use crate::feed::{self, Defaults};
use crate::log::Reject;
use crate::store::{Batch, BatchLine, RefusedLine, RejectedLine, Store, may_be_retried};

/// The maximum of lines in one batch for the writer.
const BATCH_LINES: usize = 1_024;
/// The maximum of their bytes, whichever is reached first.
const BATCH_BYTES: usize = 4 << 20;

/// Reads every kept reject again. A line that is valid now is recorded now, and its reject is settled. Any other
/// reject stays as it is, and `watcher` gets it with its present reason.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use rollbook::ingest::{IngestOptions, retry};
/// let store = rollbook::Store::in_memory(rollbook::Options::default())?;
/// let outcome = retry(&store, &IngestOptions::default(), &mut ())?;
/// assert_eq!(outcome.lines, 0);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`IngestError::Store`] when the store fails; everything before is durable.
pub fn retry(
    store: &Store,
    how: &IngestOptions,
    watcher: &mut dyn ProgressListener,
) -> Result<IngestOutcome, IngestError> {
    let _alone = store.retry_alone();
    let mut again = RetryIngest {
        store,
        how,
        watcher,
        lines: Vec::new(),
        bytes: 0,
        outcome: IngestOutcome::default(),
    };
    let mut done = Ok(());
    store.kept_rejects(|n, reject| {
        done = again.take(n, reject);
        done.is_ok() && !again.watcher.stop()
    })?;
    done?;
    again.send_decided()?;
    Ok(again.outcome)
}

struct RetryIngest<'a> {
    store: &'a Store,
    how: &'a IngestOptions,
    watcher: &'a mut dyn ProgressListener,
    lines: Vec<BatchLine>,
    bytes: usize,
    outcome: IngestOutcome,
}

impl RetryIngest<'_> {
    fn take(&mut self, n: u64, reject: &Reject) -> Result<(), IngestError> {
        self.outcome.lines += 1;
        let defaults = Defaults {
            observer: &self.how.observer,
            self_user: self.how.self_user.as_deref(),
            settings: self.how.settings,
        };
        if !may_be_retried(reject) {
            self.refuse(reject, reject.reason.to_string());
            return Ok(());
        }
        let text = match &reject.text {
            Some(text) if text.len() as u64 == reject.length => text,
            kept => {
                let (kept, length) = (kept.as_ref().map_or(0, Vec::len), reject.length);
                let reason = format!(
                    "only {kept} of its {length} bytes were kept: take it in from its source"
                );
                self.refuse(reject, reason);
                return Ok(());
            }
        };
        match feed::parse(text, &defaults) {
            Ok(event) => {
                let raw = RejectedLine {
                    source: reject.source.clone(),
                    line: reject.line,
                    byte: reject.byte,
                    ..RejectedLine::default()
                };
                let line = BatchLine::Retry(event.into_owned(), Box::new(raw), n);
                self.lines.push(line);
                self.bytes += text.len();
            }
            Err(refusal) => self.refuse(reject, refusal.to_string()),
        }
        if self.lines.len() >= BATCH_LINES || self.bytes >= BATCH_BYTES {
            self.send_decided()?;
        }
        Ok(())
    }

    fn refuse(&mut self, reject: &Reject, reason: String) {
        self.outcome.tally.rejected += 1;
        self.watcher.rejected(&RefusedLine {
            source: reject.source.clone(),
            line: reject.line,
            byte: reject.byte,
            reason,
        });
    }

    fn send_decided(&mut self) -> Result<(), IngestError> {
        if self.lines.is_empty() {
            return Ok(());
        }
        let batch = Batch {
            lines: std::mem::take(&mut self.lines),
            rules: self.how.rules,
            strict: false,
        };
        self.bytes = 0;
        let receipt = self.store.submit(batch)?.wait()?;
        self.outcome.tally.add(&receipt.tally);
        self.watcher.receipt(&receipt);
        Ok(())
    }
}
