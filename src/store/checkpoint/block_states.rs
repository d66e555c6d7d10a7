//! The states that sealed blocks have of their channels, restored for questions about one channel. How they get there is
//! the writer's business.

use crate::log::BaseHeader;
use crate::log::block::{Block, ChannelStateParts};
use crate::log::checkpoint as wire;
use crate::log::frame::channel_hash;
use crate::log::read::Log;
use crate::store::error::StoreError;
use crate::store::read::{LogPosition, ScanScope, ScanStart, StateCursor};
use std::sync::Arc;

/// A block that has the state of a scope's channel at its begin.
pub(super) struct StatedBlock {
    block: Arc<Block>,
    channel: u64,
    /// The scope begins in a block: no checkpoint need be looked for.
    pub is_sealed: bool,
}

/// The newest block that has the channel's state and at which a scope of that channel may begin.
pub(super) fn stated_block(log: &Log, scope: &ScanScope<'_>) -> Option<StatedBlock> {
    let of_all = scope.known_at.is_none() && scope.last.is_none() && !scope.departed;
    let channel = channel_hash(scope.channel.filter(|_| of_all)?);
    let blocks = log.blocks();
    let is_pruned = |base: Arc<BaseHeader>| match scope.start {
        ScanStart::InEffectAt(at) => at < base.retained_from(),
        ScanStart::Behind(seq) => seq < base.seq,
        ScanStart::First | ScanStart::Seq(_) => true,
    };
    if blocks.base().is_some_and(is_pruned) {
        return None;
    }
    let last = match scope.start {
        ScanStart::InEffectAt(at) => blocks.first_beyond(at),
        ScanStart::Behind(seq) => blocks.with_seq(seq.saturating_add(1)),
        ScanStart::First | ScanStart::Seq(_) => return None,
    };
    let position = last.as_ref().map_or(u64::MAX, |last| last.position);
    Some(StatedBlock {
        block: blocks.with_state(channel, position)?,
        channel,
        is_sealed: last.is_some(),
    })
}

impl StatedBlock {
    /// The engine's position where it begins.
    pub fn position(&self) -> u64 {
        self.block.position
    }

    /// The cursor at the begin of the block. `None` if its states are of another program, or it was pruned meanwhile.
    pub fn cursor(
        &self,
        log: &Log,
        scope: &ScanScope<'_>,
    ) -> Result<Option<StateCursor>, StoreError> {
        let parts = log.blocks().state(&self.block, self.channel)?;
        let channel = scope.channel.unwrap_or_default();
        Ok(parts.and_then(|parts| restore(&self.block, &parts, channel, scope)))
    }
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
    match scope.start {
        // What is known of the present is read elsewhere: other channels say nothing about a moment in this one.
        ScanStart::InEffectAt(_) => wire::trunk_of_channel(&parts.trunk, channel, state, names),
        _ => wire::trunk_from_bytes(&parts.trunk, state, names),
    }
    .ok()?;
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
