//! Answers that only the store's owner gets, through the socket in the store's folder: how they cross it, line by line.
//! Both sides know only this; what is asked stands in `params`.
//!
//! Each line is one [`Piece`] as JSON. An empty line says that the work goes on. The last line is [`Piece::Done`] or
//! [`Piece::Failed`]: an answer without either has broken off.

use super::answer::HistoryEntry;
use crate::domain::time::Millis;
use crate::store::{Clamped, DifferingRetry, LineCounts, RefusedLine, StoreError};
use serde::{Deserialize, Serialize};

/// A line of an answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Piece<T, D> {
    /// One of what was asked for.
    Row(T),
    /// So many entries of the log have been read.
    Read(u64),
    /// All of it was given.
    Done(D),
    /// There is no more, and why.
    Failed(OwnerFailure),
}

/// Why an answer ends before its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum OwnerFailure {
    /// The log has never heard of the channel.
    #[error("there is no channel \"{0}\"")]
    NoSuchChannel(String),
    /// The store is damaged.
    #[error("{0}")]
    Damaged(String),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl From<StoreError> for OwnerFailure {
    fn from(error: StoreError) -> OwnerFailure {
        match error {
            StoreError::NoSuchChannel(channel) => OwnerFailure::NoSuchChannel(channel),
            damage if damage.is_damage() => OwnerFailure::Damaged(damage.to_string()),
            other => OwnerFailure::Other(other.to_string()),
        }
    }
}

/// A row of `export --what entries`.
#[derive(Debug, Serialize, Deserialize)]
pub struct EntryRow {
    /// The entry.
    pub entry: HistoryEntry,
    /// Its metadata is no JSON, and stands in the entry as a string.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unclear: bool,
}

/// A row of `replay`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplayRow {
    /// A line.
    Line {
        /// The first entry that it made.
        seq: u64,
        /// When that took effect, Unix ms.
        at: Millis,
        /// The line, without its newline.
        text: String,
    },
    /// What has no line, though it should.
    Untold {
        /// The first entry that it made.
        seq: u64,
        /// Why not.
        why: String,
    },
}

/// A row of `rejects --retry`: what is to be said of a line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryRow {
    /// It cannot be taken this time either.
    Rejected(RefusedLine),
    /// Its entry lies far behind the time of its channel.
    Clamped(Clamped),
    /// It was taken for a retry, though its id was recorded with other contents.
    Differing(DifferingRetry),
}

/// The end of `rejects --retry`.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Retried {
    /// Lines read again.
    pub lines: u64,
    /// What became of them.
    pub tally: LineCounts,
}
