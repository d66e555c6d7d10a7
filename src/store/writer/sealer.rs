//! Seals frames of the past into blocks, and prunes what is too old: the writer's third thread, in the background. A block
//! is stored, read back and compared with the chain before readers see it, and only then are its frames removed from the
//! engine: so a crash at any moment leaves either the frames or the block, or both, of which the block counts.
//!
//! **Invariant:** the last frame is never sealed, so the engine always knows where the log ends.

use super::pruner::Pruned;
use crate::domain::names::Names;
use crate::domain::time::Millis;
use crate::limits;
use crate::log::block::{Block, BlockBuilder, BlockError};
use crate::log::engine::{Durability, JournalError};
use crate::log::frame::{Check, FrameHeader};
use crate::log::read::{Frame, FrameBytes, ReadError};
use crate::store::checkpoint::{checkpoint_frames, place_at, start_states, whole_frames};
use crate::store::error::StoreError;
use crate::store::locks::held;
use crate::store::shared::StoreShared;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// How many entries a block has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockSize {
    /// Fewer are not sealed yet.
    pub least: u64,
    /// At about this many a block ends, at the next frame. It ends at a checkpoint behind an eighth of them, or within an
    /// eighth more: the next block then has the states of its channels.
    pub most: u64,
}

/// Enough entries for two blocks: then the older half is sealed in the background.
pub(super) const DUE_ENTRIES: u64 = 2 * limits::BLOCK_ENTRIES;

/// All states need at most this part of the bytes of all blocks.
const STATES_PART: u64 = 4;

/// The writer is idle when nothing was committed for so long.
const IDLE: Duration = Duration::from_millis(200);

/// Seals in the background, whenever the committer wakes it, and prunes from time to time, until the committer has ended
/// or sealing fails.
pub(super) fn run(shared: &StoreShared, wakes: &Receiver<()>, ends: &AtomicBool) {
    let mut retention = Retention::new(shared.options.retain_ms);
    loop {
        match retention.wait(wakes) {
            Ok(()) => {
                if !is_idle(shared, wakes) || !seal_due(shared, ends) {
                    return;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if let Err(error) = retention.prune_due(shared, ends) {
            // The next round tries again.
            shared.options.meter.sealing_failed(&error);
        }
    }
}

/// Waits until the writer is idle, or has left too much unsealed. Returns `false` once the committer has ended.
fn is_idle(shared: &StoreShared, wakes: &Receiver<()>) -> bool {
    // While the writer is at work it needs the processor more; but the frames must not pile up.
    while shared.unsealed() < limits::UNSEALED_ENTRIES_MAX {
        match wakes.recv_timeout(IDLE) {
            Ok(()) => {}
            Err(RecvTimeoutError::Timeout) => break,
            Err(RecvTimeoutError::Disconnected) => return false,
        }
    }
    true
}

/// Seals what is due. Returns `false` if it must stop.
fn seal_due(shared: &StoreShared, ends: &AtomicBool) -> bool {
    let size = BlockSize {
        least: DUE_ENTRIES,
        most: limits::BLOCK_ENTRIES,
    };
    loop {
        if ends.load(Ordering::Relaxed) {
            return false;
        }
        match shared.seal_next(size) {
            Ok(true) => {}
            Ok(false) => return true,
            Err(error) => {
                shared.options.meter.sealing_failed(&error);
                return false;
            }
        }
    }
}

/// When the background prunes.
struct Retention {
    /// What is older than this goes, ms; `None`: nothing goes.
    retain_ms: Option<Millis>,
    next: Instant,
    /// When something was last pruned.
    pruned: Option<Instant>,
}

/// So long after the last time even a few entries go.
const PRUNED_AT_LEAST: Duration = Duration::from_secs(86_400);

impl Retention {
    fn new(retain_ms: Option<Millis>) -> Retention {
        Retention {
            retain_ms,
            next: Instant::now(),
            pruned: None,
        }
    }

    /// Waits to be woken, or until the next round.
    fn wait(&self, wakes: &Receiver<()>) -> Result<(), RecvTimeoutError> {
        match self.retain_ms {
            Some(_) => wakes.recv_timeout(self.next.saturating_duration_since(Instant::now())),
            None => wakes.recv().map_err(|_| RecvTimeoutError::Disconnected),
        }
    }

    /// Prunes what may go, if it is time; piece by piece, and no longer once sealing is due.
    fn prune_due(&mut self, shared: &StoreShared, ends: &AtomicBool) -> Result<(), StoreError> {
        let now = Instant::now();
        let Some(retain_ms) = self.retain_ms.filter(|_| now >= self.next) else {
            return Ok(());
        };
        self.next = now + Duration::from_millis(limits::PRUNE_EVERY_MS);
        let before = (shared.options.clock)().saturating_sub(retain_ms);
        while !ends.load(Ordering::Relaxed) && shared.unsealed() < DUE_ENTRIES {
            let long_ago = self.pruned.is_none_or(|at| at.elapsed() >= PRUNED_AT_LEAST);
            let is_enough =
                |plan: &Pruned| plan.blocks > 0 || plan.entries >= limits::PRUNED_MIN || long_ago;
            let pruned = shared.prune(before, limits::PRUNED_AT_ONCE, is_enough)?;
            if pruned.entries > 0 {
                self.pruned = Some(Instant::now());
            }
            if pruned.entries < limits::PRUNED_AT_ONCE {
                break;
            }
        }
        Ok(())
    }
}

/// The last entry of a block.
pub(in crate::store) fn sealed_up_to(header: &FrameHeader) -> u64 {
    header.first_seq + header.entries - 1
}

impl StoreShared {
    /// The last entry that is in a block, or was pruned.
    pub fn sealed(&self) -> u64 {
        let blocks = self.log.blocks();
        match blocks.last() {
            Some(last) => sealed_up_to(&last.header),
            None => blocks.base().map_or(0, |base| base.seq),
        }
    }

    /// Durable entries that are in no block.
    pub fn unsealed(&self) -> u64 {
        self.published().seq.saturating_sub(self.sealed())
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
            let is_full = entries >= size.most
                && (entries >= size.most + size.most / 8 || checkpoints.last() <= Some(&number));
            if is_full
                || builder.bytes() >= limits::BLOCK_BYTES_MAX
                || is_checkpoint && entries >= size.most / 8
                // The writer must be able to start from it.
                || whole.binary_search(&number).is_ok()
            {
                break;
            }
        }
        let place = place_at(log, from)?;
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
