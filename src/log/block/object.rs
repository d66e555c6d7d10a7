//! The bytes of a block.

use crate::limits::FRAME_BYTES_MAX;
use crate::log::codec::CodecError;
use crate::log::codec::bytes::{pack, unpack};
use crate::log::codec::header::BlockBody;
use crate::log::frame::{FrameError, FrameHeader};

/// The first bytes of every block.
pub(super) const MAGIC: [u8; 4] = [0xF5, b'R', b'b', 0xFD];
/// The format of blocks that this Rollbook writes.
const VERSION: u8 = 1;
/// Magic, version, three zeros, the length of the header, a CRC of these and the header.
const PREFIX_BYTES: usize = 16;
/// Bytes of the prefix before its CRC.
const COVERED_BYTES: usize = PREFIX_BYTES - 4;
/// The CRC behind the payload.
const SUM_BYTES: usize = 4;
/// So much of an object is read at once for its header, which is rarely longer.
pub(super) const FRONT_BYTES: usize = 16 << 10;
/// zstd's level: higher ones cost several times as much and save little (`benches/README.md`).
const ZSTD_LEVEL: i32 = 9;

/// Why an object is not a block.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BlockError {
    /// The object does not begin with the magic bytes of a block.
    #[error("this is no block of Rollbook's")]
    NoBlock,
    /// A newer Rollbook wrote the block.
    #[error("the block has format {0}; this Rollbook knows formats up to {VERSION}")]
    Version(u8),
    /// The object is shorter or longer than its header states.
    #[error("the block should have {expected} bytes, and has {found}")]
    Length {
        /// The stated length.
        expected: u64,
        /// The actual length.
        found: u64,
    },
    /// A checksum is wrong.
    #[error("the block's checksum is wrong: it was altered")]
    Checksum,
    /// The payload could not be decompressed to the length in the header.
    #[error("the block's payload cannot be decompressed")]
    Decompress,
    /// The compressor failed.
    #[error("compressing the block failed: {0}")]
    Compress(std::io::Error),
    /// A frame that is to be sealed, or what was sealed, is not valid.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

impl From<CodecError> for BlockError {
    fn from(error: CodecError) -> Self {
        BlockError::Frame(FrameError::Codec(error))
    }
}

/// A block of which the header is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// What its frames have in common.
    pub header: FrameHeader,
    /// The engine's position of the first value that it stands for: its number.
    pub position: u64,
    /// Where the payload begins in the object, and its length there.
    payload_at: usize,
    payload_len: usize,
}

impl Block {
    /// The position behind it.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.position.saturating_add(u64::from(self.header.parts))
    }

    /// Bytes of the object.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.payload_at + self.payload_len + SUM_BYTES
    }

    /// Makes the object of a block from its payload. `header` has everything but the payload's length.
    pub(super) fn encode(
        mut header: FrameHeader,
        position: u64,
        payload: &[u8],
    ) -> Result<(Block, Vec<u8>), BlockError> {
        if payload.len() > FRAME_BYTES_MAX {
            return Err(FrameError::TooLarge(payload.len()).into());
        }
        header.plain_len = payload.len() as u64;
        let packed = zstd::bulk::compress(payload, ZSTD_LEVEL).map_err(BlockError::Compress)?;
        let mut body = Vec::with_capacity(256);
        let stored = BlockBody {
            frame: header.frame,
            frames: header.frames,
            position,
            positions: header.parts,
            payload_len: packed.len() as u64,
            header: header.body(),
        };
        pack(&stored, &mut body)?;
        let length = u32::try_from(body.len()).map_err(|_| FrameError::TooLarge(body.len()))?;
        let mut bytes = Vec::with_capacity(PREFIX_BYTES + body.len() + packed.len() + SUM_BYTES);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&[VERSION, 0, 0, 0]);
        bytes.extend_from_slice(&length.to_le_bytes());
        let sum = crc32c::crc32c_append(crc32c::crc32c(&bytes), &body);
        bytes.extend_from_slice(&sum.to_le_bytes());
        bytes.extend_from_slice(&body);
        let payload_at = bytes.len();
        bytes.extend_from_slice(&packed);
        bytes.extend_from_slice(&crc32c::crc32c(&packed).to_le_bytes());
        let block = Block {
            header,
            position,
            payload_at,
            payload_len: packed.len(),
        };
        Ok((block, bytes))
    }

    /// Reads the header at the front of an object; `Err` with the bytes that are needed if there are too few.
    pub(super) fn decode(front: &[u8]) -> Result<Result<Block, usize>, BlockError> {
        let short = |expected: usize| BlockError::Length {
            expected: expected as u64,
            found: front.len() as u64,
        };
        if front.first_chunk() != Some(&MAGIC) {
            return Err(BlockError::NoBlock);
        }
        let (prefix, rest) = front
            .split_first_chunk::<PREFIX_BYTES>()
            .ok_or_else(|| short(PREFIX_BYTES))?;
        let [_, _, _, _, version, _, _, _, a, b, c, d, sum @ ..] = *prefix;
        if version != VERSION {
            return Err(BlockError::Version(version));
        }
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        let Some(body) = rest.get(..length) else {
            return Ok(Err(PREFIX_BYTES.saturating_add(length)));
        };
        let covered = prefix.get(..COVERED_BYTES).unwrap_or_default();
        if crc32c::crc32c_append(crc32c::crc32c(covered), body) != u32::from_le_bytes(sum) {
            return Err(BlockError::Checksum);
        }
        let (stored, used): (BlockBody, usize) = unpack(body)?;
        let of_one = stored.frames >= 1 && stored.positions >= 1 && stored.position >= 1;
        let ends = stored.frame.checked_add(stored.frames).is_some()
            && stored
                .position
                .checked_add(stored.positions.into())
                .is_some();
        if used != length || !of_one || !ends {
            return Err(FrameError::Disagree("the block's frames").into());
        }
        let payload_len = usize::try_from(stored.payload_len).map_err(|_| CodecError::Number)?;
        let BlockBody {
            frame,
            frames,
            position,
            positions,
            header,
            ..
        } = stored;
        Ok(Ok(Block {
            header: FrameHeader::of_body(frame, frames, positions, header)?,
            position,
            payload_at: PREFIX_BYTES + length,
            payload_len,
        }))
    }

    /// Where the payload and its CRC are in the object.
    pub(super) fn payload_range(&self) -> (u64, usize) {
        (self.payload_at as u64, self.payload_len + SUM_BYTES)
    }

    /// The payload before compression, from what is stored in [`payload_range`](Self::payload_range).
    pub(super) fn payload(&self, stored: &[u8]) -> Result<Vec<u8>, BlockError> {
        let whole = self.payload_len.saturating_add(SUM_BYTES);
        let packed = stored.split_last_chunk::<SUM_BYTES>();
        let (packed, sum) =
            packed
                .filter(|_| stored.len() == whole)
                .ok_or_else(|| BlockError::Length {
                    expected: self.bytes() as u64,
                    found: (self.payload_at + stored.len()) as u64,
                })?;
        if crc32c::crc32c(packed) != u32::from_le_bytes(*sum) {
            return Err(BlockError::Checksum);
        }
        let plain_len = usize::try_from(self.header.plain_len).unwrap_or(usize::MAX);
        if plain_len > FRAME_BYTES_MAX {
            return Err(BlockError::Decompress);
        }
        let plain =
            zstd::bulk::decompress(packed, plain_len).map_err(|_| BlockError::Decompress)?;
        if plain.len() != plain_len {
            return Err(BlockError::Decompress);
        }
        Ok(plain)
    }
}
