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
    /// The parts of channels that have changed since the last checkpoint.
    parts: Vec<(NameId, Vec<u8>)>,
    /// Their tombstones.
    tombstones: Vec<(NameId, Vec<u8>)>,
    /// All channels, each with its effective time, and whether it has tombstones.
    channels: Vec<(NameId, Millis, bool)>,
    seq: u64,
    recorded_at: Millis,
    trunk: Vec<u8>,
    rejects: u64,
    reject_bytes: u64,
    sources: Vec<Progress>,
    retry_chunks: Vec<u64>,
}

/// Makes a pending checkpoint of the current state. `changed`: the channels that have changed since the last checkpoint.
pub(crate) fn draft(
    cursor: &StateCursor,
    changed: &NumberMap<NameId, ()>,
    retry_chunks: &[u64],
) -> Result<PendingCheckpoint, StoreError> {
    let (state, names) = (&cursor.state, &cursor.names);
    let (mut parts, mut tombstones) = (Vec::with_capacity(changed.len()), Vec::new());
    for &name in changed.keys() {
        let part = wire::channel_to_bytes(state, name, names)?;
        parts.extend(part.map(|part| (name, part)));
        let stones = wire::tombstones_to_bytes(state, name, names)?;
        tombstones.extend(stones.map(|stones| (name, stones)));
    }
    let channels = cursor.state.channels();
    let channels = channels.map(|(name, channel)| {
        let departed = channel.departed.len() > 0;
        (name, channel.effective_at(), departed)
    });
    Ok(PendingCheckpoint {
        parts,
        tombstones,
        channels: channels.collect(),
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
        let mut values = Vec::with_capacity(self.parts.len() + self.tombstones.len() + 2);
        for (name, bytes) in self.parts {
            let key = MetadataKey::channel(names.text(name), place.frame);
            values.push((key, bytes));
            parts.insert(name, place.frame);
        }
        for (name, bytes) in self.tombstones {
            let key = MetadataKey::tombstones(names.text(name), place.frame);
            values.push((key, bytes));
        }
        // In the order of an engine's pages, each of which is then written once.
        values.sort_unstable_by_key(|(key, _)| *key);
        let of_part = |(name, effective_at, tombstones): (NameId, Millis, bool)| {
            let frame = *parts.get(&name)?;
            Some(wire::ChannelPart {
                channel: names.text(name).to_owned(),
                frame,
                effective_at,
                tombstones,
            })
        };
        let mut index = wire::Index::at(place.next, place.frame, place.link);
        index.whole = true;
        index.seq = self.seq;
        index.recorded_at = self.recorded_at;
        index.channels = self.channels.into_iter().filter_map(of_part).collect();
        index.rejects = self.rejects;
        index.reject_bytes = self.reject_bytes;
        index.retry_chunks = self.retry_chunks;
        index.trunk = self.trunk;
        let index = wire::index_to_bytes(index, &self.sources)?;
        let frame = place.frame;
        values.push((MetadataKey::Trunk { frame }, index));
        values.push((MetadataKey::Whole { frame }, Vec::new()));
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
