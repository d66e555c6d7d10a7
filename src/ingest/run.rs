//! A source, line by line, into a store: what the command line, the server and the simulator have in common.

use super::line::{Place, as_recorded, source_time};
use super::source::{Fingerprint, LineText, Source, SourceError, Wait};
use super::summary::IngestSummary;
use crate::domain::entry::Rules;
use crate::domain::event::Said;
use crate::domain::time::Millis;
use crate::feed::{self, Defaults, Settings};
use crate::log::Progress;
use crate::store::{
    Batch, Clamped, DifferingRetry, Line, Receipt, Refused, Store, StoreError, Tally, Ticket,
};
use std::collections::VecDeque;
use std::sync::Arc;

/// Why a source could not be taken in to its end. What came before is durable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IngestError {
    /// It gives no more lines.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The store takes no more.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It is to be gone on with, and does not begin as it did.
    #[error(
        "{path} does not begin as it did when it was read up to byte {byte}; it is another file now"
    )]
    Changed {
        /// The file.
        path: String,
        /// How far it had been read.
        byte: u64,
    },
    /// It is to be gone on with, and is no file.
    #[error("{0} is no file: there is nothing by which it would be known again")]
    NoFile(String),
}

/// How lines are taken.
#[derive(Debug, Clone)]
pub struct How {
    /// The observer of lines that name none.
    pub observer: String,
    /// The observer's own user, of lines that name none.
    pub self_user: Option<String>,
    /// How lines are read.
    pub settings: Settings,
    /// How events are taken.
    pub rules: Rules,
    /// Lines that say when and by which rules they were recorded are recorded so again ([`feed::recording`]).
    pub keep_recorded: bool,
    /// Stop at the first line that is rejected.
    pub strict: bool,
    /// Go on where an earlier run of the same file ended.
    pub resume: bool,
    /// The only channels that lines may speak of; `None`: all.
    pub only: Option<Arc<[String]>>,
}

impl Default for How {
    fn default() -> Self {
        let (observer, rules) = ("default".to_owned(), Rules::default());
        How {
            observer,
            self_user: None,
            settings: Settings::USUAL,
            rules,
            keep_recorded: false,
            strict: false,
            resume: false,
            only: None,
        }
    }
}

/// Who is told how it goes.
pub trait Watcher {
    /// More of the source has become durable.
    fn durable(&mut self, up_to_byte: u64, lines: u64) {
        let _ = (up_to_byte, lines);
    }

    /// A line was rejected, and is kept.
    fn rejected(&mut self, refused: &Refused) {
        let _ = refused;
    }

    /// An entry lies far behind the time of its channel.
    fn clamped(&mut self, clamped: &Clamped) {
        let _ = clamped;
    }

    /// A line was taken for a retry, though its id was recorded with other contents.
    fn differing(&mut self, retry: &DifferingRetry) {
        let _ = retry;
    }

