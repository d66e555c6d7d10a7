//! The body of a frame: its values joined, and its payload decompressed. What the bytes mean is read in `decode`.

use super::FrameError;
use super::encode::INFLATION_MAX;
use super::header::{Compression, FrameHeader};
use super::value::{FrameValue, value};
use crate::log::compression::decompress;
use std::borrow::Cow;

/// The parts of a frame, joined.
pub(super) struct FrameBody<'a> {
    pub frame: u64,
    pub parts: u32,
    pub bytes: Cow<'a, [u8]>,
}

/// Joins the parts into the body.
pub(super) fn join<V: AsRef<[u8]>>(parts: &[V]) -> Result<FrameBody<'_>, FrameError> {
    let (first, others) = parts.split_first().ok_or(FrameError::Empty)?;
    let first = value(first.as_ref())?;
    let misplaced = |part| FrameError::Part {
        frame: first.frame,
        part,
    };
    if first.part != 0 {
        return Err(misplaced(0));
    }
    if first.parts as usize != parts.len() {
        return Err(misplaced(parts.len() as u32));
    }
    let mut bytes = Cow::Borrowed(first.piece);
    for (other, part) in others.iter().zip(1u32..) {
        let other = value(other.as_ref())?;
        let expected = FrameValue {
            part,
            piece: other.piece,
            ..first
        };
        if other != expected {
            return Err(misplaced(part));
        }
        bytes.to_mut().extend_from_slice(other.piece);
    }
    if crc32c::crc32c(&bytes) != first.body_crc {
        return Err(FrameError::Checksum);
    }
    Ok(FrameBody {
        frame: first.frame,
        parts: first.parts,
        bytes,
    })
}

/// The header of a frame, and its payload before compression.
pub(in crate::log) fn payload<V: AsRef<[u8]>>(
    parts: &[V],
) -> Result<(FrameHeader, Vec<u8>), FrameError> {
    let FrameBody {
        frame,
        parts: count,
        bytes,
    } = join(parts)?;
    let (header, packed) = FrameHeader::read(frame, count, &bytes)?;
    let plain = inflate(&header, packed)?;
    let plain = plain.unwrap_or_else(|| packed.to_vec());
    Ok((header, plain))
}

/// The payload before compression, if it was compressed. Its size is limited by the length of the compressed payload.
pub(super) fn inflate(header: &FrameHeader, payload: &[u8]) -> Result<Option<Vec<u8>>, FrameError> {
    let plain_len = usize::try_from(header.plain_len).map_err(|_| FrameError::Decompress)?;
    match header.compression {
        Compression::Plain if plain_len == payload.len() => Ok(None),
        Compression::Plain => Err(FrameError::Disagree("the payload's length")),
        Compression::Zstd if plain_len / INFLATION_MAX >= payload.len() => {
            Err(FrameError::Decompress)
        }
        Compression::Zstd => {
            let plain = decompress(payload, plain_len);
            plain.map(Some).ok_or(FrameError::Decompress)
        }
    }
}
