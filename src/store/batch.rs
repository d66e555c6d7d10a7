//! What callers hand to the writer, and what they get back.

use super::check;
use super::error::RecordError;
use super::line_counts::LineCounts;
use crate::domain::entry::{Disposition, Recording, Rules};
use crate::domain::event::{Connection, Event};
use crate::domain::look_ahead::AHEAD;
use crate::domain::names::Names;
use crate::domain::state::State;
use crate::domain::time::Millis;
use crate::limits::DIFFERING_SHOWN_MAX;
use crate::log::Progress;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

/// The text of a batch, and the names that its lines borrow.
#[derive(Debug, Clone, Default)]
pub struct BatchText {
    /// The lines, one after the other.
    pub bytes: Vec<u8>,
    /// The files or feeds from which they come.
    pub sources: Vec<Arc<str>>,
    /// The observer, for lines that name none.
    pub observer: String,
    /// The observer's own user, for lines that name none.
    pub self_user: Option<String>,
}

/// A line of a feed: its place, and its text.
#[derive(Debug, Clone, Copy, Default)]
pub struct FeedLine<'a> {
    /// The file or feed.
    pub source: &'a str,
    /// The line there, from 1.
    pub line: u64,
    /// The byte at which it begins.
    pub byte: u64,
    /// Its text; of a line that is too long, the front.
    pub text: &'a [u8],
    /// The length and hash of a line that is too long; `None`: `text` is the whole line.
    pub too_long: Option<LongLine>,
    /// The sender may write to some channels only. A retry does not know these rights, so it must not accept the
    /// line.
    pub limited: bool,
    /// It is a retry of the reject with this ordinal. The reject is settled if the line can be recorded now; otherwise
    /// it stays as it is, and is not kept a second time.
    pub retry_of: Option<u64>,
}

/// What is known of a line besides its front.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LongLine {
    /// Bytes of the whole line.
    pub length: u64,
    /// BLAKE3 of the whole line.
    pub blake3: [u8; 32],
}

/// An event for the writer.
#[derive(Debug, Clone)]
pub struct BatchEvent<'a> {
    /// The event.
    pub event: Event<'a>,
    /// The line from which a feed read it, in case it must be refused. An event without a line does not come from a
    /// feed, and is [checked](super::check).
    pub line: Option<FeedLine<'a>>,
    /// It was recorded before: it is recorded again as it was then.
    pub recording: Option<Box<Recording>>,
}

impl<'a> From<Event<'a>> for BatchEvent<'a> {
    fn from(event: Event<'a>) -> BatchEvent<'a> {
        BatchEvent {
            event,
            line: None,
            recording: None,
        }
    }
}

