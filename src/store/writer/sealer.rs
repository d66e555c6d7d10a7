//! Seals frames of the past into blocks: the writer's third thread, in the background. A block is stored, read back and
//! compared with the chain before readers see it, and only then are its frames removed from the engine: so a crash at any
//! moment leaves either the frames or the block, or both, of which the block counts.
//!
//! **Invariant:** the last frame is never sealed, so the engine always knows where the log ends.

use crate::domain::names::Names;
use crate::limits;
use crate::log::block::{Block, BlockBuilder, BlockError};
use crate::log::engine::{Durability, JournalError};
use crate::log::frame::{Check, FrameHeader};
use crate::log::read::{Frame, FrameBytes, ReadError};
use crate::store::checkpoint::{checkpoint_frames, start_states, whole_frames};
use crate::store::error::StoreError;
use crate::store::locks::held;
use crate::store::read::LogPosition;
use crate::store::shared::StoreShared;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// How many entries a block has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockSize {
    /// Fewer are not sealed yet.
    pub least: u64,
    /// At this many a block ends, at the next frame. It ends earlier where there is a checkpoint behind half of them:
    /// only at the end of a block can a checkpoint be used.
    pub most: u64,
}

/// Enough entries for two blocks: then the older half is sealed in the background.
pub(super) const DUE_ENTRIES: u64 = 2 * limits::BLOCK_ENTRIES;

/// All states need at most this part of the bytes of all blocks.
const STATES_PART: u64 = 4;

/// The writer is idle when nothing was committed for so long.
const IDLE: Duration = Duration::from_millis(200);

/// Seals in the background, whenever the committer wakes it, until the committer has ended or sealing fails.
pub(super) fn run(shared: &StoreShared, wakes: &Receiver<()>, ends: &AtomicBool) {
    let size = BlockSize {
        least: DUE_ENTRIES,
        most: limits::BLOCK_ENTRIES,
    };
    while wakes.recv().is_ok() {
        // While the writer is at work it needs the processor more; but the frames must not pile up.
        while shared.unsealed() < limits::UNSEALED_ENTRIES_MAX {
            match wakes.recv_timeout(IDLE) {
                Ok(()) => {}
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
        loop {
            if ends.load(Ordering::Relaxed) {
                return;
            }
            match shared.seal_next(size) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    shared.options.meter.sealing_failed(&error);
                    return;
                }
            }
        }
    }
}

/// The last entry of a block.
pub(in crate::store) fn sealed_up_to(header: &FrameHeader) -> u64 {
    header.first_seq + header.entries - 1
}

impl StoreShared {
    /// Durable entries that are in no block.
    pub fn unsealed(&self) -> u64 {
        let last = self.log.blocks().last();
        let sealed = last.map_or(0, |last| sealed_up_to(&last.header));
        self.published().seq.saturating_sub(sealed)
    }

    /// Seals the next block, if there is enough for it. Returns whether it did.
    pub fn seal_next(&self, size: BlockSize) -> Result<bool, StoreError> {
        let _sealing = held(&self.sealing);
        if self.unsealed() < size.least {
            return Ok(false);
        }
        let log = &self.log;
        let Some((block, bytes)) = self.next_block(size)? else {
            return Ok(false);
        };
        if self.options.durability != Durability::Power {
            // What a block stands for must not be lost behind it.
            log.engine().close()?;
        }
        log.blocks().put(&block, &bytes)?;
        self.read_back(&block)?;
        let next = block.next();
        log.blocks().publish(block);
        log.engine().trim(next)?;
        Ok(true)
    }

    /// Makes a block of the first frames that the engine holds.
    fn next_block(&self, size: BlockSize) -> Result<Option<(Block, Vec<u8>)>, StoreError> {
        let log = &self.log;
        let from = log.engine().first().max(log.blocks().end());
        let checkpoints = checkpoint_frames(log.engine())?;
        let whole = whole_frames(log.engine())?;
        let mut frames = log.frames(from, self.published().next);
        let mut builder = BlockBuilder::default();
        let mut next = frames.next_frame()?;
        while let Some(frame) = next {
            // The last frame stays.
            next = frames.next_frame()?;
            if next.is_none() {
                break;
            }
            let (number, position) = (frame.header().frame, frame.position());
            add(&mut builder, frame).map_err(|error| unsealable(position, error))?;
            let is_checkpoint = checkpoints.binary_search(&number).is_ok();
            let entries = builder.entries();
            if entries >= size.most
                || builder.bytes() >= limits::BLOCK_BYTES_MAX
                || is_checkpoint && entries >= size.most / 2
                // The writer must be able to start from it.
                || whole.binary_search(&number).is_ok()
            {
                break;
            }
        }
        let before = self.log.header_ending_before(from)?;
        let place = before.map_or_else(LogPosition::default, |before| LogPosition {
            next: from,
            frame: before.last_frame(),
            link: before.link_after,
        });
        let states = start_states(log, &place, |hash| builder.has_channel(hash))?;
        // Where many are present and little happens, fewer blocks have states.
        let bytes = log.blocks().bytes_without_states() + builder.bytes() as u64;
        let states = states.filter(|states| states.bytes() as u64 <= bytes / STATES_PART);
        let made = builder.finish(states.as_ref());
        made.map_err(|error| unsealable(from, error))
    }

    /// Reads a stored block to its end, and checks that the chain leads through it.
    fn read_back(&self, block: &Block) -> Result<(), StoreError> {
        let bytes = FrameBytes::Block(Arc::new(block.clone()), 0);
        let mut names = Names::new();
        let position = block.position;
        let mut records =
            bytes.open(self.log.blocks(), position, &mut names, Check::Chain, None)?;
        loop {
            match records.next(&names) {
                Ok(Some(_)) => {}
                Ok(None) => return Ok(()),
                Err(error) => return Err(ReadError::Frame { position, error }.into()),
            }
        }
    }
}

fn add(builder: &mut BlockBuilder, frame: Frame) -> Result<(), BlockError> {
    let position = frame.position();
    match frame.into_parts() {
        (_, FrameBytes::Values(values)) => builder.add(position, &values),
        // Blocks end before the first position that is read here.
        (_, FrameBytes::Block(..)) => Ok(()),
    }
}

fn unsealable(number: u64, error: BlockError) -> StoreError {
    match error {
        BlockError::Frame(error) => {
            let position = number;
            ReadError::Frame { position, error }.into()
        }
        error => {
            let what = error.to_string();
            JournalError::Block { number, what }.into()
        }
    }
}
