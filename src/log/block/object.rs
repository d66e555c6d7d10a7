//! The bytes of a block.

use crate::domain::time::Millis;
use crate::limits::FRAME_BYTES_MAX;
use crate::log::codec::CodecError;
use crate::log::codec::bytes::{pack, unpack};
use crate::log::codec::header::{BlockBody, SectionBody, SinglePayloadBody, StreamBody};
use crate::log::frame::{Channels, FrameError, FrameHeader, NO_ENTRY, decompress};

/// The first bytes of every block.
pub(super) const MAGIC: [u8; 4] = [0xF5, b'R', b'b', 0xFD];
/// The format of blocks that this Rollbook writes.
const VERSION: u8 = 2;
/// The first format: one payload instead of sections.
const SINGLE_PAYLOAD: u8 = 1;
/// Magic, version, three zeros, the length of the header, a CRC of these and the header.
const PREFIX_BYTES: usize = 16;
/// Bytes of the prefix before its CRC.
const COVERED_BYTES: usize = PREFIX_BYTES - 4;
/// The CRC behind a section.
const SUM_BYTES: usize = 4;
/// So much of an object is read at once for its header, which is rarely longer.
pub(super) const FRONT_BYTES: usize = 16 << 10;
/// The most streams of a block: a byte of the order has seven bits for their number.
pub(super) const STREAMS_MAX: usize = NO_ENTRY as usize;
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
    /// In which order the records of the streams follow one another; `None` in the first format.
    order: Option<Section>,
    streams: Vec<BlockStream>,
    /// Bytes of the object.
    bytes: usize,
}

/// A part of the object that is compressed and checked by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Section {
    at: usize,
    /// Without its CRC.
    stored_len: usize,
    plain_len: usize,
}

/// Where a stream is. Each channel has all its records in one stream: the last one that begins at its hash or before.
#[derive(Debug, Clone, PartialEq, Eq)]
struct BlockStream {
    /// The hash of its first channel; `None`: the stream has the records of no single channel.
    from: Option<u64>,
    reaches_back_to: Millis,
    section: Section,
    states: Option<Section>,
}

/// A stream before compression.
pub(super) struct PlainStream {
    pub from: Option<u64>,
    pub reaches_back_to: Millis,
    pub payload: Vec<u8>,
    /// The states of its channels, if they are known.
    pub states: Option<Vec<u8>>,
}

impl Section {
    /// Where it and its CRC are in the object.
    pub(super) fn stored(&self) -> (u64, usize) {
        (self.at as u64, self.stored_len.saturating_add(SUM_BYTES))
    }

