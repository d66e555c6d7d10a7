//! Ingests a source into a store, line by line; the command line, the server and the simulator share this.

use super::envelope::Pointer;
use super::error::{IngestError, Unfinished};
use super::line::{LineLocation, as_recorded, may_be_refused, source_time};
use super::outcome::IngestOutcome;
use super::permissions::WritePermissions;
use super::reorder::Reorder;
use super::resume::{go_on, is_kept};
use super::source::{Fingerprint, LineText, Source, Wait};
use crate::domain::entry::Rules;
use crate::domain::time::Millis;
use crate::feed::{self, Defaults, Settings};
use crate::limits;
use crate::log::Progress;
use crate::store::{
    Batch, BatchLine, Clamped, DifferingRetry, Receipt, RefusedLine, Store, Ticket,
};
use std::collections::VecDeque;
use std::sync::Arc;

/// How lines are ingested.
#[derive(Debug, Clone)]
pub struct IngestOptions {
    /// The observer, for lines that name none.
    pub observer: String,
    /// The observer's own user, for lines that name none.
    pub self_user: Option<String>,
    /// How lines are read.
    pub settings: Settings,
    /// How events are judged.
    pub rules: Rules,
    /// Lines that report when and by which rules they were recorded are recorded like that again ([`feed::recording`]).
    pub keep_recorded: bool,
    /// The place of the events in their lines; `None`: each line is one event.
    pub at: Option<Pointer>,
    /// Lines whose times are at most this many ms apart are decided in the order of their times; `None`: all lines
    /// are decided in the order of the source.
    pub reorder_ms: Option<Millis>,
    /// Stop at the first line that is rejected.
    pub strict: bool,
    /// Stop once more lines than this were rejected.
    pub max_rejects: u64,
    /// Resume where an earlier run over the same file ended.
    pub resume: bool,
    /// What the sender may write.
    pub reach: WritePermissions,
}

impl Default for IngestOptions {
    fn default() -> Self {
        let (observer, rules) = ("default".to_owned(), Rules::default());
        IngestOptions {
            observer,
            self_user: None,
            settings: Settings::USUAL,
            rules,
            keep_recorded: false,
            at: None,
            reorder_ms: None,
            strict: false,
            max_rejects: limits::REJECTS_PER_SOURCE_MAX,
            resume: false,
            reach: WritePermissions::default(),
        }
    }
}

/// Receives reports about an ingest.
pub trait ProgressListener {
    /// More of the source has become durable.
    fn durable(&mut self, up_to_byte: u64, lines: u64) {
        let _ = (up_to_byte, lines);
    }

    /// A line was rejected, and is kept.
    fn rejected(&mut self, refused: &RefusedLine) {
        let _ = refused;
    }

    /// The sender has no permission to write a line: the line is neither recorded nor kept.
    fn forbidden(&mut self, refused: &RefusedLine) {
        let _ = refused;
    }

    /// An entry occurred long before the time of its channel.
    fn clamped(&mut self, clamped: &Clamped) {
        let _ = clamped;
    }

    /// A line counted as a retry, though its id was recorded with other contents.
    fn differing(&mut self, retry: &DifferingRetry) {
        let _ = retry;
    }

    /// Reports all results of a batch, which is now durable.
    fn receipt(&mut self, receipt: &Receipt) {
        for refused in &receipt.rejected {
            self.rejected(refused);
        }
        for refused in &receipt.forbidden {
            self.forbidden(refused);
        }
        for clamped in &receipt.clamped {
            self.clamped(clamped);
        }
        for retry in &receipt.differing {
            self.differing(retry);
        }
    }

    /// Whether to stop reading.
    fn stop(&self) -> bool {
        false
    }
}

/// Ignores all reports.
impl ProgressListener for () {}

/// The maximum of lines in one batch for the writer.
const BATCH_LINES: usize = 1_024;
/// The maximum of their bytes, whichever is reached first.
const BATCH_BYTES: usize = 1 << 20;
/// Batches that may wait for the writer: enough that it never waits for the reader.
const BATCHES_AHEAD: usize = 4;

