//! Opens a frame or block that was read, and gives its records. Those of a large block are decoded by a second thread.

use super::block::{Block, Blocks};
use super::engine::StoredValue;
use super::frame::{
    BlockPayload, Check, DecodedRecord, FrameError, FrameRecords, OpeningAhead, ReadScope,
    RecordsAhead, RosterStreams, channel_hash,
};
use super::read::{FrameBytes, ReadError};
use crate::domain::names::Names;
use crate::limits::AHEAD_BYTES_MIN;
use std::sync::{Arc, LazyLock};

impl FrameBytes {
    /// Begins to decode the records of the frame at a position.
    ///
    /// # Errors
    /// The frame or block is damaged.
    pub fn open(
        self,
        blocks: &Arc<Blocks>,
        position: u64,
        scope: ReadScope<'_>,
    ) -> Result<LogRecords, ReadError> {
        let (block, passed) = match self {
            FrameBytes::Values(values) => {
                let records = FrameRecords::open_for(values, scope);
                let records = records.map_err(|error| ReadError::Frame { position, error });
                return records.map(Box::new).map(LogRecords::Here);
            }
            FrameBytes::Block(block, passed) => (block, passed),
        };
        // To pass over records, and to compute the chain, all of them must be read.
        let all = passed > 0 || scope.check == Check::Chain;
        let channel: Option<Arc<str>> = scope.channel.filter(|_| !all).map(Arc::from);
        let bytes = block.plain_bytes(channel.as_deref().map(channel_hash));
        let ReadScope {
            check,
            texts,
            ahead,
            ..
        } = scope;
        let open = {
            let blocks = Arc::clone(blocks);
            move || {
                let channel = channel.as_deref();
                let scope = ReadScope {
                    check,
                    channel,
                    texts,
                    ahead,
                };
                open_block(&blocks, &block, passed, scope)
            }
        };
        if ahead
            && bytes >= AHEAD_BYTES_MIN
            && *HAS_CORES
            && let Ok(opening) = OpeningAhead::begin(open.clone())
        {
            return opening.wait().map(Box::new).map(LogRecords::Ahead);
        }
        open().map(Box::new).map(LogRecords::Here)
    }
}

/// Two threads can work at the same time.
pub(crate) static HAS_CORES: LazyLock<bool> =
    LazyLock::new(|| std::thread::available_parallelism().is_ok_and(|cores| cores.get() > 1));

fn open_block(
    blocks: &Blocks,
    block: &Block,
    passed: u64,
    scope: ReadScope<'_>,
) -> Result<FrameRecords<StoredValue>, ReadError> {
    let payload = payload(blocks, block, scope)?;
    let records = FrameRecords::of_block(block.header.clone(), payload, passed, scope);
    records.map_err(|error| ReadError::Frame {
        position: block.position,
        error,
    })
}

/// What is read of a block, decompressed.
fn payload(
    blocks: &Blocks,
    block: &Block,
    scope: ReadScope<'_>,
) -> Result<BlockPayload, ReadError> {
    let read = blocks.payload(block, scope.channel.map(channel_hash));
    let read = read.and_then(|payload| {
        if scope.check == Check::Chain {
            blocks.check_states(block)?;
        }
        Ok(payload)
    });
    match (read, blocks.base()) {
        // It may have been pruned since its header was read.
        (Err(_), Some(base)) if block.position < base.next => Err(ReadError::Pruned(base)),
        (payload, _) => Ok(payload?),
    }
}

/// Begins to read what a block means for rosters.
///
/// # Errors
/// The block is damaged, or was pruned.
pub fn rosters(blocks: &Blocks, block: &Block) -> Result<RosterStreams, ReadError> {
    let payload = payload(blocks, block, ReadScope::all(Check::Form))?;
    Ok(RosterStreams::of_block(payload, &block.header))
}

/// The records of a frame or block.
pub enum LogRecords {
    /// Decoded where they are read.
    Here(Box<FrameRecords<StoredValue>>),
    /// Decoded by a second thread.
    Ahead(Box<RecordsAhead>),
}

impl LogRecords {
    /// The next record; `None` after the last one. Its names and members are interned in `names`, which must be the same
    /// dictionary for all records of the frame.
    ///
    /// # Errors
    /// Those of [`FrameRecords::next`].
    pub fn next(&mut self, names: &mut Names) -> Result<Option<DecodedRecord<'_>>, FrameError> {
        let found = match self {
            LogRecords::Here(records) => records.next(names)?.is_some(),
            LogRecords::Ahead(records) => records.advance(names)?,
        };
        Ok(if found { self.current() } else { None })
    }

    /// The record to which [`next`](Self::next) led.
    #[inline]
    #[must_use]
    pub fn current(&self) -> Option<DecodedRecord<'_>> {
        match self {
            LogRecords::Here(records) => records.current(),
            LogRecords::Ahead(records) => records.current(),
        }
    }
}
