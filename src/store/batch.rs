//! What callers hand to the writer, and what they get back.

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
    /// An event, and the line from which a feed read it, in case the event must be refused. An event without a line
    /// does not come from a feed, and is [checked](super::check).
    Event(Event<'static>, Option<Box<RejectedLine>>),
    /// The same for an event that was recorded before: it is recorded again as it was then.
    Again(Event<'static>, Option<Box<RejectedLine>>, Recording),
    /// A retry: the event of a rejected line, that line, and the line's number among the rejects of the log. The
    /// reject is settled if the event can be recorded now; otherwise it stays as it is, and is not kept a second
    /// time.
    Retry(Event<'static>, Box<RejectedLine>, u64),
    /// A line from which no event could be made.
    Rejected(Box<RejectedLine>),
    /// A line that the sender had no right to write. It is named and counted, but neither recorded nor kept.
    Forbidden(RefusedLine),
    /// How far a source has been read, including the lines before this one.
    Progress(Progress),
    /// The ingest connection of an observer opened or ended. An opening ([`Connection::Up`], or
    /// [`Connection::Resumed`] if its feed continues) is reported with the connection's first event, which directly
    /// follows it in the batch. Only the newest connection of an observer counts: the end of an older one is not
    /// reported.
    Connection {
        /// The observer.
        observer: String,
        /// What happened to the connection.
        what: Connection,
        /// For an opening: the source time of the first event, if it has one, Unix ms.
        at: Option<Millis>,
    },
}

/// A line to be kept as a reject.
#[derive(Debug, Clone, Default)]
pub struct RejectedLine {
    /// The file or feed.
    pub source: Arc<str>,
    /// The line there, from 1.
    pub line: u64,
    /// The byte at which that line begins.
    pub byte: u64,
    /// Why. The writer adds the reason of an event that only the writer refuses.
    pub reason: String,
    /// The front of the line, up to [`crate::limits::REJECT_TEXT_BYTES_MAX`].
    pub text: Vec<u8>,
    /// Bytes of the whole line.
    pub length: u64,
    /// BLAKE3 of the whole line, if `text` is only a part of it.
    pub blake3: Option<[u8; 32]>,
    /// The sender may write to some channels only. A retry does not know these rights, so it must not accept the
    /// line.
    pub limited: bool,
}

/// Lines that are queued together.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// The lines, in order.
    pub lines: Vec<BatchLine>,
    /// The rules for recording them.
    pub rules: Rules,
    /// Stop at the first rejected line: that line is kept as a reject, and nothing after it is recorded.
    pub strict: bool,
}

/// The approximate cost of a line besides its text, in bytes.
const LINE_WEIGHT: u64 = 256;

impl Batch {
    /// The approximate size in bytes.
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

    /// Checks everything that does not come from a feed: it must be valid for recording.
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

/// The outcome of a batch. All of it is durable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Receipt {
    /// The counts.
    pub tally: LineCounts,
    /// For each event of the batch, its first entry; `None` if it made none. A retry has the entry that it made the
    /// first time.
    pub seqs: Vec<Option<u64>>,
    /// The lines that were processed: in a strict batch only those up to the line at which it stopped.
    pub lines: u64,
    /// The lines that were rejected.
    pub rejected: Vec<RefusedLine>,
    /// The lines that the sender had no right to write.
    pub forbidden: Vec<RefusedLine>,
    /// The first entries that lie far behind the time of their channel.
    pub clamped: Vec<Clamped>,
    /// The first lines whose id was recorded before with other content.
    pub differing: Vec<DifferingRetry>,
    /// A strict batch stopped at a rejected line.
    pub stopped: bool,
}

impl Receipt {
    /// Adds a rejected line.
    pub(super) fn refuse(&mut self, rejected: RejectedLine) {
        self.tally.rejected += 1;
        self.rejected.push(RefusedLine {
            source: rejected.source,
            line: rejected.line,
            byte: rejected.byte,
            reason: rejected.reason,
        });
    }

    /// Adds a line that the sender had no right to write.
    pub(super) fn forbid(&mut self, forbidden: RefusedLine) {
        self.tally.forbidden += 1;
        self.forbidden.push(forbidden);
    }

    /// Notes that an event differs from what was recorded with its id as the entry `seq`. `raw` is the event's line.
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

/// A line that was not recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedLine {
    /// The file or feed.
    pub source: Arc<str>,
    /// The line there, from 1.
    pub line: u64,
    /// The byte at which that line begins.
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
    /// What was decided about the entry; it takes effect only if it is applied.
    #[serde(with = "DispositionWord")]
    pub disposition: Disposition,
    /// The entry that moved the channel's time there; `None` if it is not known.
    pub frontier: Option<Frontier>,
}

/// Serializes [`Disposition`] as a word: the domain does not know how it is written.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Disposition", rename_all = "lowercase")]
enum DispositionWord {
    Applied,
    Duplicate,
    Stale,
    Unknown,
    Collected,
}

/// The entry that set the current time of its channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frontier {
    /// The entry.
    pub seq: u64,
    /// Its effective time.
    pub effective_at: Millis,
    /// No source time of it is used: its time is the time of its recording.
    pub untimed: bool,
    /// The source of its line, and the line there, from 1; `None` if an earlier run recorded it.
    pub line: Option<(Arc<str>, u64)>,
}

/// A line whose id was recorded before with other content. It still counts as a retry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DifferingRetry {
    /// The file or feed.
    pub source: Arc<str>,
    /// The line there, from 1.
    pub line: u64,
    /// The byte at which that line begins.
    pub byte: u64,
    /// The id.
    pub id: String,
    /// The first entry that was recorded with this id.
    pub seq: u64,
}

/// The result of a batch.
pub type BatchOutcome = Result<Receipt, StoreError>;

/// Called with the result of a batch. It is dropped without a call if the writer ends first.
pub(super) type Reply = Box<dyn FnOnce(BatchOutcome) + Send>;

/// Waits for the receipt of a batch.
pub struct Ticket(Receiver<BatchOutcome>);

impl Ticket {
    /// Returns a ticket, and the reply that gives it its receipt.
    pub(super) fn new() -> (Reply, Ticket) {
        let (receipt, outcome) = sync_channel(1);
        // The caller may have dropped the ticket.
        let reply = move |done| drop(receipt.send(done));
        (Box::new(reply), Ticket(outcome))
    }

    /// Waits until the batch is durable.
    ///
    /// # Errors
    /// If the batch could not be written.
    pub fn wait(self) -> BatchOutcome {
        let gone = || StoreError::Poisoned("the writer has ended".into());
        self.0.recv().unwrap_or_else(|_| Err(gone()))
    }
}
