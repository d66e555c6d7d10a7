//! Checkpoints: the state at a frame, stored beside the log, so that opening the store and queries about the past
//! need not begin at the first entry.
//!
//! **Invariant:** nothing depends on checkpoints. A checkpoint that does not fit the log (its frame is missing, or
//! has another chain link) is skipped. Without any checkpoint the whole log is read.
//!
//! ```text
//! key                                        value
//! "trunk" frame                              what belongs to no channel; where each channel's last part is
//! "chan"  hash of the channel, frame         one channel
//! "retry" chunk                              ids of lines, and the entries that they made
//! "said"  chunk                              what the lines of these ids said, in their order
//! ```

use super::content_hash::ContentHash;
use super::error::StoreError;
use super::read::{Bookkeeping, LogPosition, ScanScope, ScanStart, StateCursor};
use super::retries::Remembered;
use crate::domain::names::{NameId, NameTable, Names, NumberMap};
use crate::domain::time::Millis;
use crate::limits;
use crate::log::engine::Engine;
use crate::log::{checkpoint as wire, read};

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
    bookkeeping: Bookkeeping,
    retry_chunks: Vec<u64>,
}

/// Makes a pending checkpoint of the current state.
pub(crate) fn draft(
    fold: &StateCursor,
    changed: &NumberMap<NameId, ()>,
    retry_chunks: &[u64],
) -> Result<PendingCheckpoint, StoreError> {
    let mut parts = Vec::with_capacity(changed.len());
    for &name in changed.keys() {
        if let Some(bytes) = wire::channel_to_bytes(&fold.state, name, &fold.names)? {
            parts.push((name, bytes));
        }
    }
    let channels = fold.state.channels();
    Ok(PendingCheckpoint {
        changed: parts,
        effective: channels
            .map(|(name, channel)| (name, channel.effective_at()))
            .collect(),
        seq: fold.state.head(),
        recorded_at: fold.state.recorded_at(),
        trunk: wire::trunk_to_bytes(&fold.state, &fold.names)?,
        bookkeeping: fold.bookkeeping.clone(),
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
            values.push((channel_key(names.text(name), place.frame), bytes));
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
        index.rejects = self.bookkeeping.rejects;
        index.reject_bytes = self.bookkeeping.reject_bytes;
        index.retry_chunks = self.retry_chunks;
        index.trunk = self.trunk;
        let index = wire::index_to_bytes(index, &self.bookkeeping.sources)?;
        values.push((trunk_key(place.frame), index));
        Ok(Checkpoint { values })
    }
}

/// A complete checkpoint. It is saved among the key values once its frame is durable.
pub(crate) struct Checkpoint {
    values: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Checkpoint {
    /// Adds a later checkpoint, which may point to parts of this one.
    pub fn followed_by(&mut self, later: Checkpoint) {
        self.values.extend(later.values);
    }

    /// Saves the values. The trunk makes the checkpoint valid, so it is last.
    pub fn save(&self, engine: &dyn Engine) -> Result<(), StoreError> {
        for (key, value) in &self.values {
            put(engine, key, value)?;
        }
        Ok(())
    }
}

fn trunk_key(frame: u64) -> Vec<u8> {
    [b"trunk".as_slice(), &frame.to_be_bytes()].concat()
}

fn channel_key(channel: &str, frame: u64) -> Vec<u8> {
    let hash = blake3::hash(channel.as_bytes());
    [b"chan".as_slice(), hash.as_bytes(), &frame.to_be_bytes()].concat()
}

fn retry_key(chunk: u64) -> Vec<u8> {
    [b"retry".as_slice(), &chunk.to_be_bytes()].concat()
}

fn said_key(chunk: u64) -> Vec<u8> {
    [b"said".as_slice(), &chunk.to_be_bytes()].concat()
}

/// Stores a value of any size among the key values, cut into pieces that the engine accepts.
fn put(engine: &dyn Engine, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
    let sum = blake3::hash(value);
    let mut pieces = value.chunks(limits::VALUE_BYTES_MAX - 64);
    let count = u32::try_from(pieces.len().max(1)).unwrap_or(u32::MAX);
    let first = [
        sum.as_bytes(),
        &count.to_be_bytes()[..],
        pieces.next().unwrap_or(&[]),
    ]
    .concat();
    for (at, piece) in (1_u32..).zip(pieces) {
        engine.put(&[key, &at.to_be_bytes()[..]].concat(), piece)?;
    }
    engine.put(&[key, &0_u32.to_be_bytes()[..]].concat(), &first)?;
    Ok(())
}

/// The value that [`put`] stored, if it is complete.
fn get(engine: &dyn Engine, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    let Some(first) = engine.lookup(&[key, &0_u32.to_be_bytes()[..]].concat())? else {
        return Ok(None);
    };
    let Some((sum, rest)) = first.split_first_chunk::<32>() else {
        return Ok(None);
    };
    let Some((count, piece)) = rest.split_first_chunk::<4>() else {
        return Ok(None);
    };
    let mut value = piece.to_vec();
    for at in 1..u32::from_be_bytes(*count) {
        match engine.lookup(&[key, &at.to_be_bytes()[..]].concat())? {
            Some(piece) => value.extend_from_slice(&piece),
            None => return Ok(None),
        }
    }
    Ok((blake3::hash(&value).as_bytes() == sum).then_some(value))
}

/// The frames of the stored checkpoints, in order.
fn checkpoints(engine: &dyn Engine) -> Result<Vec<u64>, StoreError> {
    let mut frames: Vec<u64> = Vec::new();
    for key in engine.keys(b"trunk")? {
        let frame = key
            .get(5..13)
            .and_then(|bytes| bytes.try_into().ok())
            .map(u64::from_be_bytes);
        frames.extend(frame);
    }
    frames.sort_unstable();
    frames.dedup();
    Ok(frames)
}

/// The index of a checkpoint. An unreadable index counts as missing.
fn index(engine: &dyn Engine, frame: u64) -> Option<wire::Index> {
    let value = get(engine, &trunk_key(frame)).ok()??;
    wire::index_from_bytes(&value).ok()
}

/// The cursor at the newest checkpoint at which `scope` may begin, or before the first entry.
pub(super) fn load(
    engine: &dyn Engine,
    end: u64,
    scope: &ScanScope<'_>,
) -> Result<StateCursor, StoreError> {
    match scope.start {
        ScanStart::First => return Ok(StateCursor::default()),
        ScanStart::Seq(seq) => return at_seq(engine, seq, end),
        ScanStart::Behind(_) | ScanStart::InEffectAt(_) => {}
    }
    let frames = checkpoints(engine)?;
    let is_early = |index: &wire::Index| is_early(index, end, scope);
    // Usually the newest checkpoint fits. If one is early enough, so are all before it: so a binary search finds the
    // others. An unreadable checkpoint may be on either side.
    let early = |frame: &u64| index(engine, *frame).is_none_or(|index| is_early(&index));
    let late = match frames.last() {
        Some(last) if !early(last) => frames.partition_point(early),
        _ => frames.len(),
    };
    for &frame in frames.iter().take(late).rev() {
        let Some(index) = index(engine, frame).filter(is_early) else {
            continue;
        };
        if !is_of_this_log(engine, &index)? {
            continue;
        }
        if let Some(fold) = restore(engine, &index, scope.channel)? {
            return Ok(fold);
        }
    }
    Ok(StateCursor::default())
}

/// Whether everything that a scope asks for is in the checkpoint or comes after it.
fn is_early(index: &wire::Index, end: u64, scope: &ScanScope<'_>) -> bool {
    let known = |known_at| index.recorded_at <= known_at;
    // A checkpoint right after the last entry may hold pages that were recorded after that entry.
    let before = |last| index.seq < last;
    let starts = match scope.start {
        ScanStart::First | ScanStart::Seq(_) => false,
        ScanStart::Behind(seq) => index.seq <= seq,
        // A channel that the checkpoint does not have was not known then.
        ScanStart::InEffectAt(at) => {
            let mut parts = index.channels.iter();
            let part = parts.find(|part| scope.channel == Some(&part.channel));
            part.is_none_or(|part| part.effective_at <= at)
        }
    };
    index.next <= end && scope.last.is_none_or(before) && scope.known_at.is_none_or(known) && starts
}

/// A cursor without state, at the frame that holds the entry `seq`.
fn at_seq(engine: &dyn Engine, seq: u64, end: u64) -> Result<StateCursor, StoreError> {
    let next = read::find_seq(engine, seq, end)?;
    let place = match read::header_ending_before(engine, next)? {
        Some(header) => LogPosition {
            next,
            frame: header.frame,
            link: header.link_after,
        },
        None => LogPosition {
            next,
            ..LogPosition::default()
        },
    };
    Ok(StateCursor {
        place,
        ..StateCursor::default()
    })
}

/// Whether the log has the checkpoint's frame with the same chain link.
fn is_of_this_log(engine: &dyn Engine, index: &wire::Index) -> Result<bool, StoreError> {
    let header = read::header_ending_before(engine, index.next)?;
    Ok(header.is_some_and(|header| header.frame == index.frame && header.link_after == index.link))
}

fn restore(
    engine: &dyn Engine,
    index: &wire::Index,
    only: Option<&str>,
) -> Result<Option<StateCursor>, StoreError> {
    let mut names = Names::new();
    let Ok(mut state) = wire::trunk_from_bytes(&index.trunk, &mut names) else {
        return Ok(None);
    };
    for part in index
        .channels
        .iter()
        .filter(|part| only.is_none_or(|only| part.channel == only))
    {
        let Some(bytes) = get(engine, &channel_key(&part.channel, part.frame))? else {
            return Ok(None);
        };
        if wire::channel_from_bytes(&bytes, &mut state, &mut names).is_err() {
            return Ok(None);
        }
    }
    wire::finish(&mut state);
    let bookkeeping = Bookkeeping {
        sources: index.sources(),
        rejects: index.rejects,
        reject_bytes: index.reject_bytes,
    };
    let place = LogPosition {
        next: index.next,
        frame: index.frame,
        link: index.link,
    };
    Ok(Some(StateCursor {
        needed: names.len() + names.members(),
        state,
        names,
        bookkeeping,
        place,
    }))
}

/// The parts to which the newest checkpoint of this log points, and its chunks of retry ids; both empty if there is
/// no checkpoint.
pub(super) fn pointers(
    engine: &dyn Engine,
    fold: &mut StateCursor,
) -> Result<(PartFrames, Vec<u64>), StoreError> {
    for frame in checkpoints(engine)?.into_iter().rev() {
        let Some(index) = index(engine, frame) else {
            continue;
        };
        if index.frame == fold.place.frame && index.link == fold.place.link {
            let channels = index.channels.iter();
            let parts = channels
                .map(|part| (fold.names.intern(&part.channel), part.frame))
                .collect();
            return Ok((parts, index.retry_chunks));
        }
    }
    Ok(Default::default())
}

/// Stores a chunk of retry ids, and before it their content hashes. Without these the ids still count as known.
pub(super) fn save_retries(
    engine: &dyn Engine,
    chunk: u64,
    ids: &[Remembered],
) -> Result<(), StoreError> {
    let said = ids.iter().map(|id| id.said.map_or(0, ContentHash::get));
    let said: Vec<u8> = said.flat_map(u64::to_le_bytes).collect();
    put(engine, &said_key(chunk), &said)?;
    let rows: Vec<_> = ids.iter().map(|id| (id.key, id.observer, id.seq)).collect();
    put(engine, &retry_key(chunk), &wire::retries_to_bytes(&rows)?)
}

/// A chunk of retry ids, if it is complete.
pub(super) fn load_retries(
    engine: &dyn Engine,
    chunk: u64,
) -> Result<Option<Vec<Remembered>>, StoreError> {
    let Some(bytes) = get(engine, &retry_key(chunk))? else {
        return Ok(None);
    };
    let Ok(rows) = wire::retries_from_bytes(&bytes) else {
        return Ok(None);
    };
    // An older program did not store content hashes.
    let said = get(engine, &said_key(chunk))?.unwrap_or_default();
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
pub(super) fn drop_retries(engine: &dyn Engine, chunk: u64) -> Result<(), StoreError> {
    remove(engine, &retry_key(chunk))?;
    remove(engine, &said_key(chunk))
}

/// Removes every key that begins with `prefix` from the key values.
fn remove(engine: &dyn Engine, prefix: &[u8]) -> Result<(), StoreError> {
    for key in engine.keys(prefix)? {
        engine.remove(&key)?;
    }
    Ok(())
}

/// Removes all key values.
pub(super) fn clear(engine: &dyn Engine) -> Result<(), StoreError> {
    remove(engine, b"")
}
