//! The store: one log, one writer, any number of readers.
//!
//! ```text
//! record / submit ──> decider (decide) ──> committer (append, sync) ──> published head ──> receipts
//!                                                                      │
//!                                    visit, as_of, queries  <── scan ──┘
//! ```
//!
//! | file | what |
//! | --- | --- |
//! | `batch` | what callers hand to the writer: lines; what they get back: receipts |
//! | `check` | the rules that an event must meet to be recorded |
//! | `writer`, `decider`, `committer`, `recovery` | two threads; group commit; poisoning; their state at start |
//! | `scan`, `reading` | reads the log, folds it with `apply`, and shows it to visitors |
//! | `checkpoint` | saved states, so that reading need not begin at the first entry |
//! | `clamped` | entries far behind the time of their channel, and the entry that moved that time |
//! | `retries`, `content_hash` | which ids have been recorded, and a hash of what their lines reported |
//! | `rejects`, `reject_quota` | the rejected lines, and how many of them are kept |
//! | `byte_budget` | how many bytes may wait for the writer |
//! | `digests`, `line_counts` | the roster digests of snapshot entries, and the counts of receipts |
//! | `caution` | conditions that the owner should know before more is recorded |
//! | `meter` | the store's measurements of its own work |
//! | `opening` | how a store is opened and closed |
//! | `data_dir`, `migrate` | the folder, its lock and its format |
//! | `read_only` | stores that cannot be written |
//! | `identity` | checks that the folder's manifest and its log belong together |
//!
//! **Invariants:** the store is synchronous. Readers see durable entries only. It knows nothing of feeds and their
//! formats.

mod batch;
mod byte_budget;
mod caution;
mod check;
mod checkpoint;
mod clamped;
mod committer;
mod content_hash;
mod data_dir;
mod decider;
mod digests;
mod error;
mod identity;
mod line_counts;
mod meter;
mod migrate;
mod opening;
mod read_only;
mod reading;
mod recovery;
mod reject_quota;
mod rejects;
mod retries;
mod scan;
mod writer;

pub use crate::log::engine::Durability;
pub use batch::{
    Batch, BatchLine, BatchOutcome, Clamped, DifferingRetry, Frontier, Receipt, RefusedLine,
    RejectedLine, Ticket,
};
pub use caution::Caution;
pub use check::{InvalidEvent, check};
pub use data_dir::OWNER_SOCKET;
pub use error::StoreError;
pub use line_counts::LineCounts;
use meter::CachedGauges;
pub use meter::{Gauges, Meter};
pub use migrate::{FORMAT, MigrationPlan, plan};
pub use rejects::may_be_retried;
pub use scan::{ScanFlow, ScanScope, ScanStart, StateCursor, StateView, Visitor};

pub(crate) use digests::Digests;

use crate::domain::entry::{Entry, Rules};
use crate::domain::event::Event;
use crate::domain::names::{NameId, Names};
use crate::domain::state::State;
use crate::domain::time::Millis;
use crate::log::engine::Engine;
use batch::Reply;
use byte_budget::ByteBudget;
use data_dir::DataDir;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use writer::Writer;

/// The clock that gives the time of recording.
pub type Clock = Arc<dyn Fn() -> Millis + Send + Sync>;

/// The options for opening a store.
#[derive(Clone)]
pub struct Options {
    /// Create the store if there is none. Default: yes.
    pub create: bool,
    /// Which failures a write survives. Default: everything acknowledged survives a power cut.
    pub durability: Durability,
    /// The rules by which [`record`](Store::record) handles events.
    pub rules: Rules,
    /// How long to wait until another process closes the store. Default: no wait.
    pub patience: Duration,
    /// Default: the system's clock.
    pub clock: Clock,
    /// Receives measurements of the writer's work. Default: no measurements.
    pub meter: Arc<dyn Meter>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            create: true,
            durability: Durability::default(),
            rules: Rules::default(),
            patience: Duration::ZERO,
            clock: Arc::new(|| {
                let now = SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .unwrap_or_default();
                Millis::try_from(now.as_millis()).unwrap_or(Millis::MAX)
            }),
            meter: Arc::new(()),
        }
    }
}

/// Receives each entry of the log, in order, to build a projection. The crate's own state is the first projection.
///
/// ```
/// use rollbook::domain::entry::{Entry, Payload};
/// use rollbook::domain::names::Names;
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
    /// The gauges as of the last request.
    stood: Mutex<CachedGauges>,
    /// Held while rejects are retried.
    retrying: Mutex<()>,
}

