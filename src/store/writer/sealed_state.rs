//! The state where the sealed part of the log ends. It is what the blocks themselves say: each one is applied when it is read
//! back. The next block gets from it the states of some of its channels. What a block is, is the business of `log`.

use crate::limits;
use crate::log::block::{Block, BlockBuilder, StartStates};
use crate::log::checkpoint as wire;
use crate::log::frame::channel_hash;
use crate::log::read::Log;
use crate::store::checkpoint;
use crate::store::error::StoreError;
use crate::store::read::{ScanScope, ScanStart, ScopedFrame, ScopedFrames, StateCursor};
use std::collections::HashMap;

/// A trunk of so many bytes need not be paid for: what belongs to no channel is often as short.
const TRUNK_FREE: u64 = 16 << 10;

/// The bytes of a channel's state, at least about: without members, and for each present one.
const STATE_BYTES: u64 = 160;
const MEMBER_BYTES: u64 = 32;

/// The state where the sealed part of the log ends.
pub(in crate::store) struct SealedState {
    cursor: StateCursor,
    /// By the channel's hash, its entries since a block has had its state, as far as they are known.
    since: HashMap<u64, u64>,
    /// Bytes of the blocks since the last one that has a trunk.
    unpaid: u64,
}

impl SealedState {
    /// Reads the state at a place between two frames.
    pub fn at(log: &Log, next: u64) -> Result<SealedState, StoreError> {
        let scope = ScanScope {
            start: ScanStart::Behind(u64::MAX),
            ..ScanScope::default()
        };
        let mut cursor = checkpoint::load(log, next, &scope)?;
        ScopedFrames::new(log, &cursor, next, &scope).apply_rest(&mut cursor)?;
        Ok(SealedState {
            cursor,
            since: HashMap::new(),
            unpaid: 0,
        })
    }

    /// The engine's position of the next frame.
    pub fn next(&self) -> u64 {
        self.cursor.place.next
    }

    /// The states that a block gets which begins here; `None` where even those of no channel would take too much.
    pub fn states_for(&mut self, block: &BlockBuilder) -> Result<Option<StartStates>, StoreError> {
        let states = self.paid_for(block)?;
        for channel in states.iter().flat_map(|states| states.channels.keys()) {
            self.since.insert(*channel, 0);
        }
        for (channel, entries) in block.channels() {
            *self.since.entry(channel).or_default() += entries;
        }
        Ok(states)
    }

    /// The states for which entries have paid. States take at most as many bytes as entries, before compression: a channel's
    /// state is stored again once its entries since the last time have taken as many. So it is never many entries back, however
    /// many members are present.
    fn paid_for(&mut self, block: &BlockBuilder) -> Result<Option<StartStates>, StoreError> {
        let StateCursor { state, names, .. } = &self.cursor;
        let trunk = wire::trunk_to_bytes(state, names)?;
        self.unpaid += block.bytes() as u64;
        let costs = trunk.len() as u64;
        if costs > TRUNK_FREE && costs > self.unpaid {
            return Ok(None);
        }
        self.unpaid = 0;
        let mut states = StartStates {
            trunk,
            channels: block.channels().map(|(hash, _)| (hash, None)).collect(),
        };
        let per_entry = block.bytes() as u64 / block.entries().max(1);
        for (name, channel) in state.channels() {
            let hash = channel_hash(names.text(name));
            let Some(part) = states.channels.get_mut(&hash) else {
                continue;
            };
            let since = self.since.get(&hash).copied();
            let since = since.unwrap_or(limits::BLOCK_ENTRIES);
            let paid = since.saturating_mul(per_entry);
            // So that few are made in vain.
            if STATE_BYTES + MEMBER_BYTES * channel.roster().len() as u64 <= paid {
                *part = wire::channel_to_bytes(state, name, names)?;
            }
            let costs = part.as_ref().map(|part| part.len() as u64);
            if costs.is_none_or(|costs| costs > paid) {
                states.channels.remove(&hash);
            }
        }
        Ok(Some(states))
    }

    /// Reads a stored block to its end, and checks that the chain leads through it.
    pub fn read_back(&mut self, log: &Log, block: Block) -> Result<(), StoreError> {
        let mut frame = ScopedFrame::of_block(log, block);
        while let Some(record) = frame.next(&mut self.cursor)? {
            self.cursor.apply(&record);
        }
        self.cursor.forget_absent();
        Ok(())
    }
}
