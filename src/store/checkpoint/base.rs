//! The state where the log begins: nothing, or what the base of a pruned log says. Making one is the business of `retained`.

use super::restore::{is_early, restore};
use crate::domain::gaps::ChannelGaps;
use crate::domain::names::{NameId, NumberMap};
use crate::domain::stay::OpenStays;
use crate::log::block::{BaseObject, BlockError};
use crate::log::checkpoint as wire;
use crate::log::engine::JournalError;
use crate::log::read::Log;
use crate::log::{BaseChannel, BaseContent, BaseHeader, BaseId};
use crate::store::error::StoreError;
use crate::store::read::{LogPosition, OpenFolds, ScanScope, ScanStart, StateCursor};
use std::borrow::Cow;

/// The cursor where the log begins, for a scope.
///
/// # Errors
/// [`StoreError::PastRetention`] if the scope asks for something before it.
pub(in crate::store) fn beginning(
    log: &Log,
    scope: &ScanScope<'_>,
) -> Result<StateCursor, StoreError> {
    if log.blocks().base().is_none() {
        return Ok(StateCursor::at_first(scope));
    }
    let object = log.blocks().read_base()?;
    let content = object.content().map_err(|error| damaged(&error))?;
    let index = wire::index_from_bytes(&content.index).map_err(|error| damaged(&error.into()))?;
    let asked = ScanScope {
        // A base is no checkpoint right after its last entry, of which the state could still be asked.
        start: match scope.start {
            ScanStart::First | ScanStart::Seq(_) => ScanStart::Behind(u64::MAX),
            start => start,
        },
        ..*scope
    };
    if !is_early(&index, u64::MAX, &asked) {
        return Err(past(&object.header, scope));
    }
    let part = |at: usize, _: &wire::ChannelPart| {
        let channel = content.channels.get(at);
        Ok(channel.map(|channel| {
            let tombstones = channel.tombstones.as_deref();
            (Cow::Borrowed(&*channel.part), tombstones.map(Cow::Borrowed))
        }))
    };
    let restored = restore(&index, scope, part)?;
    let mut cursor = restored.ok_or_else(|| unreadable("it has another version"))?;
    if cursor.place != place(&object.header) {
        return Err(unreadable("it says two places"));
    }
    let names = index.channels.iter().map(|part| &*part.channel);
    let mut open = folds(&cursor, names, content.channels)?;
    open.retained_from = object.header.retained_from();
    cursor.open = Some(Box::new(open));
    Ok(cursor)
}

/// The place where a pruned log begins.
fn place(base: &BaseHeader) -> LogPosition {
    LogPosition {
        next: base.next,
        frame: base.frame,
        link: base.link,
    }
}

/// The place before the frame that begins at a position of the engine.
pub(in crate::store) fn place_at(log: &Log, next: u64) -> Result<LogPosition, StoreError> {
    if let Some(header) = log.header_ending_before(next)? {
        return Ok(LogPosition {
            next,
            frame: header.last_frame(),
            link: header.link_after,
        });
    }
    let base = log.blocks().base().filter(|base| base.next == next);
    let first = LogPosition {
        next,
        ..LogPosition::default()
    };
    Ok(base.map_or(first, |base| place(&base)))
}

/// What questions remember of the entries before the base, for the channels that the state has.
fn folds<'a>(
    cursor: &StateCursor,
    names: impl Iterator<Item = &'a str>,
    channels: Vec<BaseChannel>,
) -> Result<OpenFolds, StoreError> {
    let mut joins = Vec::new();
    let mut gaps: NumberMap<NameId, ChannelGaps> = NumberMap::default();
    for (name, base) in names.zip(channels) {
        let name = cursor.names.find(name);
        let Some((name, channel)) = name.and_then(|name| Some((name, cursor.state.channel(name)?)))
        else {
            // The scope is of another channel.
            continue;
        };
        if channel.roster().len() != base.stays.len() {
            return Err(unreadable("it does not know when each member came"));
        }
        let members = channel.roster().iter().copied();
        joins.extend(members.zip(base.stays));
        gaps.insert(name, ChannelGaps::between(base.gaps, base.loose));
    }
    Ok(OpenFolds {
        stays: OpenStays::of(joins),
        gaps,
        ..OpenFolds::default()
    })
}

/// The ids of lines that the base remembers; none without a base.
pub(in crate::store) fn base_ids(log: &Log) -> Result<Vec<BaseId>, StoreError> {
    match log.blocks().base() {
        Some(base) if base.ids > 0 => Ok(read_content(log)?.ids),
        _ => Ok(Vec::new()),
    }
}

fn read_content(log: &Log) -> Result<BaseContent, StoreError> {
    let object: BaseObject = log.blocks().read_base()?;
    object.content().map_err(|error| damaged(&error))
}

/// The error for a scope that asks for something before the base.
fn past(base: &BaseHeader, scope: &ScanScope<'_>) -> StoreError {
    let known = scope.known_at.filter(|&at| at < base.recorded_at);
    StoreError::PastRetention {
        seq: base.seq,
        retained_from: known.map_or(base.retained_from(), |_| base.recorded_at),
    }
}

fn damaged(error: &BlockError) -> StoreError {
    unreadable(&error.to_string())
}

fn unreadable(what: &str) -> StoreError {
    JournalError::Base(what.to_owned()).into()
}
