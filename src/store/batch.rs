//! What is handed to the writer, and what comes back.

use super::check;
use super::error::StoreError;
use super::line_counts::LineCounts;
use crate::domain::entry::{Disposition, Recording, Rules};
use crate::domain::event::{Connection, Event};
use crate::domain::time::Millis;
use crate::limits::DIFFERING_SHOWN_MAX;
use crate::log::Progress;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

/// One line for the writer.
#[derive(Debug, Clone)]
pub enum BatchLine {
    /// An event, and the line that a feed has read it off, for the case that it must be refused. One without a line
    /// comes from elsewhere, and is [checked](super::check).
    Event(Event<'static>, Option<Box<RejectedLine>>),
    /// The same of one that was recorded before, and is to be recorded as it was then.
    Again(Event<'static>, Option<Box<RejectedLine>>, Recording),
    /// The event of a line that was rejected, that line, and which reject of the log it is: settled if it can be taken
    /// now; else it stays as it is, and is not kept twice.
    Retry(Event<'static>, Box<RejectedLine>, u64),
    /// A line that no event could be made of.
    Rejected(Box<RejectedLine>),
    /// A line that the sender had no right to write: it is named and counted, and neither recorded nor kept.
    Forbidden(RefusedLine),
    /// How far a source has been read with the lines before this one.
    Progress(Progress),
    /// The ingest connection of an observer came or went. One that comes up ([`Connection::Up`], or
    /// [`Connection::Resumed`] where its feed goes on) does so with its first event, which stands right behind this.
    /// Only the newest connection speaks for an observer: that an older one has ended is not said.
    Connection {
        /// Whose.
        observer: String,
        /// What became of it.
        what: Connection,
        /// Of one that comes up: the source time of its first event, if that has one, Unix ms.
        at: Option<Millis>,
    },
}

/// A line to be kept as a reject.
#[derive(Debug, Clone, Default)]
pub struct RejectedLine {
    /// The file or feed.
    pub source: Arc<str>,
    /// Its line there, from 1.
    pub line: u64,
    /// Where that line begins.
    pub byte: u64,
    /// Why; for an event that is refused only by the writer, that adds it.
    pub reason: String,
    /// The front of the line, up to [`crate::limits::REJECT_TEXT_BYTES_MAX`].
    pub text: Vec<u8>,
    /// Bytes of the whole line.
    pub length: u64,
    /// BLAKE3 of the whole line, where `text` is not all of it.
    pub blake3: Option<[u8; 32]>,
    /// The sender may write to some channels only. A retry knows nothing of these, so it must not take the line.
    pub limited: bool,
}

/// Lines that are handed over together.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// The lines, in order.
    pub lines: Vec<BatchLine>,
    /// How they are to be taken.
    pub rules: Rules,
    /// Stop at the first line that is rejected: that one is kept, and nothing behind it is taken.
    pub strict: bool,
}

/// What a line costs besides its text, about.
const LINE_WEIGHT: u64 = 256;

impl Batch {
    /// About how many bytes it has.
    pub(super) fn weight(&self) -> u64 {
        let of_line = |line: &BatchLine| match line {
            BatchLine::Event(_, raw) | BatchLine::Again(_, raw, _) => {
                raw.as_ref().map_or(0, |raw| raw.length)
            }
            BatchLine::Retry(_, raw, _) | BatchLine::Rejected(raw) => raw.text.len() as u64,
            BatchLine::Forbidden(_) | BatchLine::Progress(_) | BatchLine::Connection { .. } => 0,
        };
        let lines = self.lines.iter();
        lines.map(|line| LINE_WEIGHT + of_line(line)).sum()
    }

    /// That all that no feed has read off a line can be recorded.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        for (line, at) in self.lines.iter().zip(1..) {
            let checked = match line {
                BatchLine::Event(event, None) | BatchLine::Again(event, None, _) => {
                    check::check(event)
                }
                BatchLine::Connection { observer, at, .. } => {
                    check::name("observer", observer).and_then(|()| check::time("ts", *at))
                }
                _ => Ok(()),
            };
            checked.map_err(|unfit| StoreError::Unfit { at, unfit })?;
        }
        Ok(())
    }
}

