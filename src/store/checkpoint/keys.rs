//! The keys of the values beside the log, and how a value of any size is stored under one. What the values mean is in
//! the other files.

use crate::limits;
use crate::log::compression::{compress, decompress};
use crate::log::engine::Engine;
use crate::store::error::StoreError;
use std::borrow::Cow;

/// A key. Numbers in it are big-endian, so keys are in the order of their numbers. An engine's value is small: each key
/// is followed by the number of the piece, from 0 (u32). Rebuilding removes all of them.
///
/// What is written and removed together stands together, so the frame comes before the channel: an engine writes whole
/// pages, and a page with values of several checkpoints would be written again for each, and never become free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum MetadataKey {
    /// `"trunk"`, the frame (u64): what belongs to no channel, and where each channel's last part is. It makes a
    /// checkpoint valid, so it is written after the other values. It never changes, and is removed when the checkpoint
    /// is dropped (`retention`).
    Trunk {
        /// The frame after which the state is as stored.
        frame: u64,
    },
    /// `"whole"`, the frame (u64): the checkpoint there has all tombstones. It has no value, is written after the trunk, and
    /// is removed with the tombstones.
    Whole {
        /// The frame of the checkpoint.
        frame: u64,
    },
    /// `"part"`, the frame (u64), BLAKE3 of the channel's name (32 bytes): a channel's part of a checkpoint. It never
    /// changes. Later checkpoints point to it as long as nothing happens in the channel; it is removed with the last of
    /// them.
    Channel {
        /// The frame of the first checkpoint that has the part.
        frame: u64,
        /// The hash of the channel's name.
        channel: [u8; 32],
    },
    /// `"gone"`, the frame (u64), BLAKE3 of the channel's name (32 bytes): the tombstones of the channel, beside its part
    /// of the same frame. It never changes, and is removed with the part, or sooner: the writer needs only those of the
    /// newest whole checkpoints (`retention`).
    Tombstones {
        /// The frame of the part.
        frame: u64,
        /// The hash of the channel's name.
        channel: [u8; 32],
    },
    /// `"retry"`, the chunk (u64): ids of lines, and the entries that they made. It never changes, and is removed when
    /// there are too many chunks; the ids that are still remembered are then in a newer one.
    Retry {
        /// The chunk, from 1.
        chunk: u64,
    },
    /// `"said"`, the chunk (u64): content hashes of the lines with the ids of a chunk, in their order. It is written
    /// before the chunk and removed after it.
    Said {
        /// The chunk.
        chunk: u64,
    },
}

const TRUNK: &[u8] = b"trunk";
const WHOLE: &[u8] = b"whole";
const PART: &[u8] = b"part";
const TOMBSTONES: &[u8] = b"gone";
/// What older programs wrote in place of the last two; there the hash came before the frame.
const BY_CHANNEL: [(&[u8], &[u8]); 2] = [(b"chan", PART), (b"tomb", TOMBSTONES)];

impl MetadataKey {
    /// The key of a channel's part.
    pub fn channel(name: &str, frame: u64) -> Self {
        MetadataKey::Channel {
            channel: blake3::hash(name.as_bytes()).into(),
            frame,
        }
    }

