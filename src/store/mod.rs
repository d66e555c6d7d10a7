//! The store: one log, one writer, any number of readers.
//!
//! ```text
//! record / submit ──> writer (decide, append) ──> sync ──> published head ──> receipts
//!                                                              │
//!                            visit, as_of, queries  <── scan ──┘
//! ```
//!
//! | file | what |
//! | --- | --- |
//! | `batch` | lines in, receipts out |
//! | `writer`, `desk`, `cut` | the threads: decide, append, sync; group commit, frames; poisoning |
//! | `scan` | the log out, folded by `apply`, shown to visitors |
//! | `checkpoint` | shortcuts into the log |
//! | `retries` | which ids have been recorded |
//! | `rejects` | the lines that could not be taken |
//! | `digests`, `tally` | what a snapshot's entry and a receipt say |
//! | `home`, `migrate` | the folder, its lock and its format |
//!
//! **Invariants:** it is synchronous. What is read is durable. It knows nothing of feeds and their shapes.

mod batch;
mod checkpoint;
mod cut;
mod desk;
mod digests;
mod error;
mod home;
mod migrate;
mod rejects;
mod retries;
mod scan;
mod tally;
mod writer;

pub use crate::log::engine::Durability;
pub use batch::{Batch, Clamped, Line, Receipt, Refused, Rejected, Ticket};
pub use error::StoreError;
pub use migrate::{FORMAT, Plan, plan};
pub use scan::{At, Flow, Fold, Scope, Start, Visitor};
pub use tally::Tally;

pub(crate) use digests::Digests;

use crate::domain::entry::{Entry, Rules};
use crate::domain::event::Event;
use crate::domain::names::Names;
use crate::domain::state::State;
use crate::domain::time::Millis;
use crate::log::Progress;
use crate::log::engine::Engine;
use crate::log::engine::memory::MemoryJournal;
use crate::log::engine::sled::SledJournal;
use crate::log::read;
use home::Home;
use scan::Nobody;
use std::path::Path;
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
    shared: Arc<Shared>,
    writer: Mutex<Option<Writer>>,
    /// The fold up to the published head, as far as a query has last asked for it.
    follower: Mutex<Option<Fold>>,
    /// Held for its lock.
    _home: Option<Home>,
}

/// What the store's threads share.
struct Shared {
    engine: Box<dyn Engine>,
    options: Options,
    digest_key: [u8; 32],
    published: Mutex<Published>,
    poisoned: Mutex<Option<String>>,
}

/// How far the log is durable.
#[derive(Debug, Clone, Copy)]
struct Published {
    /// The engine's position behind it.
    next: u64,
    seq: u64,
}

/// A mutex of plain data: whoever panicked while holding it has left it whole.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn publish(&self, next: u64, seq: u64) {
        *held(&self.published) = Published { next, seq };
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
}

impl Store {
    /// Opens the store in a folder, and makes it if there is none.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let dir = tempfile::tempdir()?;
    /// let store = rollbook::Store::open(dir.path(), rollbook::Options::default())?;
    /// assert_eq!(store.head(), 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`StoreError::InUse`] where another process has it, [`StoreError::NewerFormat`], [`StoreError::NoSuchStore`]
    /// where it may not be made, [`StoreError::Corrupt`].
    pub fn open(dir: impl AsRef<Path>, options: Options) -> Result<Store, StoreError> {
        let home = Home::open(dir.as_ref(), options.create, options.patience)?;
        let engine = SledJournal::open(&home.log_dir(), options.durability)?;
        let key = home.card.key(&home.dir)?;
        Store::assemble(Box::new(engine), key, Some(home), options)
    }

    /// A store that lives in memory, and is gone when it is dropped.
    ///
    /// # Errors
    /// None that can be met; the signature is that of every other way to open a store.
    pub fn in_memory(options: Options) -> Result<Store, StoreError> {
        Store::on(Box::new(MemoryJournal::new()), options)
    }

    /// A store on an engine of one's own.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] where what the engine holds is no log.
    pub fn on(engine: Box<dyn Engine>, options: Options) -> Result<Store, StoreError> {
        Store::assemble(engine, [0; 32], None, options)
    }

