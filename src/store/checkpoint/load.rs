//! Finds the checkpoint at which a scope may begin, and restores the state there. What is read after it is in `read`.

use super::base::{beginning, place_at};
use super::block_states::stated_block;
use super::draft::PartFrames;
use super::index::{index, is_of_this_log};
use super::keys::{self, MetadataKey, checkpoint_frames};
use super::restore::{is_early, restore};
use crate::log::checkpoint as wire;
use crate::log::engine::Engine;
use crate::log::read::Log;
use crate::store::error::StoreError;
use crate::store::read::{ScanScope, ScanStart, StateCursor};

/// The cursor at the newest checkpoint at which `scope` may begin, or where the log begins.
pub(in crate::store) fn load(
    log: &Log,
    end: u64,
    scope: &ScanScope<'_>,
) -> Result<StateCursor, StoreError> {
    let engine = log.engine();
    match scope.start {
        ScanStart::First => return beginning(log, scope),
        ScanStart::Seq(seq) => return at_seq(log, seq, end),
        ScanStart::Behind(_) | ScanStart::InEffectAt(_) => {}
    }
    let mut block = stated_block(log, scope);
    if let Some(sealed) = block.take_if(|block| block.is_sealed)
        && let Some(cursor) = sealed.cursor(log, scope)?
    {
        return Ok(cursor);
    }
    let frames = checkpoint_frames(engine)?;
    let is_early = |index: &wire::Index| is_early(index, end, scope);
    // Usually the newest checkpoint fits. If one is early enough, so are all before it: so a binary search finds the
    // others. An unreadable checkpoint may be on either side.
    let early = |frame: &u64| index(engine, *frame).is_none_or(|index| is_early(&index));
    let sure = surely_early(log, scope);
    let (known, others) = frames.split_at(frames.partition_point(|&frame| frame <= sure));
    let more = match (others.first(), others.last()) {
        (Some(first), _) if !early(first) => 0,
        (_, Some(last)) if !early(last) => others.partition_point(early),
        _ => others.len(),
    };
    for &frame in frames.iter().take(known.len() + more).rev() {
        let Some(index) = index(engine, frame).filter(is_early) else {
            continue;
        };
        // Of the two places, reading begins at the later one.
        if let Some(later) = block.take_if(|block| index.next <= block.position())
            && let Some(cursor) = later.cursor(log, scope)?
        {
            return Ok(cursor);
        }
        if !is_of_this_log(log, &index)? {
            continue;
        }
        let part = |_, part: &wire::ChannelPart| {
            let (channel, frame) = (&part.channel, part.frame);
            let Some(bytes) = keys::get(engine, MetadataKey::channel(channel, frame))? else {
                return Ok(None);
            };
            let tombstones = if part.tombstones && scope.departed {
                keys::get(engine, MetadataKey::tombstones(channel, frame))?
            } else {
                None
            };
            Ok(Some((bytes.into(), tombstones.map(Into::into))))
        };
        if let Some(cursor) = restore(&index, scope, part)? {
            return Ok(cursor);
        }
    }
    let of_block = block.map_or(Ok(None), |block| block.cursor(log, scope))?;
    of_block.map_or_else(|| beginning(log, scope), Ok)
}

/// A frame up to which every checkpoint is early enough, by the headers of blocks, which are in memory; 0 if none is
/// known to be.
fn surely_early(log: &Log, scope: &ScanScope<'_>) -> u64 {
    if scope.last.is_some() || scope.known_at.is_some() {
        return 0;
    }
    match scope.start {
        ScanStart::First | ScanStart::Seq(_) => 0,
        ScanStart::Behind(seq) => log.blocks().last_frame_before(seq),
        ScanStart::InEffectAt(at) => log.blocks().last_frame_in_effect(at),
    }
}

/// A cursor without state, at the frame that holds the entry `seq`.
fn at_seq(log: &Log, seq: u64, end: u64) -> Result<StateCursor, StoreError> {
    if let Some(base) = log.blocks().base().filter(|base| seq <= base.seq) {
        return Err(StoreError::PastRetention {
            seq: base.seq,
            retained_from: base.retained_from(),
        });
    }
    Ok(StateCursor {
        place: place_at(log, log.find_seq(seq, end)?)?,
        ..StateCursor::default()
    })
}

/// The parts to which the newest checkpoint of this log points, and its chunks of retry ids; both empty if there is
/// no checkpoint.
pub(in crate::store) fn pointers(
    engine: &dyn Engine,
    cursor: &mut StateCursor,
) -> Result<(PartFrames, Vec<u64>), StoreError> {
    for frame in checkpoint_frames(engine)?.into_iter().rev() {
        let Some(index) = index(engine, frame) else {
            continue;
        };
        if index.frame == cursor.place.frame && index.link == cursor.place.link {
            let channels = index.channels.iter();
            let parts = channels
                .map(|part| (cursor.names.intern(&part.channel), part.frame))
                .collect();
            return Ok((parts, index.retry_chunks));
        }
    }
    Ok(Default::default())
}
