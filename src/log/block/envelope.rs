//! The form of objects: a front with magic, version and header, and sections behind it. Each is checked by itself, so that a
//! reader need not read all. What header and sections mean is not known here.
//!
//! ```text
//! front   = magic, version, three zeros, length of the header, CRC of all this and the header, header
//! section = what is compressed, CRC
//! ```

use crate::log::codec::CodecError;
use crate::log::codec::header::SectionBody;
use crate::log::compression::{compress, decompress};
use crate::log::frame::FrameError;

/// Magic, version, three zeros, the length of the header, a CRC of these and the header.
const PREFIX_BYTES: usize = 16;
/// Bytes of the prefix before its CRC.
const COVERED_BYTES: usize = PREFIX_BYTES - 4;
/// The CRC behind a section.
const SUM_BYTES: usize = 4;

/// Why an object is not a block.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BlockError {
    /// The object does not begin with the magic bytes of a block.
    #[error("this is no block of Rollbook's")]
    NoBlock,
    /// A newer Rollbook wrote the block.
    #[error("the block has format {found}; this Rollbook knows formats up to {newest}")]
    Version {
        /// Its format.
        found: u8,
        /// The newest known format.
        newest: u8,
    },
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

impl BlockError {
    /// Of an object, of which these are all bytes, so many are needed.
    pub(super) fn too_short(needed: usize, object: &[u8]) -> BlockError {
        BlockError::Length {
            expected: needed as u64,
            found: object.len() as u64,
        }
    }
}

impl From<CodecError> for BlockError {
    fn from(error: CodecError) -> Self {
        BlockError::Frame(FrameError::Codec(error))
    }
}

/// The front of an object.
pub(super) struct ObjectFront<'a> {
    pub version: u8,
    /// Its header.
    pub body: &'a [u8],
    /// Where it ends.
    pub end: usize,
}

/// Makes the front of an object.
pub(super) fn front(magic: [u8; 4], version: u8, body: &[u8]) -> Result<Vec<u8>, BlockError> {
    let length = u32::try_from(body.len()).map_err(|_| FrameError::TooLarge(body.len()))?;
    let mut bytes = Vec::with_capacity(PREFIX_BYTES + body.len());
    bytes.extend_from_slice(&magic);
    bytes.extend_from_slice(&[version, 0, 0, 0]);
    bytes.extend_from_slice(&length.to_le_bytes());
    let sum = crc32c::crc32c_append(crc32c::crc32c(&bytes), body);
    bytes.extend_from_slice(&sum.to_le_bytes());
    bytes.extend_from_slice(body);
    Ok(bytes)
}

/// Reads the front of an object, which has one of the `known` versions; `Err` with the bytes that are needed if there are
/// too few.
pub(super) fn read_front<'a>(
    bytes: &'a [u8],
    magic: [u8; 4],
    known: &[u8],
) -> Result<Result<ObjectFront<'a>, usize>, BlockError> {
    if bytes.first_chunk() != Some(&magic) {
        return Err(BlockError::NoBlock);
    }
    let (prefix, rest) = bytes
        .split_first_chunk::<PREFIX_BYTES>()
        .ok_or_else(|| BlockError::too_short(PREFIX_BYTES, bytes))?;
    let [_, _, _, _, version, _, _, _, a, b, c, d, sum @ ..] = *prefix;
    if !known.contains(&version) {
        let newest = known.iter().copied().max().unwrap_or_default();
        let found = version;
        return Err(BlockError::Version { found, newest });
    }
    let length = u32::from_le_bytes([a, b, c, d]) as usize;
    let end = PREFIX_BYTES.saturating_add(length);
    let Some(body) = rest.get(..length) else {
        return Ok(Err(end));
    };
    let covered = prefix.get(..COVERED_BYTES).unwrap_or_default();
    if crc32c::crc32c_append(crc32c::crc32c(covered), body) != u32::from_le_bytes(sum) {
        return Err(BlockError::Checksum);
    }
    Ok(Ok(ObjectFront { version, body, end }))
}

/// A part of the object that is compressed and checked by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Section {
    at: usize,
    /// Without its CRC.
    stored_len: usize,
    plain_len: usize,
}

