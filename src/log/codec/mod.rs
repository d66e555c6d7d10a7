//! Encodes and decodes the payload of a frame. Its numbers are valid within that frame only.
//!
//! This folder is the only place that names bincode. Nothing here knows values, parts, checksums or engines
//! ([`frame`](super::frame)), and the domain's types know nothing of it.
//!
//! | file | what |
//! | --- | --- |
//! | `bytes` | varints, the bounded `Reader`, bincode behind two functions |
//! | `derive` | bincode's form of plain types of the domain |
//! | `columns` | where fields are written: in a frame row by row, in a block column by column |
//! | `tables` | writes, reads and merges the tables of names, members and texts |
//! | `canonical` | canonical bytes, for the chain |
//! | `record` | each kind of record: encoded, decoded, canonical |
//! | `header` | the header of a frame, as bincode writes it |
//! | [`checkpoint`] | the state, for the key values |
//! | `archive` | the first and the last item of a backup |
//! | `base` | the state where the log begins, once older entries were pruned |
//!
//! **Invariant:** reading never panics, and never allocates more than a fixed multiple of the bytes given to it.

pub(super) mod archive;
pub(super) mod base;
pub(super) mod bytes;
pub(super) mod canonical;
pub mod checkpoint;
pub(super) mod columns;
mod derive;
pub(super) mod header;
pub(super) mod record;
pub(super) mod tables;

/// The version of the payload's layout in frames, its first byte. Any change in this folder that alters bytes needs a
/// new version, and a reader for every released version must remain.
pub(super) const PAYLOAD_VERSION: u8 = 1;
/// The same in sealed blocks of the first version, whose payload has columns.
pub(super) const COLUMNS_VERSION: u8 = 2;
/// The same in the streams of sealed blocks of the second version, which has an order of all records.
pub(super) const ORDERED_VERSION: u8 = 3;
/// The same in the streams of sealed blocks.
pub(super) const STREAM_VERSION: u8 = 4;

/// Why a payload could not be decoded or encoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The payload ends inside an item.
    #[error("the payload ends too early")]
    Short,
    /// Bytes are left after the payload's end.
    #[error("{0} bytes are left after the payload's end")]
    Trailing(usize),
    /// A number is too large for its type.
    #[error("a number in the payload is too large")]
    Number,
    /// A number exceeds the frame's table.
    #[error("the payload speaks of {what} {index}, which its table does not have")]
    Index {
        /// The kind of table.
        what: &'static str,
        /// The number.
        index: u32,
    },
    /// A string is not UTF-8.
    #[error("a string in the payload is not UTF-8")]
    Utf8,
    /// A tag is unknown.
    #[error("{value} is no {what}")]
    Unknown {
        /// What was expected.
        what: &'static str,
        /// The value that was found.
        value: u64,
    },
    /// A body could not be read or written by bincode.
    #[error("a record's body is malformed: {0}")]
    Body(String),
}
