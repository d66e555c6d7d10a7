//! Reads the index of a checkpoint, and says whether it is of this log.

use super::keys::{self, MetadataKey};
use crate::log::checkpoint as wire;
use crate::log::engine::Engine;
use crate::log::read::Log;
use crate::store::error::StoreError;

/// The index of a checkpoint. An index that cannot be decoded counts as missing.
pub(super) fn read_index(
    engine: &dyn Engine,
    frame: u64,
) -> Result<Option<wire::Index>, StoreError> {
    let value = keys::get(engine, MetadataKey::Trunk { frame })?;
    Ok(value.and_then(|value| wire::index_from_bytes(&value).ok()))
}

/// The same, but an index that cannot be read counts as missing, too.
pub(super) fn index(engine: &dyn Engine, frame: u64) -> Option<wire::Index> {
    read_index(engine, frame).ok().flatten()
}

/// Whether the log has the checkpoint's frame with the same chain link.
pub(super) fn is_of_this_log(log: &Log, index: &wire::Index) -> Result<bool, StoreError> {
    let header = log.header_ending_before(index.next)?;
    Ok(header.is_some_and(|header| {
        header.last_frame() == index.frame && header.link_after == index.link
    }))
}
