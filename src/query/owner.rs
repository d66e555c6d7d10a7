//! Answers for the store's owner only, sent line by line through the socket in the store's folder. Server and client
//! share only this format; the parameters of the queries are in `params`.
//!
//! Each line is one [`Piece`] as JSON. An empty line means that the work continues. The last line is [`Piece::Done`]
//! or [`Piece::Failed`]: an answer without either was cut off.

use super::answer::{HistoryEntry, past_retention};
use crate::domain::time::Millis;
use crate::store::{Clamped, DifferingRetry, LineCounts, RefusedLine, StoreError};
use serde::{Deserialize, Serialize};

/// A line of an answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Piece<T, D> {
    /// One row of the answer.
    Row(T),
    /// The number of entries of the log that have been read so far.
    Read(u64),
    /// The answer is complete.
    Done(D),
    /// The answer ends early, and why.
    Failed(OwnerFailure),
}

/// Why an answer ended early.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum OwnerFailure {
    /// The log does not know the channel.
    #[error("there is no channel \"{0}\"")]
    NoSuchChannel(String),
    /// The question is about what was pruned.
    #[error("{0}")]
    PastRetention(String),
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
            StoreError::PastRetention { seq, retained_from } => {
                OwnerFailure::PastRetention(past_retention(seq, retained_from))
            }
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
    /// Its metadata is not JSON; the entry has it as a string.
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
        /// When that entry took effect, Unix ms.
        at: Millis,
        /// The line, without its newline.
        text: String,
    },
    /// An entry that has no line, though it should have one.
    Untold {
        /// The first entry.
        seq: u64,
        /// Why it has no line.
        why: String,
    },
}

/// A row of `rejects --retry`: a report about one line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryRow {
    /// The line was rejected again.
    Rejected(RefusedLine),
    /// Its entry lies far behind the time of its channel.
    Clamped(Clamped),
    /// The line counts as a retry, though its id was recorded with other content.
    Differing(DifferingRetry),
}

/// The end of `rejects --retry`.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Retried {
    /// The number of lines that were read again.
    pub lines: u64,
    /// What became of them.
    pub tally: LineCounts,
}
