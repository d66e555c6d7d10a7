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
//! | `batch` | lines in, receipts out |
//! | `check` | what an event must be like to be recorded |
//! | `writer`, `decider`, `committer`, `recovery` | two threads: one decides, one appends and syncs; group commit; poisoning; what they start from |
//! | `scan`, `reading` | the log out, folded by `apply`, shown to visitors |
//! | `checkpoint` | shortcuts into the log |
//! | `clamped` | entries far behind the time of their channel, and what moved it |
//! | `retries`, `gist` | which ids have been recorded, and what their lines said |
//! | `rejects`, `quota` | the lines that could not be taken; how many of them are kept |
//! | `room` | how much may wait for the writer |
//! | `digests`, `tally` | what a snapshot's entry and a receipt say |
//! | `caution` | what should be known before more is recorded |
//! | `meter` | what the store tells of its own work |
//! | `opening` | how a store is opened and closed |
//! | `data_dir`, `migrate` | the folder, its lock and its format |
//! | `read_only` | stores that cannot be written |
//! | `identity` | whether the folder's manifest and its log belong together |
//!
//! **Invariants:** it is synchronous. What is read is durable. It knows nothing of feeds and their shapes.

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

/// Where the moment of recording comes from.
pub type Clock = Arc<dyn Fn() -> Millis + Send + Sync>;

/// How a store is opened.
#[derive(Clone)]
pub struct Options {
    /// Make the store if there is none. Default: yes.
    pub create: bool,
    /// What survives what. Default: everything acknowledged survives a power cut.
    pub durability: Durability,
    /// How [`record`](Store::record) takes events.
    pub rules: Rules,
    /// How long to wait for another process to let go of the store. Default: not at all.
    pub patience: Duration,
    /// Default: the system's clock.
    pub clock: Clock,
    /// Who measures the writer's work. Default: nobody.
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

/// Whoever wants to be told each entry of the log: a projection of one's own. The roster is the first of them.
///
/// ```
/// use rollbook::domain::{entry::{Entry, What}, names::Names};
/// struct Count(u64);
/// impl rollbook::Projection for Count {
///     fn apply(&mut self, entry: &Entry, _names: &Names) {
///         self.0 += u64::from(matches!(entry.what, What::Change(_)));
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
    /// Takes in the next entry; `names` is the dictionary in whose numbers it speaks.
    fn apply(&mut self, entry: &Entry, names: &Names);
}

impl Projection for State {
    fn apply(&mut self, entry: &Entry, names: &Names) {
        State::apply(self, entry, names);
    }
}

/// A presence log, open. Dropping it finishes what is in hand.
pub struct Store {
    shared: Arc<StoreShared>,
    writer: Mutex<Option<Writer>>,
    /// The fold up to the published head, as far as a query has last asked for it.
    follower: Mutex<Option<StateCursor>>,
    /// How it stood when somebody last asked.
    stood: Mutex<CachedGauges>,
    /// Held by who takes rejects in again.
    retrying: Mutex<()>,
}

/// What the store's threads share.
struct StoreShared {
    engine: Box<dyn Engine>,
    options: Options,
    digest_key: [u8; 32],
    /// The folder, where there is one; held for its lock.
    data_dir: Option<DataDir>,
    /// The copy that is read in the place of a store that cannot be written; gone after the engine.
    copy: Mutex<Option<read_only::CopyFolder>>,
    published: Mutex<Published>,
    poisoned: Mutex<Option<String>>,
    /// A checkpoint could not be saved: the next one must not point to its parts.
    checkpoint_lost: AtomicBool,
    /// For what is on its way through the writer.
    room: Arc<ByteBudget>,
    /// Lines that wait for the writer.
    waiting: AtomicU64,
    listeners: Mutex<Vec<HeadListener>>,
}

/// Who is told of a new head.
type HeadListener = Box<dyn Fn(u64) + Send + Sync>;

/// How far the log is durable.
#[derive(Debug, Clone, Copy)]
struct Published {
    /// The engine's position behind it.
    next: u64,
    seq: u64,
}

