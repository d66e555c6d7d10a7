//! Where values are kept. The [`Journal`] trait is the seam for other engines; its laws are a test suite that every
//! engine runs (`tests/log/journal.rs`).
//!
//! | engine | for |
//! | --- | --- |
//! | [`memory`] | tests, the simulator |
//! | [`sled`] | stores on disk; alone in naming the crate |
//! | [`fault`] | around another one: failing, crashing, flipping bits, in tests |
//!
//! **Invariant:** nothing here knows what a value means. What the log holds and what is kept on the [`KeyValues`] may
//! disagree in any way after a crash, and nothing may depend on their agreeing.

pub mod fault;
pub(crate) mod files;
mod mark;
pub mod memory;
mod panics;
pub mod sled;
mod watchdog;

use crate::limits::VALUE_BYTES_MAX;
use std::path::PathBuf;

/// A log of values at dense positions 1, 2, 3, …, with one appender and any number of readers.
///
/// Laws: positions have no holes; what was appended is read back as it was, until it is cut or trimmed; what was
/// appended before a [`sync`](Journal::sync) that succeeded is there after any crash; what was appended since may be
/// lost, but only as a suffix; after `sync` failed nothing is known of what was appended since the last good one.
pub trait Journal: Send + Sync {
    /// Appends values after `expected_head`, all of them or none, and gives the new head. They can be read at once,
    /// and are durable after the next [`sync`](Journal::sync).
    ///
    /// # Errors
    /// [`JournalError::Fenced`] if the head is another: somebody else appends. [`JournalError::TooLarge`].
    fn append(&self, expected_head: u64, values: &[Vec<u8>]) -> Result<u64, JournalError>;

    /// Makes everything that was appended before the call durable.
    ///
    /// # Errors
    /// The engine failed. The writer must not go on then: a second sync may succeed without having written anything.
    fn sync(&self) -> Result<(), JournalError>;

    /// The last position; before [`first`](Journal::first) by one where the log is empty.
    fn head(&self) -> u64;

    /// The first position that is kept; the next one to be appended where there is none.
    fn first(&self) -> u64;

    /// The value at a position; `None` where none is kept.
    ///
    /// # Errors
    /// The engine failed.
    fn get(&self, position: u64) -> Result<Option<Vec<u8>>, JournalError>;

    /// The values from a position to the present head, in order; from [`first`](Journal::first) if it lies before.
    /// What is trimmed meanwhile may be left out.
    fn read(&self, from: u64) -> Values<'_>;

    /// Forgets the values before a position. The head stays, also when none is left.
    ///
    /// # Errors
    /// The engine failed.
    fn trim(&self, before: u64) -> Result<(), JournalError>;

    /// Forgets the values after a position, so that it is the head: for the parts of an unfinished frame.
    ///
    /// # Errors
    /// The engine failed, or the position is not kept.
    fn cut(&self, head: u64) -> Result<(), JournalError>;

    /// Makes all of it durable, however durable a [`sync`](Journal::sync) is: nothing more will be appended.
    ///
    /// # Errors
    /// Those of [`sync`](Journal::sync).
    fn close(&self) -> Result<(), JournalError> {
        self.sync()
    }
}

/// The values that [`Journal::read`] gives, each with its position.
pub type Values<'a> = Box<dyn Iterator<Item = Result<(u64, Vec<u8>), JournalError>> + Send + 'a>;

/// A place beside the log for what can be rebuilt from it: checkpoints, retry ids. It has no laws after a crash:
/// what stands there may be older or newer than the log, or gone.
pub trait KeyValues: Send + Sync {
    /// Puts something there, in the place of what the key held.
    ///
    /// # Errors
    /// The engine failed, or the value is too large.
    fn put(&self, key: &[u8], value: &[u8]) -> Result<(), JournalError>;

    /// What a key holds.
    ///
    /// # Errors
    /// The engine failed.
    fn lookup(&self, key: &[u8]) -> Result<Option<Vec<u8>>, JournalError>;

    /// The last of the keys that begin with `prefix` and are less than `before`, with what it holds.
    ///
    /// # Errors
    /// The engine failed.
    fn last_before(&self, prefix: &[u8], before: &[u8]) -> Result<Option<KeyValue>, JournalError>;

