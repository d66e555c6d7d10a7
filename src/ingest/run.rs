//! Ingests a source into a store, line by line; the command line, the server and the simulator share this.

use super::batcher::{Batcher, LineLocation};
use super::error::{IngestError, Unfinished};
use super::line::{names, read};
use super::listener::ProgressListener;
use super::options::IngestOptions;
use super::outcome::IngestOutcome;
use super::reorder::{HeldLine, Reorder};
use super::resume::{go_on, is_kept};
use super::source::{Fingerprint, LineText, Source, SourceLine, Wait};
use super::submitter::{BATCHES_AHEAD, Submitter};
use crate::log::Progress;
use crate::store::{BatchLine, BatchText, FeedLine, Store};
use std::sync::Arc;

/// Ingests a source to its end.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use rollbook::ingest::{IngestOptions, Source, ingest};
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
        name: Arc::from(source.name()),
        fingerprint: source.fingerprint(),
        names: names(how),
        batcher: Batcher::default(),
        reorder: how.reorder_ms.map(Reorder::new),
        position: None,
        reached: from,
        submitter: Submitter::new(store, watcher, from),
    };
    let read = intake.read(&mut source, from);
    // What was read before a failure counts.
    let written = intake.finish();
    let (outcome, byte) = (intake.submitter.outcome, intake.submitter.durable);
    match read.and(written) {
        Ok(()) => Ok(outcome),
        Err(error) => Err(unfinished(error, outcome, byte)),
    }
}

struct SourceIngest<'a> {
    store: &'a Store,
    how: &'a IngestOptions,
    name: Arc<str>,
    fingerprint: Option<Fingerprint>,
    /// The names for lines that are read ahead of their batch.
    names: BatchText,
    batcher: Batcher,
    /// Lines that wait for earlier ones.
    reorder: Option<Reorder>,
    /// The position after the last line taken, if the batcher does not know it: byte, and number of lines before it.
    position: Option<(u64, u64)>,
    /// The byte of the last position.
    reached: u64,
    submitter: Submitter<'a>,
}

