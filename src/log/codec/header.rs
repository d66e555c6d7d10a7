//! The headers of frames and blocks as bodies. `frame/header.rs` and `block/object.rs` say what their fields mean.

use super::bytes::Seq;
use crate::domain::time::Millis;
use bincode::{Decode, Encode};

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

/// The header of a block: which frames and values it stands for, and what its frames have in common.
#[derive(Debug, Encode, Decode)]
pub(in crate::log) struct BlockBody {
    pub(in crate::log) frame: u64,
    pub(in crate::log) frames: u64,
    pub(in crate::log) position: u64,
    pub(in crate::log) positions: u32,
    pub(in crate::log) payload_len: u64,
    pub(in crate::log) header: HeaderBody,
}
