//! The bytes of a checkpoint: one part for the store, and for each channel one part and its tombstones. Each file has
//! both directions.
//!
//! A part contains the names it uses, so that one channel can be restored alone. State that can be derived while
//! reading (unknown members, the order of the tombstones of all channels) is not written.

mod channel;
mod erase;
mod part_table;
mod slot;
mod trunk;
mod watch;

pub use channel::{
    channel_from_bytes, channel_to_bytes, erase_channel, erase_tombstones, finish,
    tombstones_from_bytes, tombstones_to_bytes,
};
pub use erase::erase_index;
pub use trunk::{erase_trunk, trunk_from_bytes, trunk_of_channel, trunk_to_bytes};

use super::CodecError;
use super::bytes::{pack, unpack_borrowed};
use crate::log::Progress;
use crate::log::codec::derive::fields;
use bincode::{BorrowDecode, Decode, Encode};

fields!(Progress {
    source,
    hashed_len,
    byte,
    line,
    path
});

/// The version of all parts. A part with another version counts as missing.
const VERSION: u8 = 6;

fn to_bytes<T: Encode>(part: &T) -> Result<Vec<u8>, CodecError> {
    let mut bytes = vec![VERSION];
    pack(part, &mut bytes)?;
    Ok(bytes)
}

/// Decodes a part. Its texts may be borrowed.
fn from_bytes<'b, T: BorrowDecode<'b, ()>>(bytes: &'b [u8]) -> Result<T, CodecError> {
    match bytes.split_first() {
        Some((&VERSION, part)) => {
            let (value, used) = unpack_borrowed(part)?;
            if used == part.len() {
                Ok(value)
            } else {
                Err(CodecError::Trailing(part.len() - used))
            }
        }
        Some((&version, _)) => Err(CodecError::Unknown {
            what: "version of a checkpoint",
            value: u64::from(version),
        }),
        None => Err(CodecError::Short),
    }
}

/// The index of a checkpoint, and the state that belongs to no channel.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Index {
    /// The engine's position of the next frame.
    pub next: u64,
    /// The number of the last frame.
    pub frame: u64,
    /// The chain link after it.
    pub link: [u8; 32],
    /// The tombstones are stored, too: events can be decided on it.
    pub whole: bool,
    /// The seq of the last entry.
    pub seq: u64,
    /// When it was recorded.
    pub recorded_at: i64,
    /// The places of the channels' parts.
    pub channels: Vec<ChannelPart>,
    /// The number of rejects so far.
    pub rejects: u64,
    /// Bytes of rejected lines that are kept.
    pub reject_bytes: u64,
    /// The chunks of retry ids.
    pub retry_chunks: Vec<u64>,
    /// The rest of the state ([`trunk_to_bytes`]).
    pub trunk: Vec<u8>,
    sources: Vec<Progress>,
}

/// The place of a channel's part.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ChannelPart {
    /// The channel.
    pub channel: String,
    /// The frame at which its part was written.
    pub frame: u64,
    /// The channel's last effective time at that frame.
    pub effective_at: i64,
    /// The channel has tombstones, which are stored beside its part.
    pub tombstones: bool,
}

/// Encodes an index, and how far sources were read.
///
/// # Errors
/// If the codec fails; no index can cause that.
pub fn index_to_bytes(mut index: Index, sources: &[Progress]) -> Result<Vec<u8>, CodecError> {
    index.sources = sources.to_vec();
    to_bytes(&index)
}

/// Decodes what [`index_to_bytes`] wrote.
///
/// # Errors
/// If the bytes are not an index.
pub fn index_from_bytes(bytes: &[u8]) -> Result<Index, CodecError> {
    from_bytes(bytes)
}

impl Index {
    /// An empty index at a place in the log.
    #[must_use]
    pub fn at(next: u64, frame: u64, link: [u8; 32]) -> Self {
        Index {
            next,
            frame,
            link,
            whole: false,
            seq: 0,
            recorded_at: 0,
            channels: Vec::new(),
            rejects: 0,
            reject_bytes: 0,
            retry_chunks: Vec::new(),
            trunk: Vec::new(),
            sources: Vec::new(),
        }
    }

    /// How far sources were read.
    #[must_use]
    pub fn sources(&self) -> Vec<Progress> {
        self.sources.clone()
    }
}

/// Encodes retry ids: key, observer, seq.
///
/// # Errors
/// If the codec fails; no id can cause that.
pub fn retries_to_bytes(ids: &[(u128, u64, u64)]) -> Result<Vec<u8>, CodecError> {
    to_bytes(&ids.to_vec())
}

/// Decodes what [`retries_to_bytes`] wrote.
///
/// # Errors
/// If the bytes are not a chunk of retry ids.
pub fn retries_from_bytes(bytes: &[u8]) -> Result<Vec<(u128, u64, u64)>, CodecError> {
    from_bytes(bytes)
}
