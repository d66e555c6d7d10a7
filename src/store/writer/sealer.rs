//! Seals frames of the past into blocks, and prunes what is too old: the writer's third thread, in the background. A block
//! is stored, read back and compared with the chain before readers see it, and only then are its frames removed from the
//! engine: so a crash at any moment leaves either the frames or the block, or both, of which the block counts.
//!
//! **Invariant:** the last frame is never sealed, so the engine always knows where the log ends.

use super::pruner::Pruned;
use super::sealed_state::SealedState;
use crate::domain::time::Millis;
use crate::limits;
use crate::log::block::{Block, BlockBuilder, BlockError};
use crate::log::engine::{Durability, JournalError};
use crate::log::frame::FrameHeader;
use crate::log::read::{Frame, FrameBytes, ReadError};
use crate::store::checkpoint::{checkpoint_frames, whole_frames};
use crate::store::error::StoreError;
use crate::store::locks::held;
use crate::store::shared::StoreShared;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// How many entries a block has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockSize {
    /// Fewer are not sealed yet.
    pub least: u64,
    /// At about this many a block ends, at the next frame. It ends at a checkpoint behind an eighth of them, or within an
    /// eighth more: so that questions can begin there.
    pub most: u64,
}

/// Enough entries for two blocks: then the older half is sealed in the background.
pub(super) const DUE_ENTRIES: u64 = 2 * limits::BLOCK_ENTRIES;

/// The writer is idle when nothing was committed for so long.
const IDLE: Duration = Duration::from_millis(200);

/// Seals in the background, whenever the committer wakes it, and prunes from time to time, until the committer has ended.
/// After a failure it tries again when there is enough for another block.
pub(super) fn run(shared: &StoreShared, wakes: &Receiver<()>, ends: &AtomicBool) {
    let mut retention = Retention::new(shared.options.retain_ms);
    let mut due = DUE_ENTRIES;
    loop {
        match retention.wait(wakes) {
            Ok(()) => {
                if !is_idle(shared, wakes) {
                    return;
                }
                if shared.unsealed() >= due {
                    due = match seal_due(shared, ends) {
                        Ok(()) => DUE_ENTRIES,
                        Err(error) => {
                            shared.options.meter.sealing_failed(&error);
                            shared.unsealed() + limits::BLOCK_ENTRIES
                        }
                    };
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if let Err(error) = retention.prune_due(shared, ends, due) {
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

/// Seals what is due, until the writer ends.
fn seal_due(shared: &StoreShared, ends: &AtomicBool) -> Result<(), StoreError> {
    let size = BlockSize {
        least: DUE_ENTRIES,
        most: limits::BLOCK_ENTRIES,
    };
    while !ends.load(Ordering::Relaxed) && shared.seal_next(size)? {}
    Ok(())
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

    /// Prunes what may go, if it is time; piece by piece, and no longer once sealing is due, which is at so many unsealed entries.
    fn prune_due(
        &mut self,
        shared: &StoreShared,
        ends: &AtomicBool,
        due: u64,
    ) -> Result<(), StoreError> {
        let now = Instant::now();
        let Some(retain_ms) = self.retain_ms.filter(|_| now >= self.next) else {
            return Ok(());
        };
        self.next = now + Duration::from_millis(limits::PRUNE_EVERY_MS);
        let before = (shared.options.clock)().saturating_sub(retain_ms);
        while !ends.load(Ordering::Relaxed) && shared.unsealed() < due {
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
        let mut sealing = held(&self.sealing);
        if self.unsealed() < size.least {
            return Ok(false);
        }
        let log = &self.log;
        let from = log.engine().first().max(log.blocks().end());
        let known = sealing.take().filter(|state| state.next() == from);
        let mut state = match known {
            Some(state) => state,
            None => SealedState::at(log, from)?,
        };
        let Some((block, bytes)) = self.next_block(size, from, &mut state)? else {
            *sealing = Some(state);
            return Ok(false);
        };
        if self.options.durability != Durability::Power {
            // What a block stands for must not be lost behind it.
            log.engine().close()?;
        }
        log.blocks().put(&block, &bytes)?;
        // A state that was read halfway is not kept.
        state.read_back(log, block.clone())?;
        *sealing = Some(state);
        let next = block.next();
        let (entries, up_to) = (block.header.entries, sealed_up_to(&block.header));
        log.blocks().publish(block);
        log.engine().trim(next)?;
        self.options.meter.sealed(entries, up_to);
        Ok(true)
    }

    /// Makes a block of the first frames that the engine holds, from a position on. `state` is the state there.
    fn next_block(
        &self,
        size: BlockSize,
        from: u64,
        state: &mut SealedState,
    ) -> Result<Option<(Block, Vec<u8>)>, StoreError> {
        let log = &self.log;
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
        let states = state.states_for(&builder)?;
        let made = builder.finish(states.as_ref());
        made.map_err(|error| unsealable(from, error))
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