impl Section {
    /// The section that begins at the byte `at`, which is moved behind it.
    pub(super) fn next(body: SectionBody, at: &mut usize) -> Result<Section, BlockError> {
        let length = |length: u64| usize::try_from(length).map_err(|_| CodecError::Number);
        let section = Section {
            at: *at,
            stored_len: length(body.stored_len)?,
            plain_len: length(body.plain_len)?,
        };
        let end = section.stored_len.checked_add(SUM_BYTES);
        let end = end.and_then(|length| at.checked_add(length));
        *at = end.ok_or(CodecError::Number)?;
        Ok(section)
    }

    /// Bytes before compression.
    pub(super) fn plain_len(&self) -> u64 {
        self.plain_len as u64
    }

    /// Where it and its CRC are in the object.
    pub(super) fn stored(&self) -> (u64, usize) {
        (self.at as u64, self.stored_len.saturating_add(SUM_BYTES))
    }

    /// Whether another one stands behind it.
    pub(super) fn is_followed_by(&self, next: &Section) -> bool {
        let (at, length) = self.stored();
        at.saturating_add(length as u64) == next.at as u64
    }

    /// What is compressed, from what is stored there, once its CRC is checked.
    pub(super) fn packed<'a>(&self, stored: &'a [u8]) -> Result<&'a [u8], BlockError> {
        let (at, whole) = self.stored();
        let packed = stored.split_last_chunk::<SUM_BYTES>();
        let (packed, sum) =
            packed
                .filter(|_| stored.len() == whole)
                .ok_or_else(|| BlockError::Length {
                    expected: at.saturating_add(whole as u64),
                    found: at.saturating_add(stored.len() as u64),
                })?;
        if crc32c::crc32c(packed) != u32::from_le_bytes(*sum) {
            return Err(BlockError::Checksum);
        }
        Ok(packed)
    }

    /// What is stored of it in the object of which these are all bytes.
    fn of_object<'a>(&self, object: &'a [u8]) -> &'a [u8] {
        let stored = object.get(self.at..).unwrap_or_default();
        let whole = self.stored_len.saturating_add(SUM_BYTES);
        stored.get(..whole).unwrap_or(stored)
    }

    /// What it was before compression, from all bytes of the object.
    pub(super) fn plain_of(&self, object: &[u8]) -> Result<Vec<u8>, BlockError> {
        self.plain(self.of_object(object))
    }

    /// What it was before compression, from what is stored there.
    pub(super) fn plain(&self, stored: &[u8]) -> Result<Vec<u8>, BlockError> {
        let packed = self.packed(stored)?;
        decompress(packed, self.plain_len).ok_or(BlockError::Decompress)
    }
}

/// A section of an object that is being made.
pub(super) enum NewSection<'o> {
    /// Still to be compressed.
    Plain(Vec<u8>),
    /// As it is stored in another object.
    Stored(Section, &'o [u8]),
}

impl<'o> NewSection<'o> {
    /// The section of another object, as it is stored there.
    pub(super) fn of(section: Section, object: &'o [u8]) -> Result<Self, BlockError> {
        section.packed(section.of_object(object))?;
        Ok(NewSection::Stored(section, section.of_object(object)))
    }

    pub(super) fn plain_len(&self) -> usize {
        match self {
            NewSection::Plain(plain) => plain.len(),
            NewSection::Stored(section, _) => section.plain_len,
        }
    }

    /// Appends the section.
    pub(super) fn store(self, level: i32, out: &mut Vec<u8>) -> Result<SectionBody, BlockError> {
        match self {
            NewSection::Plain(plain) => store(&plain, level, out),
            NewSection::Stored(section, stored) => {
                out.extend_from_slice(stored);
                Ok(SectionBody {
                    stored_len: section.stored_len as u64,
                    plain_len: section.plain_len as u64,
                })
            }
        }
    }
}

/// Appends a section, compressed, and its CRC.
pub(super) fn store(
    plain: &[u8],
    level: i32,
    out: &mut Vec<u8>,
) -> Result<SectionBody, BlockError> {
    let packed = compress(plain, level).map_err(BlockError::Compress)?;
    out.extend_from_slice(&packed);
    out.extend_from_slice(&crc32c::crc32c(&packed).to_le_bytes());
    Ok(SectionBody {
        stored_len: packed.len() as u64,
        plain_len: plain.len() as u64,
    })
}
