//! Finds the checkpoint at which a scope may begin, and restores the state there. What is read after it is in `read`.

use super::block_states::at_block;
use super::draft::PartFrames;
use super::index::{index, is_of_this_log};
use super::keys::{self, MetadataKey, checkpoint_frames};
use crate::log::checkpoint as wire;
use crate::log::engine::Engine;
use crate::log::read::Log;
use crate::store::error::StoreError;
use crate::store::read::{Bookkeeping, LogPosition, ScanScope, ScanStart, StateCursor};

/// The cursor at the newest checkpoint at which `scope` may begin, or before the first entry.
pub(in crate::store) fn load(
    log: &Log,
    end: u64,
    scope: &ScanScope<'_>,
) -> Result<StateCursor, StoreError> {
    let engine = log.engine();
    match scope.start {
        ScanStart::First => return Ok(StateCursor::at_first(scope)),
        ScanStart::Seq(seq) => return at_seq(log, seq, end),
        ScanStart::Behind(_) | ScanStart::InEffectAt(_) => {}
    }
    if let Some(cursor) = at_block(log, scope)? {
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
        if !is_of_this_log(log, &index)? {
            continue;
        }
        if let Some(cursor) = restore(engine, &index, scope)? {
            return Ok(cursor);
        }
    }
    Ok(StateCursor::at_first(scope))
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

/// Whether everything that a scope asks for is in the checkpoint or comes after it.
fn is_early(index: &wire::Index, end: u64, scope: &ScanScope<'_>) -> bool {
    let known = |known_at| index.recorded_at <= known_at;
    // A checkpoint right after the last entry may hold pages that were recorded after that entry.
    let before = |last| index.seq < last;
    let starts = match scope.start {
        ScanStart::First | ScanStart::Seq(_) => false,
        ScanStart::Behind(seq) => index.seq <= seq,
        // A channel that the checkpoint does not have was not known then.
        ScanStart::InEffectAt(at) => {
            let mut parts = index.channels.iter();
            let part = parts.find(|part| scope.channel == Some(&part.channel));
            part.is_none_or(|part| part.effective_at <= at)
        }
    };
    let whole = index.whole || !scope.departed;
    whole
        && index.next <= end
        && scope.last.is_none_or(before)
        && scope.known_at.is_none_or(known)
        && starts
}

/// A cursor without state, at the frame that holds the entry `seq`.
fn at_seq(log: &Log, seq: u64, end: u64) -> Result<StateCursor, StoreError> {
    let next = log.find_seq(seq, end)?;
    let place = match log.header_ending_before(next)? {
        Some(header) => LogPosition {
            next,
            frame: header.last_frame(),
            link: header.link_after,
        },
        None => LogPosition {
            next,
            ..LogPosition::default()
        },
    };
    Ok(StateCursor {
        place,
        ..StateCursor::default()
    })
}

fn restore(
    engine: &dyn Engine,
    index: &wire::Index,
    scope: &ScanScope<'_>,
) -> Result<Option<StateCursor>, StoreError> {
    let StateCursor {
        mut state,
        mut names,
        ..
    } = StateCursor::at_first(scope);
    if wire::trunk_from_bytes(&index.trunk, &mut state, &mut names).is_err() {
        return Ok(None);
    }
    let only = scope.channel;
    for part in index
        .channels
        .iter()
        .filter(|part| only.is_none_or(|only| part.channel == only))
    {
        let Some(bytes) = keys::get(engine, MetadataKey::channel(&part.channel, part.frame))?
        else {
            return Ok(None);
        };
        if wire::channel_from_bytes(&bytes, &mut state, &mut names).is_err() {
            return Ok(None);
        }
        if !part.tombstones || !scope.departed {
            continue;
        }
        let key = MetadataKey::tombstones(&part.channel, part.frame);
        let Some(bytes) = keys::get(engine, key)? else {
            return Ok(None);
        };
        if wire::tombstones_from_bytes(&bytes, &mut state, &mut names).is_err() {
            return Ok(None);
        }
    }
    wire::finish(&mut state);
    let bookkeeping = Bookkeeping {
        sources: index.sources().into_iter().collect(),
        rejects: index.rejects,
        reject_bytes: index.reject_bytes,
    };
    let place = LogPosition {
        next: index.next,
        frame: index.frame,
        link: index.link,
    };
    Ok(Some(StateCursor {
        needed: names.len() + names.members(),
        state,
        names,
        bookkeeping,
        place,
    }))
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