    /// What it was before compression, from what is stored there.
    pub(super) fn plain(&self, stored: &[u8]) -> Result<Vec<u8>, BlockError> {
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
        decompress(packed, self.plain_len).map_err(|_| BlockError::Decompress)
    }
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
        self.bytes
    }

    /// The earliest moment in any entry that a reader of the channel with this hash reads.
    #[must_use]
    pub fn reaches_back_to(&self, channel: u64) -> Millis {
        let streams = self.streams_of(Some(channel));
        let reaches = streams.map(|(stream, wanted)| match wanted {
            true => stream.reaches_back_to,
            false => Millis::MAX,
        });
        reaches.min().unwrap_or(Millis::MIN)
    }

    /// Whether the header names the channel with this hash.
    pub(super) fn names(&self, channel: u64) -> bool {
        match &self.header.channels {
            Channels::Any => false,
            Channels::These(these) => these.binary_search(&channel).is_ok(),
        }
    }

    /// Whether it may have records of the channel with this hash, besides those that concern every channel.
    #[must_use]
    pub fn may_have(&self, channel: u64) -> bool {
        self.header.channels == Channels::Any || self.names(channel)
    }

    /// The sections with the states of the first stream and of the one with the channel of this hash.
    pub(super) fn states(&self, channel: u64) -> Option<(Section, Section)> {
        let mut wanted = self.streams_of(Some(channel)).filter(|(_, wanted)| *wanted);
        let first = wanted.next()?.0;
        let own = wanted.next().map_or(first, |(own, _)| own);
        Some((first.states?, own.states?))
    }

    /// The sections with the states of all streams.
    pub(super) fn all_states(&self) -> impl Iterator<Item = Section> {
        self.streams.iter().filter_map(|stream| stream.states)
    }

    /// The section with the order.
    pub(super) fn order(&self) -> Option<Section> {
        self.order
    }

    /// The sections of the streams, `None` for those that a reader of one channel does not need.
    pub(super) fn sections(&self, channel: Option<u64>) -> impl Iterator<Item = Option<Section>> {
        let streams = self.streams_of(channel);
        streams.map(|(stream, wanted)| wanted.then_some(stream.section))
    }

    fn streams_of(&self, channel: Option<u64>) -> impl Iterator<Item = (&BlockStream, bool)> {
        let behind = |hash: u64| {
            let is_before = |stream: &BlockStream| stream.from.is_none_or(|from| from <= hash);
            self.streams.partition_point(is_before)
        };
        let its_own = channel.map(|hash| behind(hash).saturating_sub(1));
        let streams = self.streams.iter().enumerate();
        streams.map(move |(number, stream)| {
            let wanted = its_own.is_none_or(|own| own == number) || stream.from.is_none();
            (stream, wanted)
        })
    }

    /// Makes the object of a block from its sections. `header` has everything but the payload's length.
    pub(super) fn encode(
        mut header: FrameHeader,
        position: u64,
        order: &[u8],
        streams: Vec<PlainStream>,
    ) -> Result<(Block, Vec<u8>), BlockError> {
        let plain_len = streams.iter().map(|stream| stream.payload.len()).sum();
        if plain_len > FRAME_BYTES_MAX {
            return Err(FrameError::TooLarge(plain_len).into());
        }
        header.plain_len = plain_len as u64;
        let mut stored = Vec::with_capacity(plain_len / 4);
        let order = store(order, &mut stored)?;
        let streams = streams.into_iter().map(|stream| {
            Ok(StreamBody {
                from: stream.from.map(u64::to_le_bytes),
                reaches_back_to: stream.reaches_back_to,
                section: store(&stream.payload, &mut stored)?,
                states: match stream.states {
                    Some(states) => Some(store(&states, &mut stored)?),
                    None => None,
                },
            })
        });
        let body = BlockBody {
            frame: header.frame,
            frames: header.frames,
            position,
            positions: header.parts,
            header: header.body(),
            order: Some(order),
            streams: streams.collect::<Result<_, BlockError>>()?,
        };
        let mut bytes = front(&body)?;
        let block = Block::of_body(body, bytes.len())?;
        bytes.extend_from_slice(&stored);
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
        if !matches!(version, SINGLE_PAYLOAD | VERSION) {
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
        let (body, used) = if version == SINGLE_PAYLOAD {
            single_stream(body)?
        } else {
            unpack(body)?
        };
        if used != length {
            return Err(CodecError::Trailing(length - used).into());
        }
        Block::of_body(body, PREFIX_BYTES + length).map(Ok)
    }

    /// The block of a header that ends at the byte `at`.
    fn of_body(body: BlockBody, at: usize) -> Result<Block, BlockError> {
        let of_one = body.frames >= 1 && body.positions >= 1 && body.position >= 1;
        let ends = body.frame.checked_add(body.frames).is_some()
            && body.position.checked_add(body.positions.into()).is_some();
        if !of_one || !ends {
            return Err(FrameError::Disagree("the block's frames").into());
        }
        let header = FrameHeader::of_body(body.frame, body.frames, body.positions, body.header)?;
        let mut end = at;
        let order = body.order.map(|order| section(order, &mut end));
        let order = order.transpose()?;
        let mut streams = Vec::with_capacity(body.streams.len());
        for stream in body.streams {
            streams.push(BlockStream {
                from: stream.from.map(u64::from_le_bytes),
                reaches_back_to: stream.reaches_back_to,
                section: section(stream.section, &mut end)?,
                states: match stream.states {
                    Some(states) => Some(section(states, &mut end)?),
                    None => None,
                },
            });
        }
        let sorted = streams.is_sorted_by(|a, b| a.from < b.from);
        if streams.is_empty() || streams.len() > STREAMS_MAX || !sorted {
            return Err(FrameError::Disagree("the block's streams").into());
        }
        Ok(Block {
            header,
            position: body.position,
            order,
            streams,
            bytes: end,
        })
    }
}

/// Reads the header of a block of the first format. Its payload is its only stream.
fn single_stream(bytes: &[u8]) -> Result<(BlockBody, usize), CodecError> {
    let (body, used): (SinglePayloadBody, usize) = unpack(bytes)?;
    let stream = StreamBody {
        from: None,
        reaches_back_to: Millis::MIN,
        section: SectionBody {
            stored_len: body.payload_len,
            plain_len: body.header.plain_len,
        },
        states: None,
    };
    let body = BlockBody {
        frame: body.frame,
        frames: body.frames,
        position: body.position,
        positions: body.positions,
        header: body.header,
        order: None,
        streams: vec![stream],
    };
    Ok((body, used))
}

/// Magic, version, lengths, CRC and header.
fn front(body: &BlockBody) -> Result<Vec<u8>, BlockError> {
    let mut packed = Vec::with_capacity(1_024);
    pack(body, &mut packed)?;
    let length = u32::try_from(packed.len()).map_err(|_| FrameError::TooLarge(packed.len()))?;
    let mut bytes = Vec::with_capacity(PREFIX_BYTES + packed.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&[VERSION, 0, 0, 0]);
    bytes.extend_from_slice(&length.to_le_bytes());
    let sum = crc32c::crc32c_append(crc32c::crc32c(&bytes), &packed);
    bytes.extend_from_slice(&sum.to_le_bytes());
    bytes.extend_from_slice(&packed);
    Ok(bytes)
}

/// Appends a section, compressed, and its CRC.
fn store(plain: &[u8], out: &mut Vec<u8>) -> Result<SectionBody, BlockError> {
    let packed = zstd::bulk::compress(plain, ZSTD_LEVEL).map_err(BlockError::Compress)?;
    out.extend_from_slice(&packed);
    out.extend_from_slice(&crc32c::crc32c(&packed).to_le_bytes());
    Ok(SectionBody {
        stored_len: packed.len() as u64,
        plain_len: plain.len() as u64,
    })
}

/// The section that begins at the byte `at`, which is moved behind it.
fn section(body: SectionBody, at: &mut usize) -> Result<Section, BlockError> {
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