/// One line for the writer.
#[derive(Debug, Clone)]
pub enum BatchLine<'a> {
    /// An event.
    Event(BatchEvent<'a>),
    /// A line from which no event could be made, and why.
    Rejected(FeedLine<'a>, String),
    /// A line that the sender had no right to write, and why. It is named and counted, but neither recorded nor kept.
    Forbidden(FeedLine<'a>, String),
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

type BatchLines<'a> = Vec<BatchLine<'a>>;

self_cell::self_cell!(
    struct BatchCell {
        owner: BatchText,
        #[covariant]
        dependent: BatchLines,
    }
    impl {Debug}
);

/// Lines that are queued together. They borrow from the text that the batch owns.
#[derive(Debug)]
pub struct Batch {
    lines: BatchCell,
    /// The rules for recording them.
    rules: Rules,
    strict: bool,
}

impl Default for Batch {
    fn default() -> Batch {
        Batch::new(Vec::new(), Rules::default())
    }
}

/// The approximate cost of a line besides its text, in bytes.
const LINE_WEIGHT: u64 = 256;

impl Batch {
    /// A batch of lines without a text of the batch's own.
    #[doc(hidden)]
    #[must_use]
    pub fn new(lines: Vec<BatchLine<'static>>, rules: Rules) -> Batch {
        Batch::read(BatchText::default(), rules, |_| lines)
    }

    /// A batch of events, in order.
    ///
    /// ```
    /// use rollbook::store::{Batch, Options, Store};
    /// use rollbook::Event;
    /// # fn main() -> Result<(), rollbook::StoreError> {
    /// let store = Store::in_memory(Options::default())?;
    /// let events = [Event::join("room", "chat", "lily")];
    /// let ticket = store.submit(Batch::events(events, Default::default()))?; // queued
    /// assert_eq!(ticket.wait()?.tally.joins, 1); // durable
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn events<'e>(events: impl IntoIterator<Item = Event<'e>>, rules: Rules) -> Batch {
        let line = |event: Event<'_>| BatchLine::Event(event.into_owned().into());
        Batch::new(events.into_iter().map(line).collect(), rules)
    }

    /// A batch of the lines that `read` finds in a text, in order.
    #[doc(hidden)]
    pub fn read(
        text: BatchText,
        rules: Rules,
        read: impl for<'a> FnOnce(&'a BatchText) -> Vec<BatchLine<'a>>,
    ) -> Batch {
        Batch {
            lines: BatchCell::new(text, read),
            rules,
            strict: false,
        }
    }

    /// The same batch, but it stops at the first rejected line: that line is kept as a reject, and nothing after it is
    /// recorded.
    #[must_use]
    pub fn strict(self, strict: bool) -> Batch {
        Batch { strict, ..self }
    }

    /// Its lines.
    #[doc(hidden)]
    #[must_use]
    pub fn lines(&self) -> &[BatchLine<'_>] {
        self.lines.borrow_dependent()
    }

    /// Reads ahead, from time to time, what decisions about the lines from this one on will read from memory.
    pub(super) fn look_ahead(&self, line: usize, state: &State, names: &Names) {
        if line.is_multiple_of(AHEAD) {
            let ahead = self.lines().iter().skip(line).take(AHEAD);
            let events = ahead.filter_map(|line| match line {
                BatchLine::Event(event) => Some(&event.event),
                _ => None,
            });
            state.look_ahead(names, events);
        }
    }

    pub(super) fn rules(&self) -> &Rules {
        &self.rules
    }

    pub(super) fn is_strict(&self) -> bool {
        self.strict
    }

    /// The approximate size in bytes.
    pub(super) fn weight(&self) -> u64 {
        let text = self.lines.borrow_owner().bytes.len() as u64;
        text + LINE_WEIGHT * self.lines().len() as u64
    }

    /// Checks everything that does not come from a feed: it must be valid for recording.
    pub(super) fn check(&self) -> Result<(), RecordError> {
        for (line, at) in self.lines().iter().zip(1..) {
            let checked = match line {
                BatchLine::Event(BatchEvent {
                    event, line: None, ..
                }) => check::check(event),
                BatchLine::Connection { observer, at, .. } => {
                    check::name("observer", observer).and_then(|()| check::time("ts", *at))
                }
                _ => Ok(()),
            };
            checked.map_err(|unfit| RecordError::Unfit { at, unfit })?;
        }
        Ok(())
    }
}

/// The outcome of a batch. All of it is durable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
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
    pub(super) fn reject(&mut self, line: &FeedLine<'_>, reason: &str) {
        self.tally.rejected += 1;
        self.rejected.push(line.refused(reason));
    }

    /// Adds a line that the sender had no right to write.
    pub(super) fn forbid(&mut self, line: &FeedLine<'_>, reason: &str) {
        self.tally.forbidden += 1;
        self.forbidden.push(line.refused(reason));
    }

    /// Notes that an event differs from what was recorded with its id as the entry `seq`. `line` is the event's line.
    pub(super) fn differs(&mut self, event: &Event<'_>, line: Option<&FeedLine<'_>>, seq: u64) {
        self.tally.retries_differing += 1;
        if self.differing.len() < DIFFERING_SHOWN_MAX {
            let line = line.copied().unwrap_or_default();
            self.differing.push(DifferingRetry {
                source: Arc::from(line.source),
                line: line.line,
                byte: line.byte,
                id: event.id.as_deref().unwrap_or_default().to_owned(),
                seq,
            });
        }
    }
}

impl FeedLine<'_> {
    fn refused(&self, reason: &str) -> RefusedLine {
        RefusedLine {
            source: Arc::from(self.source),
            line: self.line,
            byte: self.byte,
            reason: reason.to_owned(),
        }
    }
}

/// A line that was not recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
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

/// An entry whose effective time is more than a minute after it occurred.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
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
#[non_exhaustive]
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
pub type BatchOutcome = Result<Receipt, RecordError>;

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
        let gone = || RecordError::Poisoned("the writer has ended".into());
        self.0.recv().unwrap_or_else(|_| Err(gone()))
    }
}
