//! Restores the state at a checkpoint, wherever its parts are kept, and says at which checkpoints a scope may begin.

use crate::log::checkpoint as wire;
use crate::store::error::StoreError;
use crate::store::read::{Bookkeeping, LogPosition, ScanScope, ScanStart, StateCursor};
use std::borrow::Cow;

/// Whether everything that a scope asks for is in the checkpoint or comes after it.
pub(super) fn is_early(index: &wire::Index, end: u64, scope: &ScanScope<'_>) -> bool {
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
    // Only an earlier program made checkpoints without tombstones.
    let whole = index.whole || !scope.departed;
    whole
        && index.next <= end
        && scope.last.is_none_or(before)
        && scope.known_at.is_none_or(known)
        && starts
}

/// A channel's part of a checkpoint, and its tombstones, if it has any and they are wanted.
pub(super) type StoredPart<'a> = (Cow<'a, [u8]>, Option<Cow<'a, [u8]>>);

/// The cursor at a checkpoint, with all channels or with the one of a scope. `part` gives a channel's part, by its place in
/// the index. `None`: a part is missing or cannot be decoded.
pub(super) fn restore<'a>(
    index: &wire::Index,
    scope: &ScanScope<'_>,
    part: impl Fn(usize, &wire::ChannelPart) -> Result<Option<StoredPart<'a>>, StoreError>,
) -> Result<Option<StateCursor>, StoreError> {
    let StateCursor {
        mut state,
        mut names,
        ..
    } = StateCursor::at_first(scope);
    if wire::trunk_from_bytes(&index.trunk, &mut state, &mut names).is_err() {
        return Ok(None);
    }
    let parts = index.channels.iter().enumerate();
    let wanted = |channel: &str| scope.channel.is_none_or(|only| channel == only);
    for (at, of) in parts.filter(|(_, of)| wanted(&of.channel)) {
        let Some((bytes, tombstones)) = part(at, of)? else {
            return Ok(None);
        };
        if wire::channel_from_bytes(&bytes, &mut state, &mut names).is_err() {
            return Ok(None);
        }
        if !of.tombstones || !scope.departed {
            continue;
        }
        let mut read =
            |bytes: Cow<'_, [u8]>| wire::tombstones_from_bytes(&bytes, &mut state, &mut names);
        if tombstones.and_then(|bytes| read(bytes).ok()).is_none() {
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
        open: None,
    }))
}
