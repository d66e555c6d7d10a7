//! Frames: records and a header, cut into values. Each value can be checked alone.
//!
//! ```text
//! value = magic, version, frame number, part, parts, lengths, two CRCs, a piece of the body
//! body  = header, payload (codec), the latter perhaps compressed
//! ```
//!
//! A frame counts only if all its parts exist. `header` reads what a query needs to know about a frame, without its
//! payload. [`FrameRecords`] reads its records, a `piece` at a time; `ahead` has a second thread read them. [`Check::Chain`] also
//! computes the chain again.
//!
//! **Invariant:** a value that was altered or cut at any place gives an error here, never other records than were
//! written.

mod ahead;
mod body;
mod chain_check;
mod decode;
mod encode;
mod header;
mod order;
mod piece;
mod rosters;
mod stream;
mod tagged;
mod value;

pub(super) use ahead::{OpeningAhead, RecordsAhead};
pub(super) use body::payload;
pub use chain_check::Check;
pub(super) use decode::BlockPayload;
pub use decode::{Decoded, FrameRecords, decode, header};
pub(super) use encode::tag;
pub use encode::{Encoded, Encoder, FramePosition, Packing};
pub(super) use header::reach_itself;
pub use header::{CHANNELS_MAX, Channels, Compression, FrameHeader, channel_hash};
pub(super) use order::STREAMS_MAX;
pub use piece::DecodedRecord;
pub use rosters::RosterStreams;
pub use stream::ReadScope;
pub use value::{FrameValue, MAGIC, VALUE_HEADER_BYTES, VERSION, value};

use super::codec::CodecError;

/// Why bytes are not a frame, or records cannot become a frame.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The value does not begin with the magic bytes of a value.
    #[error("this is no frame of Rollbook's")]
    NoFrame,
    /// A newer Rollbook wrote the value.
    #[error("the frame has format {0}; this Rollbook knows formats up to {VERSION}")]
    Version(u8),
    /// The value is shorter or longer than its header states.
    #[error("the value should have {expected} bytes, and has {found}")]
    Length {
        /// The stated length.
        expected: u64,
        /// The actual length.
        found: u64,
    },
    /// The value's checksum is wrong.
    #[error("the value's checksum is wrong: it was altered")]
    Checksum,
    /// The values are not all parts of one frame, in order.
    #[error("part {part} of frame {frame} is missing or does not belong there")]
    Part {
        /// The frame.
        frame: u64,
        /// The part, from 0.
        part: u32,
    },
    /// The payload could not be decoded or encoded.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The payload has an unknown version.
    #[error("the frame's payload has layout {0}, which this Rollbook does not know")]
    Layout(u8),
    /// The payload could not be decompressed to the length in the header.
    #[error("the frame's payload cannot be decompressed")]
    Decompress,
    /// The header and the payload disagree.
    #[error("the frame's header and payload disagree about {0}")]
    Disagree(&'static str),
    /// The chain, computed again, leads to another link.
    #[error("the chain is broken: frame {frame} does not lead to the link that it names")]
    Chain {
        /// The frame.
        frame: u64,
    },
    /// Entries are not numbered consecutively.
    #[error("entry {found} stands where {expected} should")]
    Seq {
        /// The expected number.
        expected: u64,
        /// The number that was found.
        found: u64,
    },
    /// A commit has no entries.
    #[error("a commit needs an entry")]
    EmptyCommit,
    /// A frame has no records.
    #[error("a frame needs a record")]
    Empty,
    /// A frame is larger than allowed.
    #[error("a frame of {0} bytes is more than limits::FRAME_BYTES_MAX")]
    TooLarge(usize),
    /// The compressor failed.
    #[error("compressing the frame failed: {0}")]
    Compress(std::io::Error),
}
