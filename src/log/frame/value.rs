//! One value: a piece of a frame's body after a fixed header. A value can be checked alone.

use super::FrameError;
use crate::limits::VALUE_BYTES_WRITTEN;

/// The first bytes of every value. The first and the last one never occur in UTF-8, so a search for frames in raw
/// files finds few false ones.
pub const MAGIC: [u8; 4] = [0xF5, b'R', b'b', 0xFE];
/// The format of the values, headers and payloads that this Rollbook writes.
pub const VERSION: u8 = 1;
/// The length of a value's header, before the piece of the body.
pub const VALUE_HEADER_BYTES: usize = 36;
/// The bytes of the header that the value's CRC covers: all before the CRC itself.
const COVERED_BYTES: usize = VALUE_HEADER_BYTES - 4;
/// The longest piece of a body in one value.
pub(super) const PIECE_BYTES_MAX: usize = VALUE_BYTES_WRITTEN - VALUE_HEADER_BYTES;

/// A value with a correct checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameValue<'a> {
    /// The number of its frame, from 1.
    pub frame: u64,
    /// The number of the part, from 0.
    pub part: u32,
    /// How many parts the frame has.
    pub parts: u32,
    /// CRC32C of the whole body: it separates the parts of different frames that have the same number.
    pub body_crc: u32,
    /// The piece of the body.
    pub piece: &'a [u8],
}

impl FrameValue<'_> {
    /// Whether this is the last part.
    #[must_use]
    pub fn is_last(&self) -> bool {
        self.part + 1 == self.parts
    }
}

/// Checks one value.
///
/// # Errors
/// The bytes are not a value, have a newer format, or were cut or altered.
pub fn value(bytes: &[u8]) -> Result<FrameValue<'_>, FrameError> {
    if bytes.first_chunk() != Some(&MAGIC) {
        return Err(FrameError::NoFrame);
    }
    let short = || FrameError::Length {
        expected: VALUE_HEADER_BYTES as u64,
        found: bytes.len() as u64,
    };
    let (head, piece) = bytes
        .split_first_chunk::<VALUE_HEADER_BYTES>()
        .ok_or_else(short)?;
    let [_, _, _, _, version, reserved @ .., _, _, _, _] = head;
    if *version != VERSION {
        return Err(FrameError::Version(*version));
    }
    let (covered, crc) = head.split_last_chunk::<4>().ok_or_else(short)?;
    let word = |at: usize| -> u32 {
        let bytes = head.get(at..).and_then(|rest| rest.first_chunk::<4>());
        bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes))
    };
    let length = u64::from(word(24));
    if length != piece.len() as u64 {
        return Err(FrameError::Length {
            expected: length + VALUE_HEADER_BYTES as u64,
            found: bytes.len() as u64,
        });
    }
    if u32::from_le_bytes(*crc) != crc32c::crc32c_append(crc32c::crc32c(covered), piece) {
        return Err(FrameError::Checksum);
    }
    let value = FrameValue {
        frame: u64::from(word(8)) | u64::from(word(12)) << 32,
        part: word(16),
        parts: word(20),
        body_crc: word(28),
        piece,
    };
    // They are zero now. A later format may give them a meaning, which this version must then refuse.
    if reserved.first_chunk() != Some(&[0; 3]) {
        return Err(FrameError::NoFrame);
    }
    if value.part >= value.parts {
        return Err(FrameError::Part {
            frame: value.frame,
            part: value.part,
        });
    }
    Ok(value)
}

/// Cuts a body into values.
pub(super) fn cut(frame: u64, body: &[u8]) -> Result<Vec<Vec<u8>>, FrameError> {
    let parts = u32::try_from(body.len().div_ceil(PIECE_BYTES_MAX).max(1))
        .map_err(|_| FrameError::TooLarge(body.len()))?;
    let body_crc = crc32c::crc32c(body);
    let values = body.chunks(PIECE_BYTES_MAX).zip(0u32..);
    Ok(values
        .map(|(piece, part)| {
            let mut bytes = Vec::with_capacity(VALUE_HEADER_BYTES + piece.len());
            bytes.extend_from_slice(&MAGIC);
            bytes.extend_from_slice(&[VERSION, 0, 0, 0]);
            bytes.extend_from_slice(&frame.to_le_bytes());
            bytes.extend_from_slice(&part.to_le_bytes());
            bytes.extend_from_slice(&parts.to_le_bytes());
            bytes.extend_from_slice(&(piece.len() as u32).to_le_bytes());
            bytes.extend_from_slice(&body_crc.to_le_bytes());
            debug_assert_eq!(bytes.len(), COVERED_BYTES);
            let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes), piece);
            bytes.extend_from_slice(&crc.to_le_bytes());
            bytes.extend_from_slice(piece);
            bytes
        })
        .collect())
}
