//! The ids of lines that were recorded, in chunks, for the writer's start. What an id is good for is in `retries`.

use super::keys::{self, MetadataKey};
use crate::log::checkpoint as wire;
use crate::log::engine::Engine;
use crate::store::error::StoreError;
use crate::store::writer::content_hash::ContentHash;
use crate::store::writer::retries::Remembered;

/// Stores a chunk of retry ids, and before it their content hashes. Without these the ids still count as known.
pub(in crate::store) fn save_retries(
    engine: &dyn Engine,
    chunk: u64,
    ids: &[Remembered],
) -> Result<(), StoreError> {
    let said = ids.iter().map(|id| id.said.map_or(0, ContentHash::get));
    let said: Vec<u8> = said.flat_map(u64::to_le_bytes).collect();
    keys::put(engine, MetadataKey::Said { chunk }, &said)?;
    let rows: Vec<_> = ids.iter().map(|id| (id.key, id.observer, id.seq)).collect();
    keys::put(
        engine,
        MetadataKey::Retry { chunk },
        &wire::retries_to_bytes(&rows)?,
    )
}

/// A chunk of retry ids, if it is complete.
pub(in crate::store) fn load_retries(
    engine: &dyn Engine,
    chunk: u64,
) -> Result<Option<Vec<Remembered>>, StoreError> {
    let Some(bytes) = keys::get(engine, MetadataKey::Retry { chunk })? else {
        return Ok(None);
    };
    let Ok(rows) = wire::retries_from_bytes(&bytes) else {
        return Ok(None);
    };
    // An older program did not store content hashes.
    let said = keys::get(engine, MetadataKey::Said { chunk })?.unwrap_or_default();
    let whole = said.len() == rows.len() * 8;
    let (said, _) = said.as_chunks::<8>();
    let of_row = |at: usize| said.get(at).filter(|_| whole).copied();
    let ids = rows.into_iter().enumerate().map(|(at, row)| {
        let (key, observer, seq) = row;
        Remembered {
            key,
            observer,
            seq,
            said: of_row(at)
                .map(u64::from_le_bytes)
                .and_then(ContentHash::new),
        }
    });
    Ok(Some(ids.collect()))
}

/// Removes a chunk of retry ids from the key values.
pub(in crate::store) fn drop_retries(engine: &dyn Engine, chunk: u64) -> Result<(), StoreError> {
    keys::remove(engine, MetadataKey::Retry { chunk })?;
    keys::remove(engine, MetadataKey::Said { chunk })
}
