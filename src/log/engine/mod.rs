//! Where values are kept. Other engines can implement the [`Journal`] trait; a test suite checks its laws for every
//! engine (`tests/log/journal.rs`).
//!
//! | engine | for |
//! | --- | --- |
//! | [`memory`] | tests, the simulator |
//! | [`sled`], `sled_handle` | stores on disk; the only modules that name the crate |
//! | [`fault`] | tests: wraps another engine to make it fail, crash or flip bits |
//! | [`objects`] | where sealed blocks are kept: in memory, or as files |
//! | `shared` | any engine behind an `Arc` |
//!
//! Around sled: `files`, `segments` and `mark` (its folder, the size of its segments, and how far it was synced), `panics`
//! and `watchdog` (it may panic, or never return).
//!
//! **Invariant:** nothing here knows what a value means. After a crash the log and the [`KeyValues`] may disagree in
//! any way, and nothing may depend on their agreement.

pub mod fault;
pub(crate) mod files;
pub(crate) mod mark;
pub mod memory;
pub mod objects;
mod panics;
mod segments;
mod shared;
pub mod sled;
mod sled_handle;
mod watchdog;

use std::fmt::{self, Debug, Formatter};
use std::ops::Deref;
use std::path::PathBuf;

/// A log of values at dense positions 1, 2, 3, …, with one appender and any number of readers.
///
/// Laws: Positions have no holes. A value that was appended is read back unchanged, until it is cut or trimmed.
/// Values that were appended before a successful [`sync`](Journal::sync) survive any crash. Values appended since may
/// be lost, but only as a suffix. After `sync` has failed, nothing is known about the values appended since the last
/// success.
pub trait Journal: Send + Sync {
    /// Appends values after `expected_head`, all or none, and returns the new head. They can be read at once, and are
    /// durable after the next [`sync`](Journal::sync).
    ///
    /// # Errors
    /// [`JournalError::Fenced`] if the head differs: another writer appends. [`JournalError::TooLarge`].
    fn append(&self, expected_head: u64, values: &[Vec<u8>]) -> Result<u64, JournalError>;

    /// Makes everything that was appended before the call durable.
    ///
    /// # Errors
    /// The engine failed. The writer must then stop: a second sync may succeed although it wrote nothing.
    fn sync(&self) -> Result<(), JournalError>;

    /// The last position. If the log is empty, it is one less than [`first`](Journal::first).
    fn head(&self) -> u64;

    /// The first position that is kept; if there is none, the next one to be appended.
    fn first(&self) -> u64;

    /// The value at a position; `None` if it is not kept.
    ///
    /// # Errors
    /// The engine failed.
    fn get(&self, position: u64) -> Result<Option<Vec<u8>>, JournalError>;

    /// The values from a position to the present head, in order; from [`first`](Journal::first) if that is later.
    /// Values that are trimmed meanwhile may be missing.
    fn read(&self, from: u64) -> Values<'_>;

    /// Removes the values before a position. The head stays, even if no value is left.
    ///
    /// # Errors
    /// The engine failed.
    fn trim(&self, before: u64) -> Result<(), JournalError>;

    /// Removes the values after a position, which becomes the head: for the parts of an unfinished frame.
    ///
    /// # Errors
    /// The engine failed, or the position is not kept.
    fn cut(&self, head: u64) -> Result<(), JournalError>;

    /// Makes everything durable, whatever [`sync`](Journal::sync) guarantees: nothing more will be appended.
    ///
    /// # Errors
    /// Those of [`sync`](Journal::sync).
    fn close(&self) -> Result<(), JournalError> {
        self.sync()
    }
}

/// The values that [`Journal::read`] returns, each with its position.
pub type Values<'a> =
    Box<dyn Iterator<Item = Result<(u64, StoredValue), JournalError>> + Send + 'a>;

/// A value as the engine has it in memory. It is not copied: many readers look at its beginning and pass on.
pub struct StoredValue(Box<dyn AsRef<[u8]> + Send + Sync>);

impl StoredValue {
    /// A value that `bytes` holds.
    pub fn new(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        StoredValue(Box::new(bytes))
    }
}

impl AsRef<[u8]> for StoredValue {
    fn as_ref(&self) -> &[u8] {
        (*self.0).as_ref()
    }
}

impl Deref for StoredValue {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.as_ref()
    }
}

impl Debug for StoredValue {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "StoredValue({} bytes)", self.len())
    }
}

/// Values beside the log that can be rebuilt from it: checkpoints and retry ids. They have no laws after a crash: a
/// value may be older or newer than the log, or missing.
pub trait KeyValues: Send + Sync {
    /// Stores a value, and replaces the key's earlier value.
    ///
    /// # Errors
    /// The engine failed, or the value is too large.
    fn put(&self, key: &[u8], value: &[u8]) -> Result<(), JournalError>;