    /// The key of a channel's tombstones.
    pub fn tombstones(name: &str, frame: u64) -> Self {
        MetadataKey::Tombstones {
            channel: blake3::hash(name.as_bytes()).into(),
            frame,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        match self {
            MetadataKey::Trunk { frame } => [TRUNK, &frame.to_be_bytes()].concat(),
            MetadataKey::Whole { frame } => [WHOLE, &frame.to_be_bytes()].concat(),
            MetadataKey::Channel { channel, frame } => {
                [PART, &frame.to_be_bytes(), channel].concat()
            }
            MetadataKey::Tombstones { channel, frame } => {
                [TOMBSTONES, &frame.to_be_bytes(), channel].concat()
            }
            MetadataKey::Retry { chunk } => [b"retry".as_slice(), &chunk.to_be_bytes()].concat(),
            MetadataKey::Said { chunk } => [b"said".as_slice(), &chunk.to_be_bytes()].concat(),
        }
    }

    fn piece(&self, number: u32) -> Vec<u8> {
        [self.bytes(), number.to_be_bytes().to_vec()].concat()
    }
}

/// Smaller values are not compressed.
const COMPRESSED_MIN: usize = 4_096;
/// The bit in the number of pieces that tells a compressed value from a plain one.
const COMPRESSED: u32 = 1 << 31;
/// Higher levels cost the writer more than they save it.
const ZSTD_LEVEL: i32 = 1;

/// Stores a value, compressed if it is large, and cut into pieces that the engine accepts.
pub(super) fn put(engine: &dyn Engine, key: MetadataKey, value: &[u8]) -> Result<(), StoreError> {
    let packed = if value.len() < COMPRESSED_MIN {
        None
    } else {
        // Compressing into memory cannot fail; if it did, the value would be stored as it is.
        compress(value, ZSTD_LEVEL).ok()
    };
    let (stored, mark) = match packed {
        Some(packed) => {
            let length = (value.len() as u64).to_be_bytes();
            (Cow::Owned([&length[..], &packed].concat()), COMPRESSED)
        }
        None => (Cow::Borrowed(value), 0),
    };
    let sum = blake3::hash(&stored);
    let mut pieces = stored.chunks(limits::VALUE_BYTES_WRITTEN - 64);
    let count = u32::try_from(pieces.len().max(1)).unwrap_or(COMPRESSED - 1);
    let first = [
        sum.as_bytes(),
        &(count | mark).to_be_bytes()[..],
        pieces.next().unwrap_or(&[]),
    ]
    .concat();
    for (at, piece) in (1_u32..).zip(pieces) {
        engine.put(&key.piece(at), piece)?;
    }
    engine.put(&key.piece(0), &first)?;
    Ok(())
}

/// The value that [`put`] stored, if it is complete.
pub(super) fn get(engine: &dyn Engine, key: MetadataKey) -> Result<Option<Vec<u8>>, StoreError> {
    let Some(first) = engine.lookup(&key.piece(0))? else {
        return Ok(None);
    };
    let Some((sum, rest)) = first.split_first_chunk::<32>() else {
        return Ok(None);
    };
    let Some((count, piece)) = rest.split_first_chunk::<4>() else {
        return Ok(None);
    };
    let count = u32::from_be_bytes(*count);
    let mut stored = piece.to_vec();
    for at in 1..count & !COMPRESSED {
        match engine.lookup(&key.piece(at))? {
            Some(piece) => stored.extend_from_slice(&piece),
            None => return Ok(None),
        }
    }
    if blake3::hash(&stored).as_bytes() != sum {
        return Ok(None);
    }
    if count & COMPRESSED == 0 {
        return Ok(Some(stored));
    }
    let Some((length, packed)) = stored.split_first_chunk::<8>() else {
        return Ok(None);
    };
    let length = usize::try_from(u64::from_be_bytes(*length)).unwrap_or(usize::MAX);
    Ok(decompress(packed, length))
}

/// Removes a value.
pub(super) fn remove(engine: &dyn Engine, key: MetadataKey) -> Result<(), StoreError> {
    remove_all(engine, &key.bytes())
}

/// Removes all values.
pub(in crate::store) fn clear(engine: &dyn Engine) -> Result<(), StoreError> {
    remove_all(engine, b"")
}

/// Gives the values of an older program their keys of today. Whatever ends it, the next opening goes on; until then the
/// checkpoints whose parts are missing are not used.
pub(in crate::store) fn rekey(engine: &dyn Engine) -> Result<(), StoreError> {
    for (before, now) in BY_CHANNEL {
        for key in engine.keys(before)? {
            let rest = key.strip_prefix(before).unwrap_or_default();
            if let Some((channel, rest)) = rest.split_first_chunk::<32>()
                && let Some((frame, piece)) = rest.split_first_chunk::<8>()
                && let Some(value) = engine.lookup(&key)?
            {
                engine.put(&[now, frame, channel, piece].concat(), &value)?;
            }
            engine.remove(&key)?;
        }
    }
    Ok(())
}

/// Removes the values whose keys begin with `prefix`.
fn remove_all(engine: &dyn Engine, prefix: &[u8]) -> Result<(), StoreError> {
    for key in engine.keys(prefix)? {
        engine.remove(&key)?;
    }
    Ok(())
}

/// The frames of the stored checkpoints, in order.
pub(in crate::store) fn checkpoint_frames(engine: &dyn Engine) -> Result<Vec<u64>, StoreError> {
    frames(engine, TRUNK)
}

/// The frames of the checkpoints with tombstones, in order.
pub(in crate::store) fn whole_frames(engine: &dyn Engine) -> Result<Vec<u64>, StoreError> {
    frames(engine, WHOLE)
}

/// The frames in the keys that begin with `prefix`.
fn frames(engine: &dyn Engine, prefix: &[u8]) -> Result<Vec<u64>, StoreError> {
    let mut frames: Vec<u64> = Vec::new();
    for key in engine.keys(prefix)? {
        let frame = key
            .get(prefix.len()..prefix.len() + 8)
            .and_then(|bytes| bytes.try_into().ok())
            .map(u64::from_be_bytes);
        frames.extend(frame);
    }
    frames.sort_unstable();
    frames.dedup();
    Ok(frames)
}