impl SourceIngest<'_> {
    fn read(&mut self, source: &mut Source, from: u64) -> Result<(), IngestError> {
        while !self.submitter.outcome.stopped && !self.submitter.listener.stop() {
            match source.wait() {
                Wait::None => {}
                Wait::Possible => self.send()?,
                Wait::Likely => {
                    self.send()?;
                    self.settle(0)?;
                    // A settled batch may have stopped the run.
                    if self.submitter.outcome.stopped {
                        break;
                    }
                }
            }
            let Some(line) = source.next_line()? else {
                break;
            };
            let after = (line.end, line.lines);
            if let LineText::Whole(text) = line.text
                && is_blank(text, line.start)
            {
                self.position = Some(after);
                continue;
            }
            match self.take(&line, from)? {
                TakenLine::Whole => {
                    self.position = Some(after);
                    self.reached = line.end;
                }
                // It may be complete the next time, so reading then resumes before it.
                TakenLine::Half => {}
                TakenLine::KnownHalf => break,
            }
            if self.how.strict {
                self.mark();
            }
            if self.batcher.is_full() {
                self.send()?;
            }
        }
        Ok(())
    }

    /// Adds the events of a line to the batch.
    fn take(&mut self, line: &SourceLine<'_>, from: u64) -> Result<TakenLine, IngestError> {
        let name = Arc::clone(&self.name);
        let at = LineLocation {
            source: &name,
            line: line.number,
            byte: line.start,
        };
        if let (LineText::Whole(text), Some(pointer)) = (line.text, &self.how.at) {
            let events = match pointer.open(text) {
                Ok(events) => events,
                Err(reason) => {
                    self.put(at, line.text, Some(reason));
                    return Ok(if line.terminated {
                        TakenLine::Whole
                    } else {
                        TakenLine::Half
                    });
                }
            };
            let mut events: Vec<_> = events
                .iter()
                .map(|(event, before)| {
                    let byte = at.byte + *before as u64;
                    (LineLocation { byte, ..at }, event.as_bytes())
                })
                .collect();
            // A strict run stops before a line, not within it.
            let bad = |&(at, text): &(LineLocation<'_>, &[u8])| self.is_bad(at, text);
            if self.how.strict
                && let Some(bad) = events.iter().position(bad)
            {
                events = vec![events.swap_remove(bad)];
            }
            for (at, text) in events {
                self.put(at, LineText::of(text), None);
            }
            return Ok(TakenLine::Whole);
        }
        // A complete line without its newline does not count as a line yet: bytes that are added later are the rest of
        // it.
        let half = !line.terminated
            && match line.text {
                LineText::Whole(text) => self.is_rejected(at, text),
                LineText::TooLong { .. } => true,
            };
        if half && from == line.start && self.how.resume && is_kept(self.store, at, line.text)? {
            // It is the half line that the previous run met; nothing was written after it since.
            return Ok(TakenLine::KnownHalf);
        }
        self.put(at, line.text, None);
        Ok(if half {
            TakenLine::Half
        } else {
            TakenLine::Whole
        })
    }

    /// Whether a line will be rejected, or its sender may not write it.
    fn is_bad(&self, at: LineLocation<'_>, text: &[u8]) -> bool {
        self.with_read(at, text, |line| {
            matches!(line, BatchLine::Rejected(..) | BatchLine::Forbidden(..))
        })
    }

    fn is_rejected(&self, at: LineLocation<'_>, text: &[u8]) -> bool {
        self.with_read(at, text, |line| matches!(line, BatchLine::Rejected(..)))
    }

    /// Reads a line ahead of its batch.
    fn with_read<T>(
        &self,
        at: LineLocation<'_>,
        text: &[u8],
        look: impl FnOnce(&BatchLine<'_>) -> T,
    ) -> T {
        let line = FeedLine {
            source: at.source,
            line: at.line,
            byte: at.byte,
            text,
            ..FeedLine::default()
        };
        look(&read(line, &self.names, self.how))
    }

    /// Adds a line to the batch, in its order; `refused`: why it is rejected, if that is known.
    fn put(&mut self, at: LineLocation<'_>, text: LineText<'_>, refused: Option<String>) {
        let time = |line: &BatchLine<'_>| match line {
            BatchLine::Event(event) => event.event.stamp.ts,
            _ => None,
        };
        let at_time = match text {
            LineText::Whole(text) if self.reorder.is_some() && refused.is_none() => {
                self.with_read(at, text, time)
            }
            _ => None,
        };
        let Some(reorder) = &mut self.reorder else {
            return self.batcher.push(at, text, refused);
        };
        let now = chrono::Utc::now().timestamp_millis();
        let latest = now.saturating_add(self.how.rules.max_ahead_ms);
        let at_time = at_time.filter(|&time| time <= latest);
        reorder.push(at, text, at_time, refused);
        while let Some(line) = reorder.pop(false) {
            push_held(&mut self.batcher, &self.name, line);
        }
    }

    /// Notes the present position in the batch, after the lines before it.
    fn mark(&mut self) {
        // While lines wait to be reordered, there is no byte of the source up to which all lines are in batches.
        if self.reorder.as_ref().is_some_and(|held| !held.is_empty()) {
            return;
        }
        if let (Some((byte, line)), Some(fingerprint)) = (self.position.take(), self.fingerprint) {
            self.batcher.reached(Progress {
                source: fingerprint.hash,
                hashed_len: fingerprint.hashed,
                byte,
                line,
                path: Arc::clone(&self.name),
            });
        }
    }

    fn send(&mut self) -> Result<(), IngestError> {
        self.mark();
        if self.batcher.is_empty() {
            return Ok(());
        }
        let batch = self.batcher.take(self.how);
        self.submitter.submit(batch, self.reached)?;
        self.settle(if self.how.strict { 0 } else { BATCHES_AHEAD })
    }

    /// Waits for the oldest batches, until at most `ahead` of them are on their way.
    fn settle(&mut self, ahead: usize) -> Result<(), IngestError> {
        while self.submitter.settle(ahead)? {
            if self.submitter.outcome.tally.rejected > self.how.max_rejects {
                let (name, most) = (self.name.to_string(), self.how.max_rejects);
                return Err(IngestError::TooManyRejects { name, most });
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), IngestError> {
        let mut done = Ok(());
        while !self.submitter.outcome.stopped && done.is_ok() {
            let next = self.reorder.as_mut().and_then(|held| held.pop(true));
            let last = next.is_none();
            if let Some(line) = next {
                push_held(&mut self.batcher, &self.name, line);
            }
            if last || self.batcher.is_full() {
                done = self.send();
            }
            if last {
                break;
            }
        }
        // Waits for every batch, even after one that failed.
        while self.submitter.is_waiting() {
            done = done.and(self.settle(0));
        }
        done
    }
}

/// What became of a line of the source.
enum TakenLine {
    /// It is in the batch.
    Whole,
    /// It is in the batch as a reject, but its end may still be missing.
    Half,
    /// An earlier run met the same half line, and kept it.
    KnownHalf,
}

fn push_held(batcher: &mut Batcher, source: &Arc<str>, mut held: HeldLine) {
    let at = LineLocation {
        source,
        line: held.line,
        byte: held.byte,
    };
    let refused = held.refused.take();
    batcher.push(at, held.text(), refused);
}

/// Whether a line has no content: only white space, or only the mark at the start of a text.
fn is_blank(text: &[u8], start: u64) -> bool {
    let marked = text
        .strip_prefix("\u{feff}".as_bytes())
        .filter(|_| start == 0);
    marked.unwrap_or(text).trim_ascii().is_empty()
}