    /// The value of a key.
    ///
    /// # Errors
    /// The engine failed.
    fn lookup(&self, key: &[u8]) -> Result<Option<Vec<u8>>, JournalError>;

    /// The keys that begin with `prefix`, in order.
    ///
    /// # Errors
    /// The engine failed.
    fn keys(&self, prefix: &[u8]) -> Result<Vec<Vec<u8>>, JournalError>;

    /// Removes a key, if it exists.
    ///
    /// # Errors
    /// The engine failed.
    fn remove(&self, key: &[u8]) -> Result<(), JournalError>;
}

/// The storage of a store: a log, and key values beside it.
pub trait Engine: Journal + KeyValues {}

impl<T: Journal + KeyValues + ?Sized> Engine for T {}

/// Why an engine refused or failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// Another writer appended.
    #[error("another writer appended: the log ends at {actual}, not at {expected}")]
    Fenced {
        /// Where the caller expected the log to end.
        expected: u64,
        /// Where it ends.
        actual: u64,
    },
    /// A value is larger than the engine takes: `limits::VALUE_BYTES_WRITTEN`, or in the files of earlier versions
    /// `limits::VALUE_BYTES_MAX`.
    #[error("a value of {found} bytes is larger than {most}")]
    TooLarge {
        /// The bytes of the value.
        found: usize,
        /// The bytes of the largest that it takes.
        most: usize,
    },
    /// The position is not kept.
    #[error("position {position} is not in the log, which has {first} to {head}")]
    NotKept {
        /// The position.
        position: u64,
        /// The first position that is kept.
        first: u64,
        /// The last position.
        head: u64,
    },
    /// A position is missing between the values.
    #[error("the log is damaged: position {expected} is missing, the next one is {found}")]
    Hole {
        /// The missing position.
        expected: u64,
        /// The position that was found instead.
        found: u64,
    },
    /// The engine's files are not as expected.
    #[error("{path}: {what}")]
    Damaged {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The log ends before a position that was synced.
    #[error("the log is damaged: it ends at position {head}, and had been synced up to {synced}")]
    Short {
        /// Where it ends.
        head: u64,
        /// The last synced position.
        synced: u64,
    },
    /// A sealed block is missing.
    #[error("block {0} is missing")]
    NoObject(String),
    /// A sealed block is damaged.
    #[error("block {number} is damaged: {what}")]
    Block {
        /// The position of its first value, by which it is named.
        number: u64,
        /// What is wrong with it.
        what: String,
    },
    /// What is known of the pruned entries is damaged or missing.
    #[error("the base of the log, which stands for the entries that were pruned, is damaged: {0}")]
    Base(String),
    /// The engine cannot interpret its files.
    #[error("the log's files are damaged: {0}")]
    Unreadable(String),
    /// The engine failed.
    #[error("the storage engine failed: {0}")]
    Engine(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A file could not be opened or synced.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The system's clock is before 1970, and the engine cannot work then.
    #[error(
        "this machine's clock stands before 1970; set it, and try again: nothing is wrong with the store"
    )]
    Clock,
    /// A test requested this failure.
    #[error("a fault that was asked for")]
    Injected,
}

impl JournalError {
    /// The system's error, if the system refused an operation.
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

    /// Whether the files are damaged, rather than unreachable.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(
            self,
            JournalError::Hole { .. }
                | JournalError::Damaged { .. }
                | JournalError::Short { .. }
                | JournalError::NoObject(_)
                | JournalError::Block { .. }
                | JournalError::Base(_)
                | JournalError::Unreadable(_)
        )
    }
}

/// How durable a sync is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// Synced values survive a power cut.
    #[default]
    Power,
    /// Synced values survive the end of the process; a power cut may lose the last of them.
    Process,
    /// Syncing does nothing: for bulk loads that can be repeated.
    None,
}

impl Durability {
    /// Its name in options.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Durability::Power => "power",
            Durability::Process => "process",
            Durability::None => "none",
        }
    }
}

/// Refuses values that would break an engine's layout, which has room for `most` bytes.
fn fit(values: &[impl AsRef<[u8]>], most: usize) -> Result<(), JournalError> {
    let mut lengths = values.iter().map(|value| value.as_ref().len());
    match lengths.find(|&length| length > most) {
        None => Ok(()),
        Some(found) => Err(JournalError::TooLarge { found, most }),
    }
}

/// Refuses an append if the head is not the one that the caller expects.
fn fence(expected: u64, actual: u64) -> Result<(), JournalError> {
    if expected == actual {
        Ok(())
    } else {
        Err(JournalError::Fenced { expected, actual })
    }
}
