//! The store: one log, one writer, any number of readers.
//!
//! ```text
//! record / submit ──> decider (decide) ──> committer (append, sync) ──> published head ──> receipts
//!                                                                      │
//!                                    scan, as_of, queries   <── read ──┘
//! ```
//!
//! | file or folder | what |
//! | --- | --- |
//! | `batch` | what callers hand to the writer: lines; what they get back: receipts |
//! | `check` | the rules that an event must meet to be recorded |
//! | `writer` | three threads: decide, commit, seal; group commit; poisoning; recovery |
//! | `read` | the frames of the log, their records one by one, and the state that they give |
//! | `checkpoint` | saved states, so that reading need not begin at the first entry; how many of them are kept |
//! | `folder` | the data directory: lock, manifest, format; what takes its place as a whole |
//! | `seal` | sealing on request, and compaction |
//! | `backup` | all of the log as one stream, while it goes on |
//! | `prune`, `retained` | retention: the oldest entries go; what is kept of them |
//! | `shared`, `locks` | what the store's threads share, and how they lock it |
//! | `reading` | what a store answers besides queries |
//! | `rejects`, `reject_reason` | the rejected lines, and why they were rejected |
//! | `hex` | bytes as digits |
//! | `byte_budget` | how many bytes may wait for the writer |
//! | `line_counts` | the counts of receipts |
//! | `caution` | conditions that the owner should know before more is recorded |
//! | `upkeep` | whether it is looked after: what is not sealed, the last backup |
//! | `meter`, `error` | the store's measurements of its own work; why a call fails |
//! | `options`, `opening`, `read_only` | how a store is opened and closed, also one that cannot be written |
//!
//! **Invariants:** the store is synchronous. Readers see durable entries only. It knows nothing of feeds and their
//! formats.

mod backup;
mod batch;
mod byte_budget;
mod caution;
mod check;
mod checkpoint;
mod error;
mod folder;
mod hex;
mod line_counts;
mod locks;
mod meter;
mod opening;
mod options;
mod prune;
mod read;
mod read_only;
mod reading;
mod reject_reason;
mod rejects;
mod retained;
mod seal;
mod shared;
mod upkeep;
mod writer;

pub use crate::log::engine::Durability;
pub use backup::{Backup, BackupError, BackupPlace};
pub use batch::{
    Batch, BatchOutcome, Clamped, DifferingRetry, Frontier, Receipt, RefusedLine, Ticket,
};
#[doc(hidden)]
pub use batch::{BatchEvent, BatchLine, BatchText, FeedLine, LongLine};
pub use caution::Caution;
pub use check::{InvalidEvent, check};
pub use error::{RecordError, StoreError};
#[doc(hidden)]
pub use folder::data_dir::OWNER_SOCKET;
#[doc(hidden)]
pub use folder::forget::{ForgetError, Forgetting};
#[doc(hidden)]
pub use folder::look::{FolderState, look};
#[doc(hidden)]
pub use folder::migrate::{FORMAT, MigrationPlan, plan};
#[doc(hidden)]
pub use folder::restore::{RestoreError, Restoring};
#[doc(hidden)]
pub use folder::salvage::{DamagedFolder, KnownEnd};
pub use line_counts::LineCounts;
use meter::CachedGauges;
pub use meter::{Gauges, Meter};
pub use options::{Clock, Options};
pub use read::RosterReader;
#[doc(hidden)]
pub use read::{
    ScanScope, ScanStart, ScopedCommit, ScopedFrame, ScopedFrames, ScopedRecord, StateCursor,
    StateView,
};
#[doc(hidden)]
pub use reject_reason::may_be_retried;
#[doc(hidden)]
pub use rejects::KeptRejects;
#[doc(hidden)]
pub use seal::{Compacted, SealedBlocks};
pub use upkeep::Unsealed;
#[cfg(feature = "cli")]
pub(crate) use upkeep::note_backup;
pub use writer::pruner::{Pruned, Retained};
#[doc(hidden)]
pub use writer::rewriter::Rewriter;
#[doc(hidden)]
pub use writer::sealer::BlockSize;