/// A mutex of plain data: a panic while it was held has left it whole.
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

    /// A checkpoint is derived: without it more of the log is read again, and nothing is lost.
    fn checkpoint_failed(&self, error: &StoreError) {
        self.checkpoint_lost.store(true, Ordering::Relaxed);
        self.options.meter.checkpoint_failed(error);
    }
}

impl Store {
    /// The last durable entry; 0 where there is none.
    #[must_use]
    pub fn head(&self) -> u64 {
        self.shared.published().seq
    }

    /// Records events, as the store's rules say, and waits until they are durable.
    ///
    /// ```
    /// use rollbook::domain::{event::*, order::Stamp};
    /// # fn main() -> Result<(), rollbook::StoreError> {
    /// let store = rollbook::Store::in_memory(rollbook::Options::default())?;
    /// let lily = MemberSaid { user: "lily".into(), conn: "".into(), meta: None, stamp: Stamp::NONE, reason: None, late_ms: 0 };
    /// let topic = TopicShown { topic: "gesture".into(), total: None, members: vec![lily] };
    /// let shown = Shown { topics: vec![topic], ..Shown::default() };
    /// let receipt = store.record(&[Event {
    ///     observer: "default".into(), self_user: None, id: None, stamp: Stamp::NONE,
    ///     said: Said::Snapshot { channel: "room".into(), shown },
    /// }])?;
    /// assert_eq!(receipt.tally.baseline_joins, 1);
    /// assert_eq!(store.who("room", &Default::default())?.topics[0].publishers[0].user, "lily");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`StoreError::Unfit`] where one of them is not such as a feed gives ([`check`]): none of them is recorded then.
    /// Where they could not be written; nothing more is then. An event that is refused by what is known of its channel
    /// is kept as a reject, and named in the receipt.
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

    /// Hands over lines without waiting. Blocks while too many, or too many bytes of them, are waiting for the writer.
    ///
    /// # Errors
    /// [`StoreError::Unfit`]; where the writer cannot be started, or has ended after a failure.
    pub fn submit(&self, batch: Batch) -> Result<Ticket, StoreError> {
        let (reply, ticket) = Ticket::new();
        self.send_decided(batch, reply).map(|()| ticket)
    }

    /// Hands over lines, and has `done` told what became of them, for those who cannot wait in a thread. It is called
    /// in the writer's own: it must be short, and must not call the store. Where the writer ends before, it is
    /// dropped. Blocks like [`submit`](Store::submit).
    ///
    /// # Errors
    /// [`StoreError::Unfit`]; where the writer cannot be started, or has ended after a failure.
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
        // What may have to be waited for is not waited for with the writer in hand.
        let queue = match &mut *held(&self.writer) {
            Some(writer) => writer.queue(),
            none => none.insert(Writer::start(&self.shared)?).queue(),
        };
        let lines = batch.lines.len() as u64;
        let waiting = &self.shared.waiting;
        waiting.fetch_add(lines, Ordering::Relaxed);
        if queue.send((batch, reply)).is_err() {
            // Where the writer has ended the reply is dropped, which says so.
            waiting.fetch_sub(lines, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Has `told` called with each new head, once it is durable and can be read. It is called by the writer's thread,
    /// before receipts are given: it must be quick, and must not call the store.
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

    /// Why nothing more is written, if an earlier write failed. Reading goes on.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.shared.poison()
    }

    /// The key of the rosters' digests.
    pub(crate) fn digest_key(&self) -> [u8; 32] {
        self.shared.digest_key
    }

    /// Throws away everything that can be derived from the log, and derives it again. The state before and after
    /// are the same; `Ok(false)` says that they were not.
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
    /// Where the log cannot be read, or the store is being written.
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
        // A writer that finds the key values empty reads the whole log, and leaves a checkpoint when it ends.
        Writer::start(&self.shared)?.finish();
        Ok(before == after)
    }
}

/// A channel, if the log had heard of it by then.
pub(crate) fn heard_of(channel: &str, state: &State, names: &Names) -> Result<NameId, StoreError> {
    names
        .find(channel)
        .filter(|&name| state.channel(name).is_some())
        .ok_or_else(|| StoreError::NoSuchChannel(channel.to_owned()))
}
