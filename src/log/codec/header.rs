//! The headers of frames and blocks as bodies. `frame/header.rs` and `block/object.rs` say what their fields mean.

use super::bytes::Seq;
use crate::domain::time::Millis;
use bincode::{BorrowDecode, Decode, Encode};

/// Times are the smallest `recorded_at`, and wrapping differences from it.
#[derive(Debug, Encode, Decode)]
pub(in crate::log) struct HeaderBody {
    pub(in crate::log) zstd: bool,
    pub(in crate::log) plain_len: u64,
    pub(in crate::log) entries: u64,
    pub(in crate::log) commits: u64,
    pub(in crate::log) pages: u64,
    pub(in crate::log) rejects: u64,
    pub(in crate::log) progress: u64,
    pub(in crate::log) first_seq: u64,
    pub(in crate::log) recorded_min: Millis,
    pub(in crate::log) recorded_span: Millis,
    pub(in crate::log) effective_min: Millis,
    pub(in crate::log) effective_span: Millis,
    pub(in crate::log) reaches_back: Millis,
    pub(in crate::log) unscoped: bool,
    pub(in crate::log) channels: Option<Seq<[u8; 8]>>,
    pub(in crate::log) link_before: [u8; 32],
    pub(in crate::log) link_after: [u8; 32],
    pub(in crate::log) connected: bool,
}

/// The header of a block: which frames and values it stands for, what its frames have in common, and its sections.
#[derive(Debug, Encode, Decode)]
pub(in crate::log) struct BlockBody {
    pub(in crate::log) frame: u64,
    pub(in crate::log) frames: u64,
    pub(in crate::log) position: u64,
    pub(in crate::log) positions: u32,
    pub(in crate::log) header: HeaderBody,
    pub(in crate::log) order: Option<SectionBody>,
    pub(in crate::log) streams: Vec<StreamBody>,
}

/// What a block says of its channels, behind its header.
#[derive(Debug, Encode, Decode)]
pub(in crate::log) struct BlockChannelsBody {
    /// Hashes of the channels whose states it has, sorted.
    pub(in crate::log) stated: Seq<[u8; 8]>,
    /// Hashes of the channels whose entries reach back farthest, sorted, each with the earliest moment.
    pub(in crate::log) far: Seq<([u8; 8], Millis)>,
    /// The filter of its channels, if there are too many to name; empty otherwise.
    pub(in crate::log) filter: Vec<u8>,
}

/// The lengths of a section: as it is stored, and before compression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub(in crate::log) struct SectionBody {
    pub(in crate::log) stored_len: u64,
    pub(in crate::log) plain_len: u64,
}

/// A stream of a block. `from` is the hash of its first channel; `None`: it is of no single channel. `reaches_back_to` is the
/// earliest moment in any entry, but for those of channels in [`BlockChannelsBody::far`].
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(in crate::log) struct StreamBody {
    pub(in crate::log) from: Option<[u8; 8]>,
    pub(in crate::log) reaches_back_to: Millis,
    pub(in crate::log) section: SectionBody,
    pub(in crate::log) states: Option<SectionBody>,
}

/// The states of some of a stream's channels at the begin of the block: for each channel, by hash, its part of a checkpoint;
/// `None` if it was not known. The first stream also has the trunk.
#[derive(Debug, Default, Encode, BorrowDecode)]
pub(in crate::log) struct StatesBody<'b> {
    pub(in crate::log) trunk: &'b [u8],
    pub(in crate::log) channels: Vec<([u8; 8], Option<&'b [u8]>)>,
}

/// The header of a block of the first version, which has a single payload.
#[derive(Debug, Encode, Decode)]
pub(in crate::log) struct SinglePayloadBody {
    pub(in crate::log) frame: u64,
    pub(in crate::log) frames: u64,
    pub(in crate::log) position: u64,
    pub(in crate::log) positions: u32,
    pub(in crate::log) payload_len: u64,
    pub(in crate::log) header: HeaderBody,
}