/// What the store's threads share.
struct StoreShared {
    engine: Box<dyn Engine>,
    options: Options,
    digest_key: [u8; 32],
    /// The folder, if the store has one; kept for its lock.
    data_dir: Option<DataDir>,
    /// The private copy that is read in place of a store that cannot be written; removed after the engine is dropped.
    copy: Mutex<Option<read_only::CopyFolder>>,
    published: Mutex<Published>,
    poisoned: Mutex<Option<String>>,
    /// A checkpoint could not be saved: the next one must not point to its parts.
    checkpoint_lost: AtomicBool,
    /// Limits the bytes of the batches in the writer.
    room: Arc<ByteBudget>,
    /// Lines that wait for the writer.
    waiting: AtomicU64,
    listeners: Mutex<Vec<HeadListener>>,
}

/// Called with each new head.
type HeadListener = Box<dyn Fn(u64) + Send + Sync>;

/// How far the log is durable.
#[derive(Debug, Clone, Copy)]
struct Published {
    /// The engine's position after the last durable value.
    next: u64,
    seq: u64,
}

/// Locks a mutex of plain data. A panic of a holder leaves the data whole, so poisoning is ignored.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl StoreShared {
    fn publish(&self, next: u64, seq: u64) {
        *held(&self.published) = Published { next, seq };
        held(&self.listeners).iter().for_each(|told| told(seq));
    }

    fn published(&self) -> Published {
        *held(&self.published)
    }

    fn poison(&self) -> Option<String> {
        held(&self.poisoned).clone()
    }

    fn poison_with(&self, error: &StoreError) {
        held(&self.poisoned).get_or_insert_with(|| error.to_string());
    }

    /// Notes a lost checkpoint. It is derived data: without it more of the log is read again, and nothing is lost.
    fn checkpoint_failed(&self, error: &StoreError) {
        self.checkpoint_lost.store(true, Ordering::Relaxed);
        self.options.meter.checkpoint_failed(error);
    }
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
    /// use rollbook::domain::event::Event;
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
    /// [`StoreError::Unfit`] if an event is not valid ([`check`]): then none of them is recorded. Another error if
    /// they could not be written: then the store writes nothing more. An event that the state of its channel refuses
    /// is no error: it is kept as a reject and named in the receipt.
    pub fn record(&self, events: &[Event<'_>]) -> Result<Receipt, StoreError> {
        let lines = events
            .iter()
            .map(|event| BatchLine::Event(event.clone().into_owned(), None));
        let batch = Batch {
            lines: lines.collect(),
            rules: self.shared.options.rules,
            strict: false,
        };
        self.submit(batch)?.wait()
    }

    /// Queues lines without waiting for the result. Blocks while too many batches, or too many bytes, wait for the
    /// writer.
    ///
    /// # Errors
    /// [`StoreError::Unfit`] if a line is not valid. Another error if the writer cannot start, or has ended after a
    /// failure.
    pub fn submit(&self, batch: Batch) -> Result<Ticket, StoreError> {
        let (reply, ticket) = Ticket::new();
        self.send_decided(batch, reply).map(|()| ticket)
    }

    /// Queues lines, and calls `done` with the outcome, for a caller that cannot block a thread. `done` runs in the
    /// writer's thread: it must be short, and must not call the store. If the writer ends first, `done` is dropped
    /// without a call. Blocks like [`submit`](Store::submit).
    ///
    /// # Errors
    /// [`StoreError::Unfit`] if a line is not valid. Another error if the writer cannot start, or has ended after a
    /// failure.
    pub fn submit_then(
        &self,
        batch: Batch,
        done: impl FnOnce(BatchOutcome) + Send + 'static,
    ) -> Result<(), StoreError> {
        self.send_decided(batch, Box::new(done))
    }

    fn send_decided(&self, batch: Batch, reply: Reply) -> Result<(), StoreError> {
        if let Some(reason) = self.shared.poison() {
            return Err(StoreError::Poisoned(reason));
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
            none => none.insert(Writer::start(&self.shared)?).queue(),
        };
        let lines = batch.lines.len() as u64;
        let waiting = &self.shared.waiting;
        waiting.fetch_add(lines, Ordering::Relaxed);
        if queue.send((batch, reply)).is_err() {
            // If the writer has ended, the reply is dropped; that reports the end to the caller.
            waiting.fetch_sub(lines, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Calls `told` with each new head, once it is durable and can be read. The writer's thread calls it before
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
    /// # let source = rollbook::ingest::source::Source::open(file.path()).unwrap();
    /// # rollbook::ingest::ingest(&store, source, &Default::default(), &mut ()).unwrap();
    /// assert_eq!(seen.load(Ordering::SeqCst), store.head());
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_published(&self, told: impl Fn(u64) + Send + Sync + 'static) {
        held(&self.shared.listeners).push(Box::new(told));
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
        let mut follower = held(&self.follower);
        let engine = &*self.shared.engine;
        let end = self.shared.published().next;
        let fold = self.follow(&mut follower)?;
        let before = fold.state.describe(&fold.names);
        let fold = checkpoint::rebuild(engine, end)?;
        let after = fold.state.describe(&fold.names);
        *follower = Some(fold);
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
