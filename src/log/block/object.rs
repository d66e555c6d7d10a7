//! The bytes of a block.

use super::channels::BlockChannels;
use super::envelope::{BlockError, NewSection, ObjectFront, Section, front, read_front};
use crate::domain::time::Millis;
use crate::limits::FRAME_BYTES_MAX;
use crate::log::codec::CodecError;
use crate::log::codec::bytes::{pack, unpack};
use crate::log::codec::header::{
    BlockBody, HeaderBody, SectionBody, SinglePayloadBody, StreamBody,
};
use crate::log::frame::{FrameError, FrameHeader, STREAMS_MAX};

/// The first bytes of every block.
const MAGIC: [u8; 4] = [0xF5, b'R', b'b', 0xFD];
/// The format of blocks with many streams, the newest.
const MANY_STREAMS: u8 = 4;
/// The format of blocks with at most [`FEW_STREAMS`] streams.
const CHANNELS: u8 = 3;
/// The format whose headers say nothing of the block's channels.
const STREAMS_ONLY: u8 = 2;
/// The first format: one payload instead of sections.
const SINGLE_PAYLOAD: u8 = 1;
/// More streams than these are many: once a byte of an order had a stream's number and a flag.
const FEW_STREAMS: usize = 128;
/// So much of an object is read at once for its header, which is rarely longer.
pub(super) const FRONT_BYTES: usize = 32 << 10;
/// zstd's level: higher ones cost several times as much and save little (`benches/README.md`).
const ZSTD_LEVEL: i32 = 9;

/// A block of which the header is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// What its frames have in common.
    pub header: FrameHeader,
    /// The engine's position of the first value that it stands for: its number.
    pub position: u64,
    /// Which frames it stands for, and in which order the records of the streams follow one another; `None` in the first
    /// format.
    order: Option<Section>,
    streams: Vec<BlockStream>,
    /// Where the streams behind the first one begin: side by side, since every question looks for one.
    starts: Vec<u64>,
    /// What it says of its channels; `None` in the earlier formats.
    channels: Option<BlockChannels>,
    /// Bytes of the object.
    bytes: usize,
}

/// Where a stream is. Each channel has all its records in one stream: the last one that begins at its hash or before.
#[derive(Debug, Clone, PartialEq, Eq)]
struct BlockStream {
    /// The hash of its first channel; `None`: the stream has the records of no single channel.
    from: Option<u64>,
    /// The earliest moment in its entries, but for those of channels in [`BlockChannels::far`].
    reaches_back_to: Millis,
    section: Section,
    states: Option<Section>,
}

/// What a block has besides its header. Which format it has follows from what it has.
pub(super) struct NewSections<'o> {
    pub order: Option<NewSection<'o>>,
    pub streams: Vec<NewStream<'o>>,
    pub channels: Option<BlockChannels>,
}

