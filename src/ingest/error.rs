//! Why a source returns no more lines, and why lines are not ingested: one sentence for each reason.

use super::foreign::Looks;
use super::outcome::IngestOutcome;
use crate::store::StoreError;
use std::io;

/// Why a source returns no (more) lines. All lines before the fault have already been returned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// It cannot be opened.
    #[error("cannot open {name}: {cause}")]
    Open {
        /// The source.
        name: String,
        /// The system's message.
        cause: io::Error,
    },
    /// It cannot be read any further.
    #[error("cannot read {name} beyond byte {offset}: {cause}")]
    Read {
        /// The source.
        name: String,
        /// How many bytes of the text were read.
        offset: u64,
        /// How many of them are whole lines.
        whole: u64,
        /// The system's message.
        cause: io::Error,
    },
    /// Its compressed data is damaged or cut short.
    #[error(
        "{name} is damaged or cut short: its {packing} data gives no more than {offset} bytes of text ({cause})"
    )]
    Corrupt {
        /// The source.
        name: String,
        /// The compression format.
        packing: &'static str,
        /// How many bytes of the text could be read.
        offset: u64,
        /// The decoder's message.
        cause: io::Error,
    },
    /// It unpacks to more than is allowed.
    #[error(
        "{name} unpacks to more than {unpacked} bytes of text, out of {packed}; that is more than is allowed"
    )]
    Overpacked {
        /// The source.
        name: String,
        /// Packed bytes that were read.
        packed: u64,
        /// The maximum of unpacked bytes for these.
        unpacked: u64,
    },
    /// It is not a feed.
    #[error("{name} is no feed of events: it looks like {}; {}", .looks.like, .looks.advice)]
    Foreign {
        /// The source.
        name: String,
        /// What it looks like instead.
        looks: Looks,
    },
    /// It ends within an array.
    #[error(
        "{name} ends at byte {offset} of its text, within an array: it is cut short, or a bracket or a quote is missing"
    )]
    Unclosed {
        /// The source.
        name: String,
        /// Its length.
        offset: u64,
    },
    /// It is shorter than the offset at which to resume.
    #[error("{name} ends at byte {length}, before byte {wanted}, where reading was to go on")]
    Short {
        /// The source.
        name: String,
        /// Where it ends.
        length: u64,
        /// The offset at which to resume.
        wanted: u64,
    },
}

/// Why a source was not ingested to its end. Everything before is durable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IngestError {
    /// The source returns no more lines.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The store accepts no more lines.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Too many of its lines were rejected.
    #[error("more than {most} lines of {name} could not be taken; it was not read on")]
    TooManyRejects {
        /// The source.
        name: String,
        /// The maximum of rejected lines.
        most: u64,
    },
    /// It is to be resumed, but begins differently now.
    #[error(
        "{path} does not begin as it did when it was read up to byte {byte}; it is another file now"
    )]
    Changed {
        /// The file.
        path: String,
        /// How far it had been read.
        byte: u64,
    },
    /// It is to be resumed, but is not a file.
    #[error("{0} is no file: there is nothing by which it would be known again")]
    NoFile(String),
}

/// A source that was not ingested to its end, and the outcome up to there.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
#[non_exhaustive]
pub struct Unfinished {
    /// The outcome of the lines before.
    pub outcome: IngestOutcome,
    /// All of the text before this byte is durable.
    pub byte: u64,
    /// Why it stopped.
    pub error: IngestError,
}
