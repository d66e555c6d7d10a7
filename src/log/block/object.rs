//! The bytes of a block.

use super::envelope::{BlockError, ObjectFront, Section, front, read_front, store};
use crate::domain::time::Millis;
use crate::limits::FRAME_BYTES_MAX;
use crate::log::codec::CodecError;
use crate::log::codec::bytes::{pack, unpack};
use crate::log::codec::header::{BlockBody, SectionBody, SinglePayloadBody, StreamBody};
use crate::log::frame::{Channels, FrameError, FrameHeader, NO_ENTRY};

/// The first bytes of every block.
const MAGIC: [u8; 4] = [0xF5, b'R', b'b', 0xFD];
/// The format of blocks that this Rollbook writes.
const VERSION: u8 = 2;
/// The first format: one payload instead of sections.
const SINGLE_PAYLOAD: u8 = 1;
/// So much of an object is read at once for its header, which is rarely longer.
pub(super) const FRONT_BYTES: usize = 16 << 10;
/// The most streams of a block: a byte of the order has seven bits for their number.
pub(super) const STREAMS_MAX: usize = NO_ENTRY as usize;
/// zstd's level: higher ones cost several times as much and save little (`benches/README.md`).
const ZSTD_LEVEL: i32 = 9;

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
        let order = store(order, ZSTD_LEVEL, &mut stored)?;
        let streams = streams.into_iter().map(|stream| {
            Ok(StreamBody {
                from: stream.from.map(u64::to_le_bytes),
                reaches_back_to: stream.reaches_back_to,
                section: store(&stream.payload, ZSTD_LEVEL, &mut stored)?,
                states: match stream.states {
                    Some(states) => Some(store(&states, ZSTD_LEVEL, &mut stored)?),
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
        let mut packed = Vec::with_capacity(1_024);
        pack(&body, &mut packed)?;
        let mut bytes = front(MAGIC, VERSION, &packed)?;
        let block = Block::of_body(body, bytes.len())?;
        bytes.extend_from_slice(&stored);
        Ok((block, bytes))
    }

    /// Reads the header at the front of an object; `Err` with the bytes that are needed if there are too few.
    pub(super) fn decode(bytes: &[u8]) -> Result<Result<Block, usize>, BlockError> {
        let ObjectFront { version, body, end } =
            match read_front(bytes, MAGIC, &[SINGLE_PAYLOAD, VERSION])? {
                Ok(front) => front,
                Err(needed) => return Ok(Err(needed)),
            };
        let length = body.len();
        let (body, used) = if version == SINGLE_PAYLOAD {
            single_stream(body)?
        } else {
            unpack(body)?
        };
        if used != length {
            return Err(CodecError::Trailing(length - used).into());
        }
        Block::of_body(body, end).map(Ok)
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
        let order = body.order.map(|order| Section::next(order, &mut end));
        let order = order.transpose()?;
        let mut streams = Vec::with_capacity(body.streams.len());
        for stream in body.streams {
            streams.push(BlockStream {
                from: stream.from.map(u64::from_le_bytes),
                reaches_back_to: stream.reaches_back_to,
                section: Section::next(stream.section, &mut end)?,
                states: match stream.states {
                    Some(states) => Some(Section::next(states, &mut end)?),
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