    /// The keys that begin with `prefix`, in order.
    ///
    /// # Errors
    /// The engine failed.
    fn keys(&self, prefix: &[u8]) -> Result<Vec<Vec<u8>>, JournalError>;

    /// Takes a key away, if it is there.
    ///
    /// # Errors
    /// The engine failed.
    fn remove(&self, key: &[u8]) -> Result<(), JournalError>;
}

/// A key of the key values, and what it holds.
pub type KeyValue = (Vec<u8>, Vec<u8>);

/// What a store runs on: a log, and key values beside it.
pub trait Engine: Journal + KeyValues {}

impl<T: Journal + KeyValues + ?Sized> Engine for T {}

/// Why an engine refused or failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// Somebody else appended.
    #[error("another writer appended: the log ends at {actual}, not at {expected}")]
    Fenced {
        /// Where the caller took it to end.
        expected: u64,
        /// Where it ends.
        actual: u64,
    },
    /// A value is larger than `limits::VALUE_BYTES_MAX`.
    #[error("a value of {0} bytes is larger than {VALUE_BYTES_MAX}")]
    TooLarge(usize),
    /// A position that is not kept.
    #[error("position {position} is not in the log, which has {first} to {head}")]
    NotKept {
        /// The position.
        position: u64,
        /// The first one that is kept.
        first: u64,
        /// The last one.
        head: u64,
    },
    /// There are holes between the values.
    #[error("the log is damaged: position {expected} is missing, the next one is {found}")]
    Hole {
        /// The position that should have come.
        expected: u64,
        /// The one that came.
        found: u64,
    },
    /// The engine's files are not as they should be.
    #[error("{path}: {what}")]
    Damaged {
        /// Where.
        path: PathBuf,
        /// How.
        what: String,
    },
    /// The log ends before what had been synced.
    #[error("the log is damaged: it ends at position {head}, and had been synced up to {synced}")]
    Short {
        /// Where it ends.
        head: u64,
        /// Where it ended.
        synced: u64,
    },
    /// The engine cannot make sense of its files.
    #[error("the log's files are damaged: {0}")]
    Unreadable(String),
    /// The engine failed.
    #[error("the storage engine failed: {0}")]
    Engine(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A file could not be opened or synced.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The system's clock stands before 1970, where the engine cannot work.
    #[error(
        "this machine's clock stands before 1970; set it, and try again: nothing is wrong with the store"
    )]
    Clock,
    /// A test asked for it.
    #[error("a fault that was asked for")]
    Injected,
}

impl JournalError {
    /// What the system said, where it refused something.
    #[must_use]
    pub fn refusal(&self) -> Option<std::io::ErrorKind> {
        match self {
            JournalError::Io { source, .. } => Some(source.kind()),
            JournalError::Engine(source) => {
                let error = source.downcast_ref::<std::io::Error>();
                error.map(std::io::Error::kind)
            }
            _ => None,
        }
    }

    /// Whether the files are damaged, rather than out of reach.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(
            self,
            JournalError::Hole { .. }
                | JournalError::Damaged { .. }
                | JournalError::Short { .. }
                | JournalError::Unreadable(_)
        )
    }
}

/// How durable a sync is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// What is synced survives a power cut.
    #[default]
    Power,
    /// It survives the end of the process; a power cut may take the last of it.
    Process,
    /// Syncing does nothing: for bulk loads that can be repeated.
    None,
}

impl Durability {
    /// Its name, as options have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Durability::Power => "power",
            Durability::Process => "process",
            Durability::None => "none",
        }
    }
}

/// Refuses values that would break an engine's layout.
fn fits(values: &[Vec<u8>]) -> Result<(), JournalError> {
    match values.iter().find(|value| value.len() > VALUE_BYTES_MAX) {
        None => Ok(()),
        Some(value) => Err(JournalError::TooLarge(value.len())),
    }
}

/// Refuses an append to another head than the caller believes in.
fn fence(expected: u64, actual: u64) -> Result<(), JournalError> {
    if expected == actual {
        Ok(())
    } else {
        Err(JournalError::Fenced { expected, actual })
    }
}
