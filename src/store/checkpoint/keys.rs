//! The keys of the values beside the log, and how a value of any size is stored under one. What the values mean is in
//! the other files.

use crate::limits;
use crate::log::engine::Engine;
use crate::store::error::StoreError;

/// A key. Numbers in it are big-endian, so keys are in the order of their numbers. An engine's value is small: each key
/// is followed by the number of the piece, from 0 (u32). Rebuilding removes all of them.
#[derive(Debug, Clone, Copy)]
pub(super) enum MetadataKey {
    /// `"trunk"`, the frame (u64): what belongs to no channel, and where each channel's last part is. It makes a
    /// checkpoint valid, so it is written after the other values. It never changes, and is removed when the checkpoint
    /// is dropped (`retention`).
    Trunk {
        /// The frame after which the state is as stored.
        frame: u64,
    },
    /// `"chan"`, BLAKE3 of the channel's name (32 bytes), the frame (u64): a channel's part of a checkpoint. It never
    /// changes. Later checkpoints point to it as long as nothing happens in the channel; it is removed with the last of
    /// them.
    Channel {
        /// The hash of the channel's name.
        channel: [u8; 32],
        /// The frame of the first checkpoint that has the part.
        frame: u64,
    },
    /// `"tomb"`, BLAKE3 of the channel's name (32 bytes), the frame (u64): the tombstones of the channel, beside its part
    /// of the same frame and written before it. It never changes, and is removed with the part, or sooner: the writer
    /// needs only those of the newest checkpoints (`retention`).
    Tombstones {
        /// The hash of the channel's name.
        channel: [u8; 32],
        /// The frame of the part.
        frame: u64,
    },
    /// `"kept"`, the frame (u64): the checkpoint there is at the end of a sealed block and small beside it, so it is never
    /// dropped. It has no value, and is only ever removed by rebuilding.
    Kept {
        /// The frame of the checkpoint.
        frame: u64,
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
const KEPT: &[u8] = b"kept";

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
            MetadataKey::Channel { channel, frame } => {
                [b"chan".as_slice(), channel, &frame.to_be_bytes()].concat()
            }
            MetadataKey::Tombstones { channel, frame } => {
                [b"tomb".as_slice(), channel, &frame.to_be_bytes()].concat()
            }
            MetadataKey::Kept { frame } => [KEPT, &frame.to_be_bytes()].concat(),
            MetadataKey::Retry { chunk } => [b"retry".as_slice(), &chunk.to_be_bytes()].concat(),
            MetadataKey::Said { chunk } => [b"said".as_slice(), &chunk.to_be_bytes()].concat(),
        }
    }

    fn piece(&self, number: u32) -> Vec<u8> {
        [self.bytes(), number.to_be_bytes().to_vec()].concat()
    }
}

/// Stores a value, cut into pieces that the engine accepts.
pub(super) fn put(engine: &dyn Engine, key: MetadataKey, value: &[u8]) -> Result<(), StoreError> {
    let sum = blake3::hash(value);
    let mut pieces = value.chunks(limits::VALUE_BYTES_MAX - 64);
    let count = u32::try_from(pieces.len().max(1)).unwrap_or(u32::MAX);
    let first = [
        sum.as_bytes(),
        &count.to_be_bytes()[..],
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
    let mut value = piece.to_vec();
    for at in 1..u32::from_be_bytes(*count) {
        match engine.lookup(&key.piece(at))? {
            Some(piece) => value.extend_from_slice(&piece),
            None => return Ok(None),
        }
    }
    Ok((blake3::hash(&value).as_bytes() == sum).then_some(value))
}

/// Removes a value.
pub(super) fn remove(engine: &dyn Engine, key: MetadataKey) -> Result<(), StoreError> {
    remove_all(engine, &key.bytes())
}

/// Removes all values.
pub(in crate::store) fn clear(engine: &dyn Engine) -> Result<(), StoreError> {
    remove_all(engine, b"")
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

/// The frames of the checkpoints that are never dropped, in order.
pub(super) fn kept_frames(engine: &dyn Engine) -> Result<Vec<u64>, StoreError> {
    frames(engine, KEPT)
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
