//! The states that sealed blocks have of their channels: put there from the checkpoint at the begin of the block, and
//! restored for questions about one channel.

use super::index::read_index;
use super::keys::{self, MetadataKey};
use crate::domain::names::Names;
use crate::domain::state::State;
use crate::log::BaseHeader;
use crate::log::block::{Block, ChannelStateParts, StartStates};
use crate::log::checkpoint as wire;
use crate::log::frame::channel_hash;
use crate::log::read::Log;
use crate::store::error::StoreError;
use crate::store::read::{LogPosition, ScanScope, ScanStart, StateCursor};
use std::sync::Arc;

/// So many blocks are looked at for the state of a channel. It is missing only where it is large.
const LOOKED_AT_MAX: usize = 32;

/// The state at a place of the log, for a block that begins there: of those channels that the block `has`. `None` if
/// there is no checkpoint at this place.
pub(in crate::store) fn start_states(
    log: &Log,
    place: &LogPosition,
    has: impl Fn(u64) -> bool,
) -> Result<Option<StartStates>, StoreError> {
    if *place == LogPosition::default() {
        let trunk = wire::trunk_to_bytes(&State::new(), &Names::new())?;
        let channels = Default::default();
        return Ok(Some(StartStates { trunk, channels }));
    }
    let index = read_index(log.engine(), place.frame)?;
    let Some(index) = index.filter(|it| it.next == place.next && it.link == place.link) else {
        return Ok(None);
    };
    let mut states = StartStates {
        trunk: index.trunk,
        ..StartStates::default()
    };
    for part in &index.channels {
        let hash = channel_hash(&part.channel);
        if !has(hash) {
            continue;
        }
        let key = MetadataKey::channel(&part.channel, part.frame);
        let Some(bytes) = keys::get(log.engine(), key)? else {
            return Ok(None);
        };
        states.channels.insert(hash, bytes);
    }
    Ok(Some(states))
}

/// The cursor at the begin of the newest block at which a scope of one channel may begin. `None` where the scope may begin
/// behind all blocks, and where none has the channel's state.
pub(super) fn at_block(
    log: &Log,
    scope: &ScanScope<'_>,
) -> Result<Option<StateCursor>, StoreError> {
    let of_all = scope.known_at.is_none() && scope.last.is_none() && !scope.departed;
    let Some(channel) = scope.channel.filter(|_| of_all) else {
        return Ok(None);
    };
    let blocks = log.blocks();
    let is_pruned = |base: Arc<BaseHeader>| match scope.start {
        ScanStart::InEffectAt(at) => at < base.retained_from(),
        ScanStart::Behind(seq) => seq < base.seq,
        ScanStart::First | ScanStart::Seq(_) => true,
    };
    if blocks.base().is_some_and(is_pruned) {
        return Ok(None);
    }
    let mut next = match scope.start {
        ScanStart::InEffectAt(at) => blocks.first_beyond(at),
        ScanStart::Behind(seq) => blocks.with_seq(seq.saturating_add(1)),
        ScanStart::First | ScanStart::Seq(_) => None,
    };
    let hash = channel_hash(channel);
    let mut left = LOOKED_AT_MAX;
    while let Some(block) = next {
        if block.may_have(hash) {
            if left == 0 {
                return Ok(None);
            }
            left -= 1;
            let parts = blocks.state(&block, hash)?;
            let cursor = parts.and_then(|parts| restore(&block, &parts, channel, scope));
            if cursor.is_some() {
                return Ok(cursor);
            }
        }
        next = blocks.before(&block);
    }
    Ok(None)
}

/// `None` if an older program wrote the parts, or they are of another channel with the same hash.
fn restore(
    block: &Block,
    parts: &ChannelStateParts,
    channel: &str,
    scope: &ScanScope<'_>,
) -> Option<StateCursor> {
    let mut cursor = StateCursor::at_first(scope);
    let (state, names) = (&mut cursor.state, &mut cursor.names);
    wire::trunk_from_bytes(&parts.trunk, state, names).ok()?;
    if let Some(part) = &parts.channel {
        let name = wire::channel_from_bytes(part, state, names).ok()?;
        (names.text(name) == channel).then_some(())?;
    }
    wire::finish(state);
    cursor.needed = cursor.names.len() + cursor.names.members();
    cursor.place = LogPosition {
        next: block.position,
        frame: block.header.frame.checked_sub(1)?,
        link: block.header.link_before,
    };
    Some(cursor)
}
