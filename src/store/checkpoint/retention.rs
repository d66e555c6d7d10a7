//! Which checkpoints are kept: the newest ones, and before them ever fewer. So their number grows with the logarithm of
//! the log's length, and a question about a moment reads at most about as much before the moment as there is after it.
//! Only the newest keep their tombstones, which questions do not need. For what is sealed, the blocks themselves have the
//! states of their channels.
//!
//! **Invariant:** a part to which a kept checkpoint points is never removed.

use super::index::{is_of_this_log, read_index};
use super::keys::{self, MetadataKey, checkpoint_frames, whole_frames};
use crate::log::checkpoint::Index;
use crate::log::engine::Engine;
use crate::log::read::Log;
use crate::store::error::StoreError;
use std::collections::HashMap;

/// So many of the newest checkpoints are kept. What is not sealed yet has two or three, except behind a long ingest.
const NEWEST: usize = 4;

/// So many of the newest checkpoints keep their tombstones: the writer starts from one of them.
const WITH_TOMBSTONES: usize = 2;

/// So many checkpoints are dropped at a time: the writer waits for it. Only a store of an older program has more.
const DROPPED_AT_ONCE: usize = 16;

/// Drops the checkpoints that need not be kept, after a new one was saved.
pub(in crate::store) fn drop_excess(log: &Log) -> Result<(), StoreError> {
    let frames = checkpoint_frames(log.engine())?;
    let whole = drop_tombstones(log.engine())?;
    let mut dropped = excess(&frames);
    dropped.retain(|frame| whole.binary_search(frame).is_err());
    dropped.truncate(DROPPED_AT_ONCE);
    drop_all(log, &frames, &dropped)
}

/// Drops the checkpoints that no longer fit the log: those inside a sealed block. All that were made later must fit.
pub(in crate::store) fn drop_unusable(log: &Log) -> Result<(), StoreError> {
    let frames = checkpoint_frames(log.engine())?;
    let mut dropped = Vec::new();
    for &frame in &frames {
        if let Some(index) = read_index(log.engine(), frame)?
            && !is_of_this_log(log, &index)?
        {
            dropped.push(frame);
        }
    }
    drop_all(log, &frames, &dropped)
}

/// Drops the checkpoints up to the frame at which a pruned log begins. The newest one stays if no other is there: the writer
/// may still point to its parts.
pub(in crate::store) fn drop_pruned(log: &Log, frame: u64) -> Result<(), StoreError> {
    let frames = checkpoint_frames(log.engine())?;
    let before = frames.partition_point(|&checkpoint| checkpoint <= frame);
    drop_all(log, &frames, frames.get(..before).unwrap_or_default())
}

/// Drops the tombstones of all whole checkpoints but the newest, so far as no newer one needs them. Returns the frames of
/// those that are still whole.
fn drop_tombstones(engine: &dyn Engine) -> Result<Vec<u64>, StoreError> {
    let mut whole = whole_frames(engine)?;
    let older = whole.len().saturating_sub(WITH_TOMBSTONES);
    for (&frame, &after) in whole.iter().zip(whole.iter().skip(1)).take(older) {
        if let Some(index) = read_index(engine, frame)?
            && let Some(after) = read_index(engine, after)?
        {
            let needed = part_frames(&after);
            for part in index.channels.iter().filter(|part| part.tombstones) {
                if needed.get(&*part.channel) != Some(&part.frame) {
                    keys::remove(engine, MetadataKey::tombstones(&part.channel, part.frame))?;
                }
            }
        }
        keys::remove(engine, MetadataKey::Whole { frame })?;
    }
    Ok(whole.split_off(older))
}

/// The frames of the parts to which a checkpoint points.
fn part_frames(index: &Index) -> HashMap<&str, u64> {
    let parts = index.channels.iter();
    parts.map(|part| (&*part.channel, part.frame)).collect()
}

