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

/// The states in blocks need about this part of the bytes of the entries, before compression. A channel's state is stored
/// again when its entries since the last time have paid for it: so it is never many entries back, and states never need
/// more room than that, however many members are present.
const STATES_PART: u64 = 4;

/// So large a part of that is free for what belongs to no channel.
const TRUNK_FREE: u64 = 64 << 10;

/// The bytes of a channel's state, about: without members, and for each present one.
const STATE_BYTES: u64 = 160;
const MEMBER_BYTES: u64 = 32;

/// The state where the sealed part of the log ends.
pub(in crate::store) struct SealedState {
    cursor: StateCursor,
    /// By the channel's hash, its entries since a block has had its state, as far as they are known.
    since: HashMap<u64, u64>,
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
        })
    }

    /// The engine's position of the next frame.
    pub fn next(&self) -> u64 {
        self.cursor.place.next
    }

    /// The states that a block gets which begins here.
    pub fn states_for(&mut self, block: &BlockBuilder) -> Result<Option<StartStates>, StoreError> {
        let StateCursor { state, names, .. } = &self.cursor;
        let trunk = wire::trunk_to_bytes(state, names)?;
        let bytes = block.bytes() as u64;
        if trunk.len() as u64 * STATES_PART > bytes.max(TRUNK_FREE) {
            return Ok(None);
        }
        let mut states = StartStates {
            trunk,
            channels: block.channels().map(|(hash, _)| (hash, None)).collect(),
        };
        let per_entry = bytes / block.entries().max(1);
        for (name, channel) in state.channels() {
            let hash = channel_hash(names.text(name));
            let Some(part) = states.channels.get_mut(&hash) else {
                continue;
            };
            let size = STATE_BYTES + MEMBER_BYTES * channel.roster().len() as u64;
            let since = self.since.get(&hash).copied();
            let paid = since
                .unwrap_or(limits::BLOCK_ENTRIES)
                .saturating_mul(per_entry);
            if size.saturating_mul(STATES_PART) <= paid {
                *part = wire::channel_to_bytes(state, name, names)?;
                self.since.insert(hash, 0);
            } else {
                states.channels.remove(&hash);
            }
        }
        for (hash, entries) in block.channels() {
            *self.since.entry(hash).or_default() += entries;
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
