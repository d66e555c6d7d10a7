//! Why a source gives no more lines, and why they are not taken in, as one sentence each.

use super::foreign::Looks;
use super::run::IngestOutcome;
use crate::store::StoreError;
use std::io;

/// Why a source gives no (more) lines. The lines before the fault have been given by then.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It cannot be opened.
    #[error("cannot open {name}: {cause}")]
    Open {
        /// The source.
        name: String,
        /// What the system says.
        cause: io::Error,
    },
    /// It cannot be read any further.
    #[error("cannot read {name} beyond byte {offset}: {cause}")]
    Read {
        /// The source.
        name: String,
        /// How much of the text was read.
        offset: u64,
        /// How much of that is whole lines.
        whole: u64,
        /// What the system says.
        cause: io::Error,
    },
    /// Its compressed data is damaged or cut short.
    #[error(
        "{name} is damaged or cut short: its {packing} data gives no more than {offset} bytes of text ({cause})"
    )]
    Corrupt {
        /// The source.
        name: String,
        /// How it is compressed.
        packing: &'static str,
        /// How much of the text could be read.
        offset: u64,
        /// What the decoder says.
        cause: io::Error,
    },
    /// More comes out of it than is allowed.
    #[error(
        "{name} unpacks to more than {unpacked} bytes of text, out of {packed}; that is more than is allowed"
    )]
    Overpacked {
        /// The source.
        name: String,
        /// Bytes that were unpacked.
        packed: u64,
        /// Bytes that may come out of these.
        unpacked: u64,
    },
    /// It is no feed.
    #[error("{name} is no feed of events: it looks like {}; {}", .looks.like, .looks.advice)]
    Foreign {
        /// The source.
        name: String,
        /// What it is instead.
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
    /// It is shorter than the offset at which to go on.
    #[error("{name} ends at byte {length}, before byte {wanted}, where reading was to go on")]
    Short {
        /// The source.
        name: String,
        /// Where it ends.
        length: u64,
        /// Where reading was to go on.
        wanted: u64,
    },
}

/// Why a source could not be taken in to its end. What came before is durable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IngestError {
    /// It gives no more lines.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The store takes no more.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Too many of its lines could not be taken.
    #[error("more than {most} lines of {name} could not be taken; it was not read on")]
    TooManyRejects {
        /// The source.
        name: String,
        /// How many may be.
        most: u64,
    },
    /// It is to be gone on with, and does not begin as it did.
    #[error(
        "{path} does not begin as it did when it was read up to byte {byte}; it is another file now"
    )]
    Changed {
        /// The file.
        path: String,
        /// How far it had been read.
        byte: u64,
    },
    /// It is to be gone on with, and is no file.
    #[error("{0} is no file: there is nothing by which it would be known again")]
    NoFile(String),
}

/// A source that was not taken in to its end, and what became of it up to there.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct Unfinished {
    /// What became of the lines before.
    pub outcome: IngestOutcome,
    /// What stands before this byte of the text is durable.
    pub byte: u64,
    /// Why it went no further.
    pub error: IngestError,
}