/// Drops some of all checkpoints.
fn drop_all(log: &Log, frames: &[u64], dropped: &[u64]) -> Result<(), StoreError> {
    let engine = log.engine();
    let kept = frames.iter().filter(|frame| !dropped.contains(frame));
    let kept: Vec<u64> = kept.copied().collect();
    for &frame in dropped {
        let (before, after) = kept.split_at(kept.partition_point(|&kept| kept < frame));
        let mut next = None;
        for &later in after {
            if let Some(index) = read_index(engine, later)?
                && is_of_this_log(log, &index)?
            {
                next = Some(index);
                break;
            }
        }
        if let Some(next) = next {
            drop_one(engine, frame, before.last().copied(), &next)?;
        }
    }
    Ok(())
}

/// The checkpoints to drop, of all that there are, in order. Each gap that is left between two checkpoints is at most
/// as long as the distance from it to the newest one, both in frames. Of any two gaps in a row one is at least half as
/// long as that, so their number is logarithmic.
fn excess(frames: &[u64]) -> Vec<u64> {
    let (mut old, recent) = frames.split_at(frames.len().saturating_sub(NEWEST));
    let (Some(&newest), Some(&first)) = (recent.last(), recent.first()) else {
        return Vec::new();
    };
    let mut dropped = Vec::new();
    // The last one that is kept.
    let mut kept = first;
    while let Some((&frame, older)) = old.split_last() {
        old = older;
        // Without any checkpoint reading begins before the first frame.
        let before = older.last().copied().unwrap_or(0);
        if kept - before <= newest - kept {
            dropped.push(frame);
        } else {
            kept = frame;
        }
    }
    dropped
}

/// Drops a checkpoint. `before` is the one before it that is kept, `after` the one after it.
fn drop_one(
    engine: &dyn Engine,
    frame: u64,
    before: Option<u64>,
    after: &Index,
) -> Result<(), StoreError> {
    if let Some(index) = read_index(engine, frame)? {
        let needed = part_frames(after);
        for part in &index.channels {
            // A part that is older than the checkpoint before may be needed by that one. One that is newer, and that
            // the checkpoint after does not need, is needed by no other, since each points to the last part.
            let is_new = before.is_none_or(|before| part.frame > before);
            if is_new && needed.get(&*part.channel) != Some(&part.frame) {
                keys::remove(engine, MetadataKey::tombstones(&part.channel, part.frame))?;
                keys::remove(engine, MetadataKey::channel(&part.channel, part.frame))?;
            }
        }
    }
    keys::remove(engine, MetadataKey::Whole { frame })?;
    // At the end: as long as it is there, a failure before this is made up for the next time.
    keys::remove(engine, MetadataKey::Trunk { frame })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The checkpoints that are left when one is made every `every` frames, up to the frame `end`.
    fn left(every: u64, end: u64) -> Vec<u64> {
        let mut frames = Vec::new();
        for frame in (every..=end).step_by(every as usize) {
            frames.push(frame);
            let dropped = excess(&frames);
            frames.retain(|frame| !dropped.contains(frame));
        }
        frames
    }

    #[test]
    fn the_newest_are_kept_and_of_the_others_ever_fewer() {
        assert_eq!(left(1, 4), [1, 2, 3, 4]);
        assert_eq!(left(1, 8), [3, 5, 6, 7, 8]);
        for (end, most) in [(100, 32), (1_000, 38), (100_000, 52)] {
            let left = left(1, end);
            assert!(left.len() <= most, "{}: {left:?}", left.len());
            assert!(left.ends_with(&[end - 3, end - 2, end - 1, end]));
            let begins = std::iter::once(&0).chain(&left);
            for (begin, end_of_gap) in begins.zip(&left) {
                let after = end - end_of_gap;
                assert!(end_of_gap - begin <= after.max(1), "{left:?}");
            }
        }
    }

    #[test]
    fn distances_count_and_not_how_many_there_are() {
        let mut frames = vec![1, 2, 3, 500_000, 600_000, 999_999];
        frames.extend(1_000_001..1_000_001 + NEWEST as u64);
        assert_eq!(excess(&frames), [3, 2, 1]);
    }
}