/// Ingests a source to its end.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use rollbook::ingest::{IngestOptions, ingest, source::Source};
/// let file = tempfile::NamedTempFile::new()?;
/// std::fs::write(file.path(), r#"{"t":"join","channel":"room","topic":"chat","user":"tony","ts":1000}"#)?;
/// let store = rollbook::Store::in_memory(rollbook::Options::default())?;
/// let outcome = ingest(&store, Source::open(file.path())?, &IngestOptions::default(), &mut ())?;
/// assert_eq!((outcome.lines, outcome.tally.joins), (1, 1));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Unfinished`] when the source or the store fails; it reports what is durable.
pub fn ingest(
    store: &Store,
    mut source: Source,
    how: &IngestOptions,
    watcher: &mut dyn ProgressListener,
) -> Result<IngestOutcome, Box<Unfinished>> {
    let unfinished = |error, outcome, byte| {
        Box::new(Unfinished {
            outcome,
            byte,
            error,
        })
    };
    let from = if how.resume {
        go_on(store, &mut source).map_err(|error| unfinished(error, IngestOutcome::default(), 0))?
    } else {
        0
    };
    let mut intake = SourceIngest {
        store,
        how,
        watcher,
        name: Arc::from(source.name()),
        fingerprint: source.fingerprint(),
        batch: Vec::new(),
        bytes: 0,
        reorder: how.reorder_ms.map(Reorder::new),
        place: None,
        reached: from,
        durable: from,
        waiting: VecDeque::new(),
        settled: 0,
        outcome: IngestOutcome::default(),
    };
    let read = intake.read(&mut source, from);
    // What was read before a failure counts.
    let written = intake.finish();
    let (outcome, byte) = (intake.outcome, intake.durable);
    match read.and(written) {
        Ok(()) => Ok(outcome),
        Err(error) => Err(unfinished(error, outcome, byte)),
    }
}

struct SourceIngest<'a> {
    store: &'a Store,
    how: &'a IngestOptions,
    watcher: &'a mut dyn ProgressListener,
    name: Arc<str>,
    fingerprint: Option<Fingerprint>,
    batch: Vec<BatchLine>,
    bytes: usize,
    /// Lines that wait for earlier ones.
    reorder: Option<Reorder>,
    /// The position after the last line taken: byte, and number of lines before it.
    place: Option<(u64, u64)>,
    /// The byte of the last such position, and of the last one that is durable.
    reached: u64,
    durable: u64,
    waiting: VecDeque<(Ticket, u64, u64)>,
    /// The number of lines in settled batches.
    settled: u64,
    outcome: IngestOutcome,
}

