//! Makes a block of frames.

use super::envelope::BlockError;
use super::filter::ChannelFilter;
use super::object::Block;
use super::plain_frame::PlainFrame;
use super::sort::{EntryCounter, StreamSorter};
use super::states::StartStates;
use crate::log::codec::CodecError;
use crate::log::codec::bytes::put_varint;
use crate::log::frame::{self, CHANNELS_MAX, Channels, FrameError, FrameHeader};

/// Collects frames for a block.
#[derive(Debug, Default)]
pub struct BlockBuilder {
    /// What the frames so far have in common, and the position of the first one.
    first: Option<(FrameHeader, u64)>,
    frames: Vec<PlainFrame>,
    bytes: usize,
    counter: EntryCounter,
}

impl BlockBuilder {
    /// Entries so far.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.first.as_ref().map_or(0, |(header, _)| header.entries)
    }

    /// Bytes so far, before compression.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds the next frame, which has these values from this position on.
    ///
    /// # Errors
    /// The frame is damaged, or does not continue the chain.
    pub fn add<V: AsRef<[u8]>>(&mut self, position: u64, values: &[V]) -> Result<(), BlockError> {
        let (header, payload) = frame::payload(values)?;
        match &mut self.first {
            None => self.first = Some((header.clone(), position)),
            Some((first, _)) => join(first, &header)?,
        }
        let frame = PlainFrame {
            first_seq: header.first_seq,
            parts: header.parts,
            payload,
        };
        frame.read(&mut self.counter)?;
        self.bytes += frame.payload.len();
        self.frames.push(frame);
        Ok(())
    }

    /// The hashes of the channels that it has records of, each with the number of its entries.
    pub fn channels(&self) -> impl Iterator<Item = (u64, u64)> {
        self.counter
            .entries
            .iter()
            .map(|(&hash, &count)| (hash, count))
    }

    /// The block, and the bytes of its object; `None` without frames. `states` are states at its begin, if they are known.
    ///
    /// # Errors
    /// It would be too large.
    pub fn finish(
        self,
        states: Option<&StartStates>,
    ) -> Result<Option<(Block, Vec<u8>)>, BlockError> {
        let Some((header, position)) = self.first else {
            return Ok(None);
        };
        let mut sorter = StreamSorter::new(&self.counter.entries);
        let mut frames = Vec::new();
        for frame in &self.frames {
            let before = sorter.records;
            frame.read(&mut sorter)?;
            put_varint(&mut frames, u64::from(frame.parts));
            put_varint(&mut frames, sorter.records - before);
        }
        let filter = match &header.channels {
            Channels::These(_) => ChannelFilter::default(),
            Channels::Any => ChannelFilter::of(self.counter.entries.keys().copied()),
        };
        let sections = sorter.finish(&frames, filter, states)?;
        Block::encode(header, position, sections).map(Some)
    }
}

/// Adds the header of the frame that follows.
fn join(all: &mut FrameHeader, next: &FrameHeader) -> Result<(), BlockError> {
    let continues = next.frame == all.last_frame() + 1
        && next.link_before == all.link_after
        && next.first_seq == all.first_seq + all.entries;
    if !continues {
        return Err(FrameError::Disagree("the order of frames").into());
    }
    let widen = |range: &mut (i64, i64), other: (i64, i64)| {
        *range = (range.0.min(other.0), range.1.max(other.1));
    };
    if all.entries == 0 {
        (all.effective_at, all.recorded_at) = (next.effective_at, next.recorded_at);
    } else if next.entries > 0 {
        widen(&mut all.effective_at, next.effective_at);
        widen(&mut all.recorded_at, next.recorded_at);
    }
    all.reaches_back_to = all.reaches_back_to.min(next.reaches_back_to);
    all.frames += next.frames;
    let parts = all.parts.checked_add(next.parts);
    all.parts = parts.ok_or(CodecError::Number)?;
    all.entries += next.entries;
    all.commits += next.commits;
    all.pages += next.pages;
    all.rejects += next.rejects;
    all.progress += next.progress;
    all.unscoped |= next.unscoped;
    all.link_after = next.link_after;
    all.connected = next.connected;
    all.channels = match (
        std::mem::replace(&mut all.channels, Channels::Any),
        &next.channels,
    ) {
        (Channels::These(mut these), Channels::These(others)) => {
            these.extend_from_slice(others);
            these.sort_unstable();
            these.dedup();
            if these.len() > CHANNELS_MAX {
                Channels::Any
            } else {
                Channels::These(these)
            }
        }
        _ => Channels::Any,
    };
    Ok(())
}