    fn assemble(
        engine: Box<dyn Engine>,
        digest_key: [u8; 32],
        home: Option<Home>,
        options: Options,
    ) -> Result<Store, StoreError> {
        read::drop_unfinished(&*engine)?;
        let next = engine.head() + 1;
        let last = read::header_ending_before(&*engine, next)?;
        if last.is_none() && next > 1 {
            let detail = format!("the value at position {} is no end of a frame", next - 1);
            return Err(StoreError::Corrupt { seq: 0, detail });
        }
        let seq = last.map_or(0, |header| header.first_seq + header.entries - 1);
        let published = Mutex::new(Published { next, seq });
        let shared = Shared {
            engine,
            options,
            digest_key,
            published,
            poisoned: Mutex::default(),
        };
        Ok(Store {
            shared: Arc::new(shared),
            writer: Mutex::default(),
            follower: Mutex::default(),
            _home: home,
        })
    }

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
    /// let lily = MemberSaid { user: "lily".into(), conn: "".into(), meta: None, stamp: Stamp::NONE, reason: None };
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
    /// Where they could not be written; nothing more is then. An event that is refused is kept as a reject, and named
    /// in the receipt.
    pub fn record(&self, events: &[Event<'_>]) -> Result<Receipt, StoreError> {
        let lines = events
            .iter()
            .map(|event| Line::Event(event.clone().into_owned(), None));
        let batch = Batch {
            lines: lines.collect(),
            rules: self.shared.options.rules,
            strict: false,
        };
        self.submit(batch)?.wait()
    }

    /// Hands over lines without waiting. Blocks while too many are waiting for the writer.
    ///
    /// # Errors
    /// Where the writer cannot be started, or has ended after a failure.
    pub fn submit(&self, batch: Batch) -> Result<Ticket, StoreError> {
        if let Some(reason) = self.shared.poison() {
            return Err(StoreError::Poisoned(reason));
        }
        let mut writer = held(&self.writer);
        let writer = match &mut *writer {
            Some(writer) => writer,
            none => none.insert(Writer::start(&self.shared)?),
        };
        Ok(writer.submit(batch))
    }

    /// Gives every entry of a range of seqs to a projection, in order.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub fn replay(
        &self,
        range: impl std::ops::RangeBounds<u64>,
        projection: &mut impl Projection,
    ) -> Result<(), StoreError> {
        use std::ops::Bound::{Excluded, Included, Unbounded};
        let from = match range.start_bound() {
            Included(&from) => from,
            Excluded(&before) => before.saturating_add(1),
            Unbounded => 1,
        };
        let last = match range.end_bound() {
            Included(&last) => Some(last),
            Excluded(&end) => Some(end.saturating_sub(1)),
            Unbounded => None,
        };
        let scope = Scope {
            start: Start::Seq(from),
            last,
            ..Scope::default()
        };
        self.visit(&scope, &mut Told { projection, from }).map(drop)
    }

    /// Reads part of the durable log past a visitor, and gives the state that it then stands at.
    ///
    /// # Errors
    /// Where the log cannot be read, or the visitor gives up.
    pub fn visit(&self, scope: &Scope<'_>, visitor: &mut dyn Visitor) -> Result<Fold, StoreError> {
        let engine = &*self.shared.engine;
        let end = self.shared.published().next;
        let mut fold = scan::start(engine, end, scope)?;
        scan::read_on(engine, &mut fold, end, scope, visitor)?;
        Ok(fold)
    }

    /// Looks at the state as of the durable head, or as it was recorded at `known_at`, or at the entry `last`.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub fn as_of<T>(
        &self,
        known_at: Option<Millis>,
        last: Option<u64>,
        look: impl FnOnce(&State, &Names) -> T,
    ) -> Result<T, StoreError> {
        let scope = Scope {
            start: Start::Behind(u64::MAX),
            known_at,
            last,
            ..Scope::default()
        };
        if known_at.is_some() || last.is_some() {
            let fold = self.visit(&scope, &mut Nobody)?;
            return Ok(look(&fold.state, &fold.names));
        }
        let mut follower = held(&self.follower);
        let fold = self.follow(&mut follower)?;
        Ok(look(&fold.state, &fold.names))
    }

    /// Catches up with the published head.
    fn follow<'a>(&self, follower: &'a mut Option<Fold>) -> Result<&'a mut Fold, StoreError> {
        let engine = &*self.shared.engine;
        let end = self.shared.published().next;
        let scope = Scope {
            start: Start::Behind(u64::MAX),
            ..Scope::default()
        };
        let mut fold = match follower.take() {
            Some(fold) => fold,
            None => scan::start(engine, end, &scope)?,
        };
        // A fold that failed half way is not kept.
        scan::read_on(engine, &mut fold, end, &scope, &mut Nobody)?;
        Ok(follower.insert(fold))
    }

    /// How far each source has been read, the latest at the back.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub fn sources(&self) -> Result<Vec<Progress>, StoreError> {
        let mut follower = held(&self.follower);
        Ok(self.follow(&mut follower)?.aside.sources.clone())
    }

    /// That the log has heard of a channel.
    pub(crate) fn expect_channel(&self, channel: &str) -> Result<(), StoreError> {
        let known = self.as_of(None, None, |state, names| {
            names
                .find(channel)
                .is_some_and(|name| state.channel(name).is_some())
        })?;
        if known {
            Ok(())
        } else {
            Err(StoreError::NoSuchChannel(channel.to_owned()))
        }
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
        // A writer that finds the shelf empty reads the whole log, and leaves a checkpoint when it ends.
        Writer::start(&self.shared)?.finish();
        Ok(before == after)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Some(writer) = held(&self.writer).take() {
            writer.finish();
        }
    }
}

struct Told<'a, P> {
    projection: &'a mut P,
    from: u64,
}

impl<P: Projection> Visitor for Told<'_, P> {
    fn entry(&mut self, at: At<'_>, entry: &Entry) -> Result<Flow, StoreError> {
        if entry.seq >= self.from {
            self.projection.apply(entry, at.names);
        }
        Ok(Flow::Skip)
    }
}
