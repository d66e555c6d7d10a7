//! Bytes and back: the payload of a frame, in numbers that hold within that frame alone.
//!
//! This folder is the only place that names bincode. Nothing here knows values, parts, checksums or engines
//! ([`frame`](super::frame)), and the domain's types know nothing of it: `wire` mirrors them.
//!
//! | file | what |
//! | --- | --- |
//! | `bytes` | varints, the bounded `Reader`, bincode behind two functions |
//! | `wire` | the domain's records with numbers of the frame's tables in place of names and texts |
//! | `table` | the tables of names, members and texts, written and read |
//! | `lower` | domain → wire, filling the tables |
//! | `raise` | wire → domain, out of the tables |
//! | [`checkpoint`] | the state, for the key values |
//! | `row` | one entry, delta-coded against the one before it |
//!
//! **Invariant:** reading never panics, and never allocates more than a fixed multiple of the bytes given to it.

pub(super) mod bytes;
pub mod checkpoint;
pub(super) mod from_wire;
pub(super) mod row;
pub(super) mod table;
pub(super) mod to_wire;
pub(super) mod wire;

/// The version of the payload's layout, its first byte. A change of anything in this folder that alters bytes needs
/// a new one, and a reader for each that was ever released.
pub(super) const PAYLOAD_VERSION: u8 = 1;

/// Why a payload could not be read, or not be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// It ends in the middle of something.
    #[error("the payload ends too early")]
    Short,
    /// Something is left after its end.
    #[error("{0} bytes are left after the payload's end")]
    Trailing(usize),
    /// A number is longer than its type.
    #[error("a number in the payload is too large")]
    Number,
    /// A number points beyond the frame's table.
    #[error("the payload speaks of {what} {index}, which its table does not have")]
    Index {
        /// Of which table.
        what: &'static str,
        /// The number.
        index: u32,
    },
    /// A string is not UTF-8.
    #[error("a string in the payload is not UTF-8")]
    Utf8,
    /// A tag has no meaning.
    #[error("{value} is no {what}")]
    Unknown {
        /// What should have stood there.
        what: &'static str,
        /// What stood there.
        value: u64,
    },
    /// The part that bincode reads or writes did not fit.
    #[error("a record's body is malformed: {0}")]
    Body(String),
}
