//! Typed errors of a store. Messages for users are made from them at the edge.

use super::check::InvalidEvent;
use crate::domain::time::Millis;
use crate::log::codec::CodecError;
use crate::log::engine::JournalError;
use crate::log::frame::FrameError;
use crate::log::read::ReadError;
use std::io::ErrorKind;
use std::path::PathBuf;

/// Why events could not be recorded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// An event is not valid for recording. Nothing that was queued with it is recorded.
    #[error("event {at} cannot be recorded: {unfit}")]
    Unfit {
        /// The number of the event among the queued lines, from 1.
        at: usize,
        /// What is wrong with it.
        unfit: InvalidEvent,
    },
    /// An earlier write failed, or the store was opened to be read only: nothing more is written until the store is
    /// opened again. What was queued may not be recorded.
    #[error("nothing more is written since an earlier write failed: {0}")]
    Poisoned(String),
    /// The writer could not start: the log could not be read. Nothing is recorded.
    #[error(transparent)]
    Start(StoreError),
}

impl From<RecordError> for StoreError {
    fn from(error: RecordError) -> StoreError {
        match error {
            RecordError::Unfit { at, unfit } => StoreError::Unfit { at, unfit },
            RecordError::Poisoned(reason) => StoreError::Poisoned(reason),
            RecordError::Start(error) => error,
        }
    }
}

/// Why a call on a [`Store`](super::Store) failed. Calls that can fail in fewer ways have an error of their own, which
/// converts into this one: [`RecordError`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no store in this folder.
    #[error("there is no store in {}", .0.display())]
    NoSuchStore(PathBuf),
    /// The log does not know this channel.
    #[error("the log has never heard of the channel \"{0}\"")]
    NoSuchChannel(String),
    /// The question is about a moment or an entry of which the log was pruned.
    #[error(
        "past retention: what was before @{retained_from}, up to entry {seq}, was pruned; ask about a later moment"
    )]
    PastRetention {
        /// The last entry that was pruned.
        seq: u64,
        /// The earliest moment that can be asked about, Unix ms; for a question about what was known, the earliest
        /// recording time.
        retained_from: Millis,
    },
    /// The path of the store's folder is a file.
    #[error("{} is a file, and a store is a folder", .0.display())]
    NotAFolder(PathBuf),
    /// An event is not valid for recording. Nothing that was queued with it is recorded.
    #[error("event {at} cannot be recorded: {unfit}")]
    Unfit {
        /// The number of the event among the queued lines, from 1.
        at: usize,
        /// What is wrong with it.
        unfit: InvalidEvent,
    },
    /// Another process has the store open.
    #[error("{} is in use by {holder}", dir.display())]
    InUse {
        /// The store's folder.
        dir: PathBuf,
        /// What is known about the other process.
        holder: String,
    },
    /// A newer Rollbook wrote this store.
    #[error("{} has format {found}; this program knows formats up to {known}", dir.display())]
    NewerFormat {
        /// The store's folder.
        dir: PathBuf,
        /// The store's format.
        found: u32,
        /// The newest format that this program knows.
        known: u32,
    },
    /// The folder holds something that is not a store, or a broken store.
    #[error("{}: {detail}", path.display())]
    Layout {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// The log is damaged.
    #[error("the log is damaged behind entry {seq}: {detail}")]
    Corrupt {
        /// The last entry before the damage.
        seq: u64,
        /// What is wrong.
        detail: String,
    },
    /// The engine failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A record could not be encoded in the log's form.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// A frame could not be written.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The log could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The store was opened for reading only.
    #[error("the store was opened to be read only")]
    ReadOnly,
    /// A store that cannot be written could not be copied for reading either.
    #[error("{} cannot be written, and is too large or too busy to be read from a copy: {detail}", dir.display())]
    NotCopied {
        /// The store's folder.
        dir: PathBuf,
        /// Why.
        detail: String,
    },
    /// The system gave no random bytes for salts and keys.
    #[error("the system gave no randomness: {0}")]
    Randomness(String),
    /// An earlier write failed: nothing more is written until the store is opened again.
    #[error("nothing more is written since an earlier write failed: {0}")]
    Poisoned(String),
    /// A file or folder could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A series of `stats` would have too many intervals.
    #[error(
        "the series would have more than {} stretches; ask for longer ones, or for a shorter time",
        crate::limits::STATS_BUCKETS_MAX
    )]
    TooManyBuckets,
    /// The call cannot be made now, or a caller's callback stopped it.
    #[error("{0}")]
    Stopped(String),
}

impl StoreError {
    pub(crate) fn io(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        StoreError::Io {
            path: path.into(),
            source,
        }
    }

    /// Whether the folder cannot be written: a full disk, a read-only mount, or a folder of another user.
    #[must_use]
    pub fn forbids_writing(&self) -> bool {
        let kind = match self {
            StoreError::Io { source, .. } => Some(source.kind()),
            StoreError::Journal(journal) => journal.refusal(),
            _ => None,
        };
        kind.is_some_and(|kind| {
            matches!(
                kind,
                ErrorKind::PermissionDenied
                    | ErrorKind::ReadOnlyFilesystem
                    | ErrorKind::StorageFull
                    | ErrorKind::QuotaExceeded
            )
        })
    }

    /// Whether the store is damaged, rather than unreachable or without what was asked for.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            StoreError::Corrupt { .. }
            | StoreError::Layout { .. }
            | StoreError::Read(ReadError::Frame { .. }) => true,
            StoreError::Journal(journal) | StoreError::Read(ReadError::Journal(journal)) => {
                journal.is_damage()
            }
            _ => false,
        }
    }
}