pub(crate) use read::recent::RecentFrame;
pub(crate) use read::{EntryReader, EntryStep, channel_of};
pub(crate) use writer::digests::Digests;

use crate::domain::entry::Entry;
use crate::domain::event::Event;
use crate::domain::names::{NameId, Names};
use crate::domain::state::State;
use batch::Reply;
use locks::held;
use shared::StoreShared;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use writer::Writer;

/// Receives each entry of the log, in order, to build a projection. The crate's own state is the first projection.
///
/// ```
/// use rollbook::domain::{Entry, Payload};
/// use rollbook::domain::Names;
/// struct Count(u64);
/// impl rollbook::Projection for Count {
///     fn apply(&mut self, entry: &Entry, _names: &Names) {
///         self.0 += u64::from(matches!(entry.payload, Payload::Change(_)));
///     }
/// }
/// # fn main() -> Result<(), rollbook::StoreError> {
/// let store = rollbook::Store::in_memory(rollbook::Options::default())?;
/// let mut count = Count(0);
/// store.replay(.., &mut count)?;
/// assert_eq!(count.0, 0);
/// # Ok(())
/// # }
/// ```
pub trait Projection {
    /// Takes the next entry. `names` is the dictionary that resolves the entry's numbers.
    fn apply(&mut self, entry: &Entry, names: &Names);
}

impl Projection for State {
    fn apply(&mut self, entry: &Entry, names: &Names) {
        State::apply(self, entry, names);
    }
}

/// An open presence log. Dropping it finishes the pending work.
pub struct Store {
    shared: Arc<StoreShared>,
    writer: Mutex<Option<Writer>>,
    /// The state up to the published head, as of the last query that needed it.
    follower: Mutex<Option<StateCursor>>,
    /// A question about one channel was answered without the follower.
    asked: AtomicBool,
    /// The gauges as of the last request.
    stood: Mutex<CachedGauges>,
    /// Held while rejects are retried.
    retrying: Mutex<()>,
}

impl Store {
    /// The seq of the last durable entry; 0 if there is none.
    #[must_use]
    pub fn head(&self) -> u64 {
        self.shared.published().seq
    }