/// A stream of a block that is being made.
pub(super) struct NewStream<'o> {
    pub from: Option<u64>,
    pub reaches_back_to: Millis,
    pub payload: NewSection<'o>,
    /// The states of its channels, if they are known.
    pub states: Option<NewSection<'o>>,
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

    /// The earliest moment in any entry that a reader of the channel with this hash, or of all channels, reads.
    #[must_use]
    pub fn reaches_back_to(&self, channel: Option<u64>) -> Millis {
        let Some(channel) = channel else {
            return self.header.reaches_back_to;
        };
        let mut streams = self.read_for(channel);
        let reach = |stream: &BlockStream| stream.reaches_back_to;
        let first = streams.next().map_or(Millis::MIN, reach);
        let far = self.channels.as_ref().and_then(|it| it.far(channel));
        let own = far.unwrap_or_else(|| streams.next().map_or(Millis::MAX, reach));
        first.min(own)
    }

    /// Whether the block may touch the channel with this hash.
    #[must_use]
    pub fn may_touch(&self, channel: u64) -> bool {
        let header = &self.header;
        let channels = self.channels.as_ref();
        let may_have = || channels.is_none_or(|channels| channels.filter.may_have(channel));
        header.may_touch(channel) && (header.unscoped || may_have())
    }

    /// Whether it has the state of the channel with this hash at its begin.
    pub(super) fn has_state(&self, channel: u64) -> bool {
        let channels = self.channels.as_ref();
        channels.is_some_and(|channels| channels.has_state(channel))
    }

    /// Whether its states are of these channels, by their hashes. In the second format that is not known.
    pub(super) fn has_states_of(&self, stated: &[u64]) -> bool {
        let channels = self.channels.as_ref();
        channels.is_none_or(|channels| channels.stated == stated)
    }

    /// The sections with the states of the first stream and of the one with the channel of this hash; `None` if the block does
    /// not have its state.
    pub(super) fn states(&self, channel: u64) -> Option<(Section, Section)> {
        if !self.has_state(channel) {
            return None;
        }
        let mut read = self.read_for(channel);
        let first = read.next()?;
        let own = read.next().unwrap_or(first);
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
        let own = channel.map(|channel| self.own_stream(channel));
        let streams = self.streams.iter().enumerate();
        streams.map(move |(number, stream)| {
            let wanted = own.is_none_or(|own| number == 0 || number == own);
            wanted.then_some(stream.section)
        })
    }

    /// Bytes of the streams that a reader of the channel with this hash needs, or of all, before compression.
    pub(in crate::log) fn plain_bytes(&self, channel: Option<u64>) -> u64 {
        let sections = self.sections(channel).flatten();
        let lengths = sections.map(|section| section.plain_len());
        lengths.fold(0, u64::saturating_add)
    }

    /// The streams that a reader of the channel with this hash needs: the first one, and its own.
    fn read_for(&self, channel: u64) -> impl Iterator<Item = &BlockStream> {
        let own = self.own_stream(channel);
        let own = self.streams.get(own).filter(|_| own > 0);
        self.streams.first().into_iter().chain(own)
    }

    /// The number of the stream with the channel of this hash; 0 where there is none of its own.
    fn own_stream(&self, channel: u64) -> usize {
        self.starts.partition_point(|&from| from <= channel)
    }

    /// The sections of a block, as they are stored in the object of which these are all bytes.
    pub(super) fn new_sections<'o>(&self, object: &'o [u8]) -> Result<NewSections<'o>, BlockError> {
        let section = |section| NewSection::of(section, object);
        let streams = self.streams.iter().map(|stream| {
            Ok(NewStream {
                from: stream.from,
                reaches_back_to: stream.reaches_back_to,
                payload: section(stream.section)?,
                states: stream.states.map(section).transpose()?,
            })
        });
        Ok(NewSections {
            order: self.order.map(section).transpose()?,
            streams: streams.collect::<Result<_, BlockError>>()?,
            channels: self.channels.clone(),
        })
    }

    /// Makes the object of a block from its sections. `header` has everything but the payload's length.
    pub(super) fn encode(
        mut header: FrameHeader,
        position: u64,
        sections: NewSections<'_>,
    ) -> Result<(Block, Vec<u8>), BlockError> {
        let NewSections {
            order,
            streams,
            channels,
        } = sections;
        let plain_len = streams.iter().map(|stream| stream.payload.plain_len());
        let plain_len = plain_len.sum();
        if plain_len > FRAME_BYTES_MAX {
            return Err(FrameError::TooLarge(plain_len).into());
        }
        header.plain_len = plain_len as u64;
        let mut stored = Vec::with_capacity(plain_len / 4);
        let store = |section: NewSection<'_>, stored: &mut Vec<u8>| {
            section.store(ZSTD_LEVEL, stored).map(Some)
        };
        let order = order.map_or(Ok(None), |order| store(order, &mut stored))?;
        let streams = streams.into_iter().map(|stream| {
            Ok(StreamBody {
                from: stream.from.map(u64::to_le_bytes),
                reaches_back_to: stream.reaches_back_to,
                section: stream.payload.store(ZSTD_LEVEL, &mut stored)?,
                states: stream
                    .states
                    .map_or(Ok(None), |states| store(states, &mut stored))?,
            })
        });
        let body = BlockBody {
            frame: header.frame,
            frames: header.frames,
            position,
            positions: header.parts,
            header: header.body(),
            order,
            streams: streams.collect::<Result<_, BlockError>>()?,
        };
        let mut packed = Vec::with_capacity(1_024);
        let version = match (&channels, &body.order) {
            (Some(channels), _) => {
                pack(&body, &mut packed)?;
                pack(&channels.body(), &mut packed)?;
                if body.streams.len() > FEW_STREAMS {
                    MANY_STREAMS
                } else {
                    CHANNELS
                }
            }
            (None, Some(_)) => {
                pack(&body, &mut packed)?;
                STREAMS_ONLY
            }
            (None, None) => {
                pack(&single_payload(&body, header.body()), &mut packed)?;
                SINGLE_PAYLOAD
            }
        };
        let mut bytes = front(MAGIC, version, &packed)?;
        let block = Block::of_body(body, channels, bytes.len())?;
        bytes.extend_from_slice(&stored);
        Ok((block, bytes))
    }

    /// Reads the header of an object of which these are all bytes.
    pub(super) fn of_object(object: &[u8]) -> Result<Block, BlockError> {
        Block::decode(object)?.map_err(|needed| BlockError::too_short(needed, object))
    }

    /// Reads the header at the front of an object; `Err` with the bytes that are needed if there are too few.
    pub(super) fn decode(bytes: &[u8]) -> Result<Result<Block, usize>, BlockError> {
        let ObjectFront { version, body, end } = match read_front(
            bytes,
            MAGIC,
            &[SINGLE_PAYLOAD, STREAMS_ONLY, CHANNELS, MANY_STREAMS],
        )? {
            Ok(front) => front,
            Err(needed) => return Ok(Err(needed)),
        };
        let (block, used) = match version {
            SINGLE_PAYLOAD => single_stream(body)?,
            _ => unpack(body)?,
        };
        if (version == MANY_STREAMS) != (block.streams.len() > FEW_STREAMS) {
            return Err(FrameError::Disagree("the block's streams").into());
        }
        let rest = body.get(used..).unwrap_or_default();
        let (channels, used) = match version {
            CHANNELS | MANY_STREAMS => {
                let (channels, used) = unpack(rest)?;
                (Some(BlockChannels::of_body(channels)?), used)
            }
            _ => (None, 0),
        };
        if used != rest.len() {
            return Err(CodecError::Trailing(rest.len() - used).into());
        }
        Block::of_body(block, channels, end).map(Ok)
    }

    /// The block of a header that ends at the byte `at`.
    fn of_body(
        body: BlockBody,
        channels: Option<BlockChannels>,
        at: usize,
    ) -> Result<Block, BlockError> {
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
        // So that nothing that is reckoned by it is larger than what the streams can be.
        let mut lengths = streams.iter().map(|stream| stream.section.plain_len());
        let plain = lengths.try_fold(0, |sum: u64, length| sum.checked_add(length));
        let plain = plain.filter(|&plain| plain <= FRAME_BYTES_MAX as u64);
        if plain != Some(header.plain_len) || header.entries > header.plain_len {
            return Err(FrameError::Disagree("the block's length").into());
        }
        let sorted = streams.is_sorted_by(|a, b| a.from < b.from);
        let begins = streams.first().is_some_and(|first| first.from.is_none());
        if !begins || streams.len() > STREAMS_MAX || !sorted {
            return Err(FrameError::Disagree("the block's streams").into());
        }
        Ok(Block {
            header,
            position: body.position,
            order,
            starts: streams.iter().filter_map(|stream| stream.from).collect(),
            streams,
            channels,
            bytes: end,
        })
    }
}

/// The header of a block of the first format. Its only stream is its payload.
fn single_payload(body: &BlockBody, header: HeaderBody) -> SinglePayloadBody {
    let payload = body.streams.first().map(|stream| stream.section);
    SinglePayloadBody {
        frame: body.frame,
        frames: body.frames,
        position: body.position,
        positions: body.positions,
        payload_len: payload.map_or(0, |payload| payload.stored_len),
        header,
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
