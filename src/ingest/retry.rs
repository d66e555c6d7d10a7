//! Ingests rejected lines again, for example after an upgrade that can read them, or with other rules.

use super::batcher::{Batcher, LineLocation};
use super::error::IngestError;
use super::listener::ProgressListener;
use super::options::IngestOptions;
use super::outcome::IngestOutcome;
use super::permissions::WritePermissions;
use super::submitter::{BATCHES_AHEAD, Submitter};
use crate::log::Reject;
use crate::store::{Store, StoreError, may_be_retried};

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
    // Each line is tried by itself, and recorded now.
    let how = &IngestOptions {
        keep_recorded: false,
        strict: false,
        reach: WritePermissions::default(),
        ..how.clone()
    };
    let mut batcher = Batcher::default();
    let mut submitter = Submitter::new(store, watcher, 0);
    let mut send = |batcher: &mut Batcher, ahead: usize| -> Result<bool, StoreError> {
        if !batcher.is_empty() {
            submitter.submit(batcher.take(how), 0)?;
        }
        while submitter.settle(ahead)? {}
        Ok(submitter.listener.stop())
    };
    for kept in store.kept_rejects()? {
        let (ordinal, reject) = kept?;
        let at = LineLocation {
            source: &reject.source,
            line: reject.line,
            byte: reject.byte,
        };
        let text = reject.text.as_deref().unwrap_or_default();
        batcher.push_retry(at, text, ordinal, refusal(&reject));
        if batcher.is_full() && send(&mut batcher, BATCHES_AHEAD)? {
            break;
        }
    }
    send(&mut batcher, 0)?;
    Ok(submitter.outcome)
}

/// Why a reject is not tried again.
fn refusal(reject: &Reject) -> Option<String> {
    if !may_be_retried(reject) {
        return Some(reject.reason.to_string());
    }
    let kept = reject.text.as_ref().map_or(0, Vec::len);
    let (whole, length) = (reject.text.is_some(), reject.length);
    (!whole || kept as u64 != length)
        .then(|| format!("only {kept} of its {length} bytes were kept: take it in from its source"))
}