    /// Records events by the store's rules, and waits until they are durable.
    ///
    /// ```
    /// use rollbook::Event;
    /// # fn main() -> Result<(), rollbook::StoreError> {
    /// let store = rollbook::Store::in_memory(rollbook::Options::default())?;
    /// let receipt = store.record(&[Event::snapshot("room", [("gesture", "lily")])])?;
    /// assert_eq!(receipt.tally.baseline_joins, 1);
    /// assert_eq!(store.who("room", &Default::default())?.topics[0].publishers[0].user, "lily");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`RecordError::Unfit`] if an event is not valid ([`check`]): then none of them is recorded. Another error if
    /// they could not be written: then the store writes nothing more. An event that the state of its channel refuses
    /// is no error: it is kept as a reject and named in the receipt.
    pub fn record(&self, events: &[Event<'_>]) -> Result<Receipt, RecordError> {
        let events = events.iter().cloned();
        self.submit(Batch::events(events, self.shared.options.rules))?
            .wait()
    }

    /// Queues lines without waiting for the result. Blocks while too many batches, or too many bytes, wait for the
    /// writer.
    ///
    /// # Errors
    /// [`RecordError::Unfit`] if a line is not valid. Another error if the writer cannot start, or has ended after a
    /// failure.
    pub fn submit(&self, batch: Batch) -> Result<Ticket, RecordError> {
        let (reply, ticket) = Ticket::new();
        self.queue(batch, reply).map(|()| ticket)
    }

    /// Queues lines, and calls `done` with the outcome, for a caller that cannot block a thread. `done` runs in the
    /// writer's thread: it must be short, and must not call the store. If the writer ends first, `done` is dropped
    /// without a call. Blocks like [`submit`](Store::submit).
    ///
    /// # Errors
    /// [`RecordError::Unfit`] if a line is not valid. Another error if the writer cannot start, or has ended after a
    /// failure.
    pub fn submit_then(
        &self,
        batch: Batch,
        done: impl FnOnce(BatchOutcome) + Send + 'static,
    ) -> Result<(), RecordError> {
        self.queue(batch, Box::new(done))
    }

    fn queue(&self, batch: Batch, reply: Reply) -> Result<(), RecordError> {
        if let Some(reason) = self.shared.poison() {
            return Err(RecordError::Poisoned(reason));
        }
        batch.check()?;
        let place = self.shared.room.take(batch.weight());
        let reply: Reply = Box::new(move |outcome| {
            drop(place);
            reply(outcome);
        });
        // Sending can block, so it is done after the lock on the writer is released.
        let queue = match &mut *held(&self.writer) {
            Some(writer) => writer.queue(),
            none => {
                let writer = Writer::start(&self.shared).map_err(RecordError::Start)?;
                none.insert(writer).queue()
            }
        };
        let lines = batch.lines().len() as u64;
        let waiting = &self.shared.waiting;
        waiting.fetch_add(lines, Ordering::Relaxed);
        if queue.send((batch, reply)).is_err() {
            // If the writer has ended, the reply is dropped; that reports the end to the caller.
            waiting.fetch_sub(lines, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Calls `listener` with each new head, once it is durable and can be read. The writer's thread calls it before
    /// receipts are sent: it must be quick, and must not call the store.
    ///
    /// ```
    /// use std::sync::{Arc, atomic::{AtomicU64, Ordering}};
    /// # fn main() -> Result<(), rollbook::StoreError> {
    /// let store = rollbook::Store::in_memory(rollbook::Options::default())?;
    /// let seen = Arc::new(AtomicU64::new(0));
    /// let head = Arc::clone(&seen);
    /// store.on_published(move |seq| head.store(seq, Ordering::SeqCst));
    /// # let file = tempfile::NamedTempFile::new().unwrap();
    /// # std::fs::write(file.path(), r#"{"t":"join","channel":"room","topic":"chat","user":"tony","ts":1000}"#).unwrap();
    /// # let source = rollbook::ingest::Source::open(file.path()).unwrap();
    /// # rollbook::ingest::ingest(&store, source, &Default::default(), &mut ()).unwrap();
    /// assert_eq!(seen.load(Ordering::SeqCst), store.head());
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_published(&self, listener: impl Fn(u64) + Send + Sync + 'static) {
        held(&self.shared.listeners).push(Box::new(listener));
    }

    /// Why the store writes nothing more, if an earlier write failed. Reading still works.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.shared.poison()
    }

    /// The key of the rosters' digests.
    pub(crate) fn digest_key(&self) -> [u8; 32] {
        self.shared.digest_key
    }

    /// Deletes everything that is derived from the log, and derives it again. Returns `Ok(false)` if the state before
    /// and after differ.
    ///
    /// ```
    /// # fn main() -> Result<(), rollbook::StoreError> {
    /// let store = rollbook::Store::in_memory(rollbook::Options::default())?;
    /// assert!(store.rebuild()?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the log cannot be read, or the writer has been started.
    pub fn rebuild(&self) -> Result<bool, StoreError> {
        let writer = held(&self.writer);
        if writer.is_some() {
            return Err(StoreError::Stopped(
                "the store is being written; open it anew to rebuild".into(),
            ));
        }
        let before = self.described()?;
        checkpoint::clear(self.shared.log.engine())?;
        *held(&self.follower) = None;
        let after = self.described()?;
        // A writer that finds no key values reads the whole log, and saves a checkpoint when it ends.
        Writer::start(&self.shared)?.finish();
        Ok(before == after)
    }
}

/// The number of a channel's name; an error if this state of the log does not know the channel.
pub(crate) fn heard_of(channel: &str, state: &State, names: &Names) -> Result<NameId, StoreError> {
    names
        .find(channel)
        .filter(|&name| state.channel(name).is_some())
        .ok_or_else(|| StoreError::NoSuchChannel(channel.to_owned()))
}