    /// All that is to be said of a batch, now that it is durable.
    fn receipt(&mut self, receipt: &Receipt) {
        for refused in &receipt.rejected {
            self.rejected(refused);
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

/// Nobody is told.
impl Watcher for () {}

/// What became of a source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Lines read, but for blank ones.
    pub lines: u64,
    /// What became of them.
    pub tally: Tally,
    /// The latest time that the source gave, Unix ms.
    pub latest_time: Option<Millis>,
    /// It ended at a rejected line (`strict`).
    pub stopped: bool,
}

impl Outcome {
    /// Adds what became of a later source.
    pub fn add(&mut self, later: &Outcome) {
        self.lines += later.lines;
        self.tally.add(&later.tally);
        self.latest_time = self.latest_time.max(later.latest_time);
        self.stopped |= later.stopped;
    }

    /// As the command line and the server show it.
    #[must_use]
    pub fn summary(&self, elapsed_ms: u64) -> IngestSummary {
        let tally = &self.tally;
        IngestSummary {
            lines: self.lines,
            events: tally.events,
            entries: tally.entries,
            joins: tally.joins,
            leaves: tally.leaves,
            updates: tally.updates,
            snapshots: tally.snapshots,
            inferred_joins: tally.inferred_joins,
            inferred_leaves: tally.inferred_leaves,
            inferred_updates: tally.inferred_updates,
            baseline_joins: tally.baseline_joins,
            duplicates: tally.duplicates,
            stale: tally.stale,
            unknown: tally.unknown,
            collected: tally.collected,
            retries: tally.retries,
            retries_differing: tally.retries_differing,
            rejected: tally.rejected,
            clamped: tally.clamped,
            first_seq: tally.first_seq,
            last_seq: tally.last_seq,
            elapsed_ms,
        }
    }
}

/// Lines handed to the writer together.
const BATCH_LINES: usize = 1_024;
/// Or so many bytes of them, whichever comes first.
const BATCH_BYTES: usize = 1 << 20;
/// Batches that may wait for the writer: enough that it never waits for the reader.
const BATCHES_AHEAD: usize = 4;

/// Takes in a source to its end.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use rollbook::ingest::{How, ingest, source::Source};
/// let file = tempfile::NamedTempFile::new()?;
/// std::fs::write(file.path(), r#"{"t":"join","channel":"room","topic":"chat","user":"tony","ts":1000}"#)?;
/// let store = rollbook::Store::in_memory(rollbook::Options::default())?;
/// let outcome = ingest(&store, Source::open(file.path())?, &How::default(), &mut ())?;
/// assert_eq!((outcome.lines, outcome.tally.joins), (1, 1));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`IngestError`]; what came before is durable.
pub fn ingest(
    store: &Store,
    mut source: Source,
    how: &How,
    watcher: &mut dyn Watcher,
) -> Result<Outcome, IngestError> {
    let from = if how.resume {
        go_on(store, &mut source)?
    } else {
        0
    };
    let mut intake = Intake {
        store,
        how,
        watcher,
        name: Arc::from(source.name()),
        fingerprint: source.fingerprint(),
        batch: Vec::new(),
        bytes: 0,
        place: None,
        waiting: VecDeque::new(),
        settled: 0,
        outcome: Outcome::default(),
    };
    let read = intake.read(&mut source, from);
    // What was read before a failure counts.
    let written = intake.finish();
    read.and(written)?;
    Ok(intake.outcome)
}

/// Finds where an earlier run ended, and goes there.
fn go_on(store: &Store, source: &mut Source) -> Result<u64, IngestError> {
    if source.fingerprint().is_none() {
        return Err(IngestError::NoFile(source.name().to_owned()));
    }
    let sources = store.sources()?;
    let as_known = |known: &&Progress| {
        source.matches(&Fingerprint {
            hash: known.source,
            hashed: known.hashed_len,
        })
    };
    if let Some(known) = sources.iter().rev().find(as_known) {
        let (byte, line) = (known.byte, known.line);
        source.skip_to(byte, line)?;
        return Ok(byte);
    }
    match sources
        .iter()
        .rev()
        .find(|known| *known.path == *source.name() && known.byte > 0)
    {
        Some(known) => Err(IngestError::Changed {
            path: source.name().to_owned(),
            byte: known.byte,
        }),
        None => Ok(0),
    }
}

struct Intake<'a> {
    store: &'a Store,
    how: &'a How,
    watcher: &'a mut dyn Watcher,
    name: Arc<str>,
    fingerprint: Option<Fingerprint>,
    batch: Vec<Line>,
    bytes: usize,
    /// Behind the last line that was taken: byte, and lines before it.
    place: Option<(u64, u64)>,
    waiting: VecDeque<(Ticket, u64, u64)>,
    /// Lines that have been settled.
    settled: u64,
    outcome: Outcome,
}

impl Intake<'_> {
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
                Wait::Possible => self.hand_over()?,
                Wait::Likely => {
                    self.hand_over()?;
                    self.settle_all()?;
                    // What was settled may have ended it.
                    if self.outcome.stopped {
                        break;
                    }
                }
            }
            let Some(line) = source.next_line()? else {
                break;
            };
            let place = Place {
                source: &name,
                line: line.number,
                byte: line.start,
            };
            let length = match line.text {
                LineText::Whole(text) if text.trim_ascii().is_empty() => {
                    let ended = line.number - u64::from(!line.terminated);
                    self.place = Some((line.end, ended));
                    continue;
                }
                LineText::Whole(text) => text.len(),
                LineText::TooLong { head, .. } => head.len(),
            };
            let whole = matches!(line.text, LineText::Whole(_));
            let recording = match line.text {
                LineText::Whole(text) if self.how.keep_recorded => Some(feed::recording(text)),
                _ => None,
            };
            let taken = place.take(line.text, &defaults, self.how.only.as_deref());
            let taken = match recording {
                Some(recording) => as_recorded(taken, recording),
                None => taken,
            };
            let half = whole && !line.terminated && matches!(taken, Line::Rejected(_));
            if half && from == line.start && self.is_kept(&name, from)? {
                // The half line that the run before this one has met, and nothing behind it since.
                break;
            }
            if self.how.strict && may_be_refused(&taken) {
                self.mark();
            }
            self.outcome.lines += 1;
            self.outcome.latest_time = self.outcome.latest_time.max(source_time(&taken));
            self.batch.push(taken);
            self.bytes += length;
            // A half line may be whole the next time: reading goes on before it then. A whole one without its newline
            // does not count as a line yet: what comes to stand behind it is the rest of it.
            if !half {
                let ended = line.number - u64::from(!line.terminated);
                self.place = Some((line.end, ended));
            }
            if self.batch.len() >= BATCH_LINES || self.bytes >= BATCH_BYTES {
                self.hand_over()?;
            }
        }
        Ok(())
    }

    /// Whether the line that begins at `byte` was rejected before.
    fn is_kept(&self, name: &str, byte: u64) -> Result<bool, StoreError> {
        let mut kept = false;
        self.store.rejects(|reject| {
            kept |= reject.byte == byte && reject.source == name;
            !kept
        })?;
        Ok(kept)
    }

    /// Puts the place that was reached behind the lines before it.
    fn mark(&mut self) {
        if let (Some((byte, line)), Some(fingerprint)) = (self.place.take(), self.fingerprint) {
            self.batch.push(Line::Progress(Progress {
                source: fingerprint.hash,
                hashed_len: fingerprint.hashed,
                byte,
                line,
                path: Arc::clone(&self.name),
            }));
        }
    }

    fn hand_over(&mut self) -> Result<(), IngestError> {
        let (byte, lines) = (self.place.map_or(0, |(byte, _)| byte), self.outcome.lines);
        self.mark();
        if self.batch.is_empty() {
            return Ok(());
        }
        let batch = Batch {
            lines: std::mem::take(&mut self.batch),
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
            // Those behind the one at which it stopped were read, and not taken.
            self.outcome.stopped = true;
            self.outcome.lines = self.settled + receipt.lines;
        }
        self.settled = lines;
        self.watcher.receipt(&receipt);
        self.watcher.durable(byte, lines);
        Ok(())
    }

    fn finish(&mut self) -> Result<(), IngestError> {
        let done = if self.outcome.stopped {
            Ok(())
        } else {
            self.hand_over()
        };
        done.and(self.settle_all())
    }

    /// Waits for every batch, also behind one that failed.
    fn settle_all(&mut self) -> Result<(), IngestError> {
        let mut done = Ok(());
        while !self.waiting.is_empty() {
            done = done.and(self.settle());
        }
        done
    }
}

/// Whether a line may turn out to be a reject, so that a strict run may end before it.
fn may_be_refused(line: &Line) -> bool {
    match line {
        Line::Event(event, _) | Line::Again(event, _, _) => {
            matches!(
                event.said,
                Said::SnapshotPage { .. } | Said::SnapshotEnd { .. }
            )
        }
        Line::Rejected(_) | Line::Retry(..) => true,
        Line::Progress(_) | Line::Connection { .. } => false,
    }
}