impl SourceIngest<'_> {
    fn read(&mut self, source: &mut Source, from: u64) -> Result<(), IngestError> {
        let name = Arc::clone(&self.name);
        let defaults = Defaults {
            observer: &self.how.observer,
            self_user: self.how.self_user.as_deref(),
            settings: self.how.settings,
        };
        while !self.outcome.stopped && !self.watcher.stop() {
            match source.wait() {
                Wait::None => {}
                Wait::Possible => self.send_decided()?,
                Wait::Likely => {
                    self.send_decided()?;
                    self.settle_all()?;
                    // A settled batch may have stopped the run.
                    if self.outcome.stopped {
                        break;
                    }
                }
            }
            let Some(line) = source.next_line()? else {
                break;
            };
            let place = LineLocation {
                source: &name,
                line: line.number,
                byte: line.start,
            };
            let text = match line.text {
                LineText::Whole(text) if is_blank(text, line.start) => {
                    self.place = Some((line.end, line.lines));
                    continue;
                }
                LineText::Whole(text) => Some(text),
                LineText::TooLong { .. } => None,
            };
            let mut half = false;
            let (end, lines) = (line.end, line.lines);
            if let (Some(text), Some(at)) = (text, &self.how.at) {
                let taken = match at.open(text) {
                    Err(reason) => {
                        half = !line.terminated;
                        vec![(place.refuse(text, reason), text.len())]
                    }
                    Ok(events) => events
                        .into_iter()
                        .map(|(event, before)| {
                            let byte = place.byte + before as u64;
                            let text = LineText::Whole(event.as_bytes());
                            (
                                self.take(LineLocation { byte, ..place }, text, &defaults),
                                event.len(),
                            )
                        })
                        .collect(),
                };
                // A strict run stops before a line, not within it.
                let bad = |(taken, _): &&(BatchLine, usize)| {
                    matches!(taken, BatchLine::Rejected(_) | BatchLine::Forbidden(_))
                };
                match taken.iter().find(bad).filter(|_| self.how.strict) {
                    Some((bad, length)) => self.put(bad.clone(), *length),
                    None => {
                        for (taken, length) in taken {
                            self.put(taken, length);
                        }
                    }
                }
            } else {
                let length = match line.text {
                    LineText::Whole(text) => text.len(),
                    LineText::TooLong { head, .. } => head.len(),
                };
                let taken = self.take(place, line.text, &defaults);
                if let BatchLine::Rejected(rejected) = &taken
                    && !line.terminated
                {
                    half = true;
                    if from == line.start && self.how.resume && is_kept(self.store, rejected)? {
                        // It is the half line that the previous run met; nothing was written after it since.
                        break;
                    }
                }
                self.put(taken, length);
            }
            // A half line may be complete the next time, so reading then resumes before it. A complete line without
            // its newline does not count as a line yet: bytes that are added later are the rest of it.
            if !half {
                self.place = Some((end, lines));
                self.reached = end;
            }
            if self.batch.len() >= BATCH_LINES || self.bytes >= BATCH_BYTES {
                self.send_decided()?;
            }
        }
        Ok(())
    }

    /// The batch line for an event.
    #[inline]
    fn take(
        &self,
        place: LineLocation<'_>,
        text: LineText<'_>,
        defaults: &Defaults<'_>,
    ) -> BatchLine {
        let taken = place.take(text, defaults, &self.how.reach);
        match text {
            LineText::Whole(text) if self.how.keep_recorded => {
                as_recorded(taken, feed::recording(text))
            }
            _ => taken,
        }
    }

    /// Adds a line of `length` bytes to the batch, in its order.
    #[inline]
    fn put(&mut self, line: BatchLine, length: usize) {
        let Some(reorder) = &mut self.reorder else {
            return self.put_behind(line, length);
        };
        let now = chrono::Utc::now().timestamp_millis();
        let latest = now.saturating_add(self.how.rules.max_ahead_ms);
        reorder.push(line, length, latest);
        while let Some((line, length)) = self.reorder.as_mut().and_then(|held| held.pop(false)) {
            self.put_behind(line, length);
        }
    }

    #[inline]
    fn put_behind(&mut self, line: BatchLine, length: usize) {
        if self.how.strict && may_be_refused(&line) {
            self.mark();
        }
        self.outcome.lines += 1;
        self.outcome.latest_time = self.outcome.latest_time.max(source_time(&line));
        self.batch.push(line);
        self.bytes += length;
    }

    /// Adds the present position to the batch, after the lines before it.
    fn mark(&mut self) {
        // While lines wait to be reordered, there is no byte of the source up to which all lines are in batches.
        if self.reorder.as_ref().is_some_and(|held| !held.is_empty()) {
            return;
        }
        if let (Some((byte, line)), Some(fingerprint)) = (self.place.take(), self.fingerprint) {
            self.batch.push(BatchLine::Progress(Progress {
                source: fingerprint.hash,
                hashed_len: fingerprint.hashed,
                byte,
                line,
                path: Arc::clone(&self.name),
            }));
        }
    }

    fn send_decided(&mut self) -> Result<(), IngestError> {
        let (byte, lines) = (self.reached, self.outcome.lines);
        self.mark();
        if self.batch.is_empty() {
            return Ok(());
        }
        let batch = Batch {
            lines: std::mem::replace(&mut self.batch, Vec::with_capacity(BATCH_LINES)),
            rules: self.how.rules,
            strict: self.how.strict,
        };
        self.bytes = 0;
        self.waiting
            .push_back((self.store.submit(batch)?, byte, lines));
        let ahead = if self.how.strict { 0 } else { BATCHES_AHEAD };
        while self.waiting.len() > ahead {
            self.settle()?;
        }
        Ok(())
    }

    /// Waits for the oldest batch.
    fn settle(&mut self) -> Result<(), IngestError> {
        let Some((ticket, byte, lines)) = self.waiting.pop_front() else {
            return Ok(());
        };
        let receipt: Receipt = ticket.wait()?;
        self.outcome.tally.add(&receipt.tally);
        if receipt.stopped {
            // Lines after the one at which it stopped were read, but not recorded.
            self.outcome.stopped = true;
            self.outcome.lines = self.settled + receipt.lines;
        }
        self.settled = lines;
        self.durable = byte;
        self.watcher.receipt(&receipt);
        self.watcher.durable(byte, lines);
        if self.outcome.tally.rejected > self.how.max_rejects {
            let (name, most) = (self.name.to_string(), self.how.max_rejects);
            return Err(IngestError::TooManyRejects { name, most });
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), IngestError> {
        let mut done = Ok(());
        while !self.outcome.stopped && done.is_ok() {
            let next = self.reorder.as_mut().and_then(|held| held.pop(true));
            let last = next.is_none();
            if let Some((line, length)) = next {
                self.put_behind(line, length);
            }
            if last || self.batch.len() >= BATCH_LINES || self.bytes >= BATCH_BYTES {
                done = self.send_decided();
            }
            if last {
                break;
            }
        }
        done.and(self.settle_all())
    }

    /// Waits for every batch, even after one that failed.
    fn settle_all(&mut self) -> Result<(), IngestError> {
        let mut done = Ok(());
        while !self.waiting.is_empty() {
            done = done.and(self.settle());
        }
        done
    }
}

/// Whether a line has no content: only white space, or only the mark at the start of a text.
fn is_blank(text: &[u8], start: u64) -> bool {
    let marked = text
        .strip_prefix("\u{feff}".as_bytes())
        .filter(|_| start == 0);
    marked.unwrap_or(text).trim_ascii().is_empty()
}