/// What became of a batch. All of it is durable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Receipt {
    /// The counts.
    pub tally: LineCounts,
    /// For each event of the batch the first entry that it made; `None` where it made none. A retry has the
    /// entry that it made the first time.
    pub seqs: Vec<Option<u64>>,
    /// Lines that were looked at: of a strict batch those up to the one at which it stopped.
    pub lines: u64,
    /// The lines that were rejected.
    pub rejected: Vec<RefusedLine>,
    /// The lines that the sender had no right to write.
    pub forbidden: Vec<RefusedLine>,
    /// The first entries that lie far behind the time of their channel.
    pub clamped: Vec<Clamped>,
    /// The first lines whose id was recorded before with other contents.
    pub differing: Vec<DifferingRetry>,
    /// A strict batch ended at a rejected line.
    pub stopped: bool,
}

impl Receipt {
    /// Names a line that was refused.
    pub(super) fn refuse(&mut self, rejected: RejectedLine) {
        self.tally.rejected += 1;
        self.rejected.push(RefusedLine {
            source: rejected.source,
            line: rejected.line,
            byte: rejected.byte,
            reason: rejected.reason,
        });
    }

    /// Names a line that the sender had no right to write.
    pub(super) fn forbid(&mut self, forbidden: RefusedLine) {
        self.tally.forbidden += 1;
        self.forbidden.push(forbidden);
    }

    /// Notes that an event, whose line was `raw`, is not what was recorded with its id as the entry `seq`.
    pub(super) fn differs(&mut self, event: &Event<'_>, raw: Option<&RejectedLine>, seq: u64) {
        self.tally.retries_differing += 1;
        if self.differing.len() < DIFFERING_SHOWN_MAX {
            self.differing.push(DifferingRetry {
                source: raw.map_or_else(|| Arc::from(""), |raw| Arc::clone(&raw.source)),
                line: raw.map_or(0, |raw| raw.line),
                byte: raw.map_or(0, |raw| raw.byte),
                id: event.id.as_deref().unwrap_or_default().to_owned(),
                seq,
            });
        }
    }
}

/// A line that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedLine {
    /// The file or feed.
    pub source: Arc<str>,
    /// Its line there, from 1.
    pub line: u64,
    /// Where that line begins.
    pub byte: u64,
    /// Why.
    pub reason: String,
}

/// An entry whose effective time is more than [`crate::limits::CLAMPED_MS`] after it occurred.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clamped {
    /// The entry.
    pub seq: u64,
    /// Its channel; empty for an entry that names none.
    pub channel: String,
    /// When it occurred.
    pub occurred_at: Millis,
    /// Its effective time.
    pub effective_at: Millis,
    /// What became of it: only one that is applied takes effect at all.
    #[serde(with = "DispositionWord")]
    pub disposition: Disposition,
    /// The entry that moved the channel's time there; `None` where it is not known.
    pub frontier: Option<Frontier>,
}

/// [`Disposition`] as a word: the domain knows nothing of how it is written.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Disposition", rename_all = "lowercase")]
enum DispositionWord {
    Applied,
    Duplicate,
    Stale,
    Unknown,
    Collected,
}

/// An entry at which the time of its channel stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frontier {
    /// The entry.
    pub seq: u64,
    /// Its effective time.
    pub effective_at: Millis,
    /// It has no source time that counts: its time is that of its recording.
    pub untimed: bool,
    /// The source of its line, and the line there, from 1; `None` where it was recorded by an earlier run.
    pub line: Option<(Arc<str>, u64)>,
}

/// A line with an id that was recorded before, with other contents: it is taken for a retry all the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DifferingRetry {
    /// The file or feed.
    pub source: Arc<str>,
    /// The line there, from 1.
    pub line: u64,
    /// Where that line begins.
    pub byte: u64,
    /// The id.
    pub id: String,
    /// The first entry that was recorded with this id.
    pub seq: u64,
}

/// What became of a batch.
pub type BatchOutcome = Result<Receipt, StoreError>;

/// Who is told what became of a batch. It is dropped unheard where the writer ends before.
pub(super) type Reply = Box<dyn FnOnce(BatchOutcome) + Send>;

/// A receipt to come.
pub struct Ticket(Receiver<BatchOutcome>);

impl Ticket {
    /// A ticket, and who gives it its receipt.
    pub(super) fn new() -> (Reply, Ticket) {
        let (receipt, outcome) = sync_channel(1);
        // Nobody has to wait for a receipt.
        let reply = move |done| drop(receipt.send(done));
        (Box::new(reply), Ticket(outcome))
    }

    /// Waits until the batch is durable.
    ///
    /// # Errors
    /// Where it could not be written.
    pub fn wait(self) -> BatchOutcome {
        let gone = || StoreError::Poisoned("the writer has ended".into());
        self.0.recv().unwrap_or_else(|_| Err(gone()))
    }
}
