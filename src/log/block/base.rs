//! The base of a log: one object beside the blocks. It stands for all entries that were pruned, so it says where the log
//! begins, and what is known there. It is stored as a whole, and replaced as a whole.
//!
//! ```text
//! object = magic, version, length, CRC, header, content (compressed), CRC
//! ```

use super::object::BlockError;
use crate::limits::FRAME_BYTES_MAX;
use crate::log::codec::CodecError;
use crate::log::codec::base::{BaseContent, BaseHeader};
use crate::log::codec::bytes::{pack, unpack};
use crate::log::frame::FrameError;

/// The number of the base among the objects: no block has it, since positions begin at 1.
pub(super) const BASE: u64 = 0;
/// The first bytes of every base.
const MAGIC: [u8; 4] = [0xF5, b'R', b'b', 0xFC];
/// The format of bases that this Rollbook writes. A reader for each released one must remain: a base cannot be made again.
const VERSION: u8 = 1;
/// Magic, version, three zeros, the length of the header, a CRC of these and the header.
const PREFIX_BYTES: usize = 16;
/// Bytes of the prefix before its CRC.
const COVERED_BYTES: usize = PREFIX_BYTES - 4;
/// The CRC behind the content.
const SUM_BYTES: usize = 4;
/// zstd's level.
const ZSTD_LEVEL: i32 = 3;

impl BaseHeader {
    /// The moment from which on no entry was pruned that took effect then, Unix ms.
    #[must_use]
    pub fn retained_from(&self) -> i64 {
        self.effective_at.saturating_add(1)
    }

    /// Makes the object of a base. The lengths and the number of ids are filled in.
    ///
    /// # Errors
    /// The content is too large.
    pub fn encode(mut self, content: &BaseContent) -> Result<(BaseHeader, Vec<u8>), BlockError> {
        let mut plain = Vec::new();
        pack(content, &mut plain)?;
        if plain.len() > FRAME_BYTES_MAX {
            return Err(FrameError::TooLarge(plain.len()).into());
        }
        let packed = zstd::bulk::compress(&plain, ZSTD_LEVEL).map_err(BlockError::Compress)?;
        self.ids = content.ids.len() as u64;
        self.plain_len = plain.len() as u64;
        self.packed_len = packed.len() as u64;
        let mut body = Vec::with_capacity(128);
        pack(&self, &mut body)?;
        let length = u32::try_from(body.len()).map_err(|_| FrameError::TooLarge(body.len()))?;
        let mut bytes = Vec::with_capacity(PREFIX_BYTES + body.len() + packed.len() + SUM_BYTES);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&[VERSION, 0, 0, 0]);
        bytes.extend_from_slice(&length.to_le_bytes());
        let sum = crc32c::crc32c_append(crc32c::crc32c(&bytes), &body);
        bytes.extend_from_slice(&sum.to_le_bytes());
        bytes.extend_from_slice(&body);
        bytes.extend_from_slice(&packed);
        bytes.extend_from_slice(&crc32c::crc32c(&packed).to_le_bytes());
        Ok((self, bytes))
    }
}

/// The bytes of a base, checked but for what is compressed in them.
#[derive(Debug)]
pub struct BaseObject {
    /// Where the log begins.
    pub header: BaseHeader,
    bytes: Vec<u8>,
    content_at: usize,
}

impl BaseObject {
    /// Reads the header of an object, and checks all checksums.
    ///
    /// # Errors
    /// It is no base, or damaged.
    pub fn read(bytes: Vec<u8>) -> Result<BaseObject, BlockError> {
        let found = bytes.len() as u64;
        let short = |expected: usize| BlockError::Length {
            expected: expected as u64,
            found,
        };
        if bytes.first_chunk() != Some(&MAGIC) {
            return Err(BlockError::NoBlock);
        }
        let (prefix, rest) = bytes
            .split_first_chunk::<PREFIX_BYTES>()
            .ok_or_else(|| short(PREFIX_BYTES))?;
        let [_, _, _, _, version, _, _, _, a, b, c, d, sum @ ..] = *prefix;
        if version != VERSION {
            return Err(BlockError::Version(version));
        }
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        let (body, stored) = rest
            .split_at_checked(length)
            .ok_or_else(|| short(PREFIX_BYTES.saturating_add(length)))?;
        let covered = prefix.get(..COVERED_BYTES).unwrap_or_default();
        if crc32c::crc32c_append(crc32c::crc32c(covered), body) != u32::from_le_bytes(sum) {
            return Err(BlockError::Checksum);
        }
        let (header, used): (BaseHeader, usize) = unpack(body)?;
        let packed_len = usize::try_from(header.packed_len).map_err(|_| CodecError::Number)?;
        let content_at = PREFIX_BYTES + length;
        let whole = content_at
            .saturating_add(packed_len)
            .saturating_add(SUM_BYTES);
        let packed = stored.split_last_chunk::<SUM_BYTES>();
        let (packed, sum) = packed
            .filter(|(packed, _)| packed.len() == packed_len)
            .ok_or_else(|| short(whole))?;
        if crc32c::crc32c(packed) != u32::from_le_bytes(*sum) {
            return Err(BlockError::Checksum);
        }
        if used != length || header.next < 2 || header.frame == 0 {
            return Err(FrameError::Disagree("the base's place").into());
        }
        Ok(BaseObject {
            header,
            bytes,
            content_at,
        })
    }

    /// What is known at the base.
    ///
    /// # Errors
    /// The content is not what a base has.
    pub fn content(&self) -> Result<BaseContent, BlockError> {
        let end = self.bytes.len().saturating_sub(SUM_BYTES);
        let packed = self.bytes.get(self.content_at..end).unwrap_or_default();
        let plain_len = usize::try_from(self.header.plain_len).unwrap_or(usize::MAX);
        if plain_len > FRAME_BYTES_MAX {
            return Err(BlockError::Decompress);
        }
        let plain =
            zstd::bulk::decompress(packed, plain_len).map_err(|_| BlockError::Decompress)?;
        let (content, used): (BaseContent, usize) = unpack(&plain)?;
        if used != plain_len {
            return Err(CodecError::Trailing(plain_len.saturating_sub(used)).into());
        }
        Ok(content)
    }
}
