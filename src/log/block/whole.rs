//! A block of which all bytes are at hand: what is in it, or its header where another part is damaged.

use super::envelope::BlockError;
use super::object::Block;
use crate::log::codec::bytes::unpack_borrowed;
use crate::log::codec::header::StatesBody;
use crate::log::frame::{BlockPayload, FrameHeader};

/// A block, decompressed.
pub(in crate::log) struct WholeBlock {
    pub block: Block,
    pub payload: BlockPayload,
    /// Its states are those that its header names. They are no part of what is logged.
    pub states_fit: bool,
}

impl WholeBlock {
    /// Reads all sections of a block.
    ///
    /// # Errors
    /// One of them is damaged, except for states; with the header, if that is not.
    pub fn read(bytes: &[u8]) -> Result<WholeBlock, (BlockError, Option<Box<FrameHeader>>)> {
        let block = Block::of_object(bytes).map_err(|error| (error, None))?;
        match payload(&block, bytes) {
            Ok(payload) => Ok(WholeBlock {
                states_fit: bytes.len() == block.bytes() && states_fit(&block, bytes),
                block,
                payload,
            }),
            Err(error) => Err((error, Some(Box::new(block.header)))),
        }
    }
}

fn payload(block: &Block, bytes: &[u8]) -> Result<BlockPayload, BlockError> {
    let order = block.order().map(|section| section.plain_of(bytes));
    let streams = block.sections(None);
    Ok(BlockPayload {
        order: order.transpose()?,
        streams: streams
            .map(|section| section.map(|it| it.plain_of(bytes)).transpose())
            .collect::<Result<_, BlockError>>()?,
    })
}

fn states_fit(block: &Block, bytes: &[u8]) -> bool {
    let mut stated = Vec::new();
    for section in block.all_states() {
        let Ok(plain) = section.plain_of(bytes) else {
            return false;
        };
        let Ok((states, _)) = unpack_borrowed::<StatesBody<'_>>(&plain) else {
            return false;
        };
        let channels = states.channels.into_iter();
        stated.extend(channels.map(|(hash, _)| u64::from_le_bytes(hash)));
    }
    block.has_states_of(&stated)
}
