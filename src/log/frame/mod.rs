//! Frames: records and a header, cut into values that can each be checked alone.
//!
//! ```text
//! value = magic, version, frame number, part, parts, lengths, two CRCs, a piece of the body
//! body  = header, payload (codec), the latter perhaps compressed
//! ```
//!
//! A frame counts only when all its parts are there. [`header`] reads what a query needs to know of a frame without
//! its payload; [`decode`] reads its records; [`Check::Chain`] also takes the chain again.
//!
//! **Invariant:** a value that was altered or cut anywhere is an error here, never other records than were written.

mod decode;
mod encode;
mod header;
mod value;

pub use decode::{Check, Decoded, decode, decode_each, header};
pub use encode::{Encoded, Encoder, FramePosition, Packing};
pub use header::{CHANNELS_MAX, Channels, Compression, FrameHeader, channel_hash};
pub use value::{FrameValue, MAGIC, VALUE_HEADER_BYTES, VERSION, value};

use super::codec::CodecError;

/// Why bytes are no frame, or records cannot become one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The value does not begin as one.
    #[error("this is no frame of Rollbook's")]
    NoFrame,
    /// It was written by a newer Rollbook.
    #[error("the frame has format {0}; this Rollbook knows formats up to {VERSION}")]
    Version(u8),
    /// It is shorter or longer than it says.
    #[error("the value should have {expected} bytes, and has {found}")]
    Length {
        /// By its own account.
        expected: u64,
        /// In fact.
        found: u64,
    },
    /// Its checksum is wrong.
    #[error("the value's checksum is wrong: it was altered")]
    Checksum,
    /// The values are not the parts of one frame, in order and complete.
    #[error("part {part} of frame {frame} is missing or does not belong there")]
    Part {
        /// The frame.
        frame: u64,
        /// The part, from 0.
        part: u32,
    },
    /// The payload could not be read, or not be written.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The payload has another version.
    #[error("the frame's payload has layout {0}, which this Rollbook does not know")]
    Layout(u8),
    /// The payload could not be decompressed to what the header says.
    #[error("the frame's payload cannot be decompressed")]
    Decompress,
    /// The header says something else than the payload.
    #[error("the frame's header and payload disagree about {0}")]
    Disagree(&'static str),
    /// The chain taken again leads to another link.
    #[error("the chain is broken: frame {frame} does not lead to the link that it names")]
    Chain {
        /// The frame.
        frame: u64,
    },
    /// Entries do not follow one another.
    #[error("entry {found} stands where {expected} should")]
    Seq {
        /// The next number.
        expected: u64,
        /// What was given.
        found: u64,
    },
    /// A commit without entries.
    #[error("a commit needs an entry")]
    EmptyCommit,
    /// A frame of nothing.
    #[error("a frame needs a record")]
    Empty,
    /// More than a frame holds.
    #[error("a frame of {0} bytes is more than limits::FRAME_BYTES_MAX")]
    TooLarge(usize),
    /// The compressor failed.
    #[error("compressing the frame failed: {0}")]
    Compress(std::io::Error),
}
