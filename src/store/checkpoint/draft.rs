//! Makes a checkpoint: of a state whose frame is not written yet, then at its place, then saved. Reading one is in
//! `load`.

use super::keys::{self, MetadataKey};
use crate::domain::names::{NameId, NameTable, NumberMap};
use crate::domain::time::Millis;
use crate::log::engine::Engine;
use crate::log::{Progress, checkpoint as wire};
use crate::store::error::StoreError;
use crate::store::read::{LogPosition, StateCursor};

/// For each channel, the frame at which its last part was written.
pub(crate) type PartFrames = NumberMap<NameId, u64>;

/// A checkpoint before its frame is written: it has the state, but not its place in the log.
pub(crate) struct PendingCheckpoint {
    /// The channels that have changed since the last checkpoint.
    changed: Vec<(NameId, Vec<u8>)>,
    /// The effective time of each channel.
    effective: Vec<(NameId, Millis)>,
    seq: u64,
    recorded_at: Millis,
    trunk: Vec<u8>,
    rejects: u64,
    reject_bytes: u64,
    sources: Vec<Progress>,
    retry_chunks: Vec<u64>,
}

/// Makes a pending checkpoint of the current state.
pub(crate) fn draft(
    cursor: &StateCursor,
    changed: &NumberMap<NameId, ()>,
    retry_chunks: &[u64],
) -> Result<PendingCheckpoint, StoreError> {
    let mut parts = Vec::with_capacity(changed.len());
    for &name in changed.keys() {
        if let Some(bytes) = wire::channel_to_bytes(&cursor.state, name, &cursor.names)? {
            parts.push((name, bytes));
        }
    }
    let channels = cursor.state.channels();
    Ok(PendingCheckpoint {
        changed: parts,
        effective: channels
            .map(|(name, channel)| (name, channel.effective_at()))
            .collect(),
        seq: cursor.state.head(),
        recorded_at: cursor.state.recorded_at(),
        trunk: wire::trunk_to_bytes(&cursor.state, &cursor.names)?,
        rejects: cursor.bookkeeping.rejects,
        reject_bytes: cursor.bookkeeping.reject_bytes,
        sources: cursor.bookkeeping.sources.iter().cloned().collect(),
        retry_chunks: retry_chunks.to_vec(),
    })
}

impl PendingCheckpoint {
    /// The checkpoint at its place, which is now known. `parts` has the frames of the channels' parts.
    pub fn finish(
        self,
        place: &LogPosition,
        parts: &mut PartFrames,
        names: &NameTable,
    ) -> Result<Checkpoint, StoreError> {
        let mut values = Vec::with_capacity(self.changed.len() + 1);
        for (name, bytes) in self.changed {
            values.push((MetadataKey::channel(names.text(name), place.frame), bytes));
            parts.insert(name, place.frame);
        }
        let of_part = |(name, effective_at): (NameId, Millis)| {
            let frame = *parts.get(&name)?;
            Some(wire::ChannelPart {
                channel: names.text(name).to_owned(),
                frame,
                effective_at,
            })
        };
        let mut index = wire::Index::at(place.next, place.frame, place.link);
        index.seq = self.seq;
        index.recorded_at = self.recorded_at;
        index.channels = self.effective.into_iter().filter_map(of_part).collect();
        index.rejects = self.rejects;
        index.reject_bytes = self.reject_bytes;
        index.retry_chunks = self.retry_chunks;
        index.trunk = self.trunk;
        let index = wire::index_to_bytes(index, &self.sources)?;
        let trunk = MetadataKey::Trunk { frame: place.frame };
        values.push((trunk, index));
        Ok(Checkpoint { values })
    }
}

/// A complete checkpoint. It is saved among the key values once its frame is durable.
pub(crate) struct Checkpoint {
    values: Vec<(MetadataKey, Vec<u8>)>,
}

impl Checkpoint {
    /// Adds a later checkpoint, which may point to parts of this one.
    pub fn followed_by(&mut self, later: Checkpoint) {
        self.values.extend(later.values);
    }

    /// Saves the values. The trunk makes the checkpoint valid, so it is last.
    pub fn save(&self, engine: &dyn Engine) -> Result<(), StoreError> {
        for (key, value) in &self.values {
            keys::put(engine, *key, value)?;
        }
        Ok(())
    }
}
