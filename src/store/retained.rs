//! What is retained of entries that go: the fold that makes the base of a pruned log. Which entries go, and when, is the
//! business of `writer/pruner`.

use super::error::StoreError;
use super::read::{OpenFolds, ScopedCommit, ScopedFrames, ScopedRecord, StateCursor, channel_of};
use super::writer::retries::Retries;
use crate::domain::entry::{Entry, Payload};
use crate::domain::gaps::ChannelGaps;
use crate::domain::names::NameId;
use crate::domain::renumbering::Renumbering;
use crate::domain::time::Millis;
use crate::log::block::BlockError;
use crate::log::checkpoint as wire;
use crate::log::engine::JournalError;
use crate::log::{BaseChannel, BaseContent, BaseHeader, BaseId};

/// What a base needs besides the state at its place.
pub(super) struct BasePlace {
    /// The largest effective time of an entry before it.
    pub effective_at: Millis,
    /// Ids that were recorded before this are forgotten.
    pub ids_from: Millis,
}

/// Folds the entries that go.
pub(super) struct BaseFold {
    open: OpenFolds,
    ids: Vec<BaseId>,
}

impl BaseFold {
    /// Goes on from a cursor where the log begins, and from the ids that are remembered there.
    pub fn new(cursor: &mut StateCursor, ids: Vec<BaseId>) -> BaseFold {
        BaseFold {
            open: cursor.open.take().map(|open| *open).unwrap_or_default(),
            ids,
        }
    }

    /// Reads all frames.
    pub fn read(
        &mut self,
        cursor: &mut StateCursor,
        frames: &mut ScopedFrames<'_>,
    ) -> Result<(), StoreError> {
        while let Some(mut frame) = frames.next(cursor)? {
            while let Some(record) = frame.next(cursor)? {
                match &record {
                    ScopedRecord::Commit(commit) => self.take(commit, cursor),
                    other => cursor.apply(other),
                }
            }
            if let Some(renumbering) = cursor.forget_absent() {
                self.renumber(&renumbering);
            }
        }
        Ok(())
    }

    fn take(&mut self, commit: &ScopedCommit<'_>, cursor: &mut StateCursor) {
        if let Some(first) = commit.all.first()
            && let Some(id) = &first.id
        {
            let (key, observer) = Retries::key(cursor.names.text(first.observer), id);
            self.ids.push(BaseId {
                key,
                observer,
                seq: first.seq,
                recorded_at: first.recorded_at,
            });
        }
        for entry in commit.all {
            let (state, names) = (&cursor.state, &cursor.names);
            // The stays that end are of no more use.
            let _ = self.open.stays.take(entry, state, names, |_| true);
            self.take_gaps(entry, cursor);
            cursor.apply_entry(entry);
        }
        let channel = commit
            .all
            .first()
            .and_then(|it| channel_of(it, &cursor.names));
        if let Some(gaps) = channel.and_then(|channel| self.open.gaps.get_mut(&channel)) {
            gaps.note_vanished(commit.all, &cursor.state, &cursor.names);
        }
        for entry in commit.all {
            match &entry.payload {
                Payload::Snapshot(snapshot) => self.settle(snapshot.channel),
                Payload::Link(link) => link.gaps.iter().for_each(|it| self.settle(it.channel)),
                Payload::Change(_) | Payload::Token(_) => {}
            }
        }
    }

    /// Forgets of a channel's gaps what no later entry can change. For the time between two commits.
    fn settle(&mut self, channel: NameId) {
        if let Some(gaps) = self.open.gaps.get_mut(&channel) {
            gaps.forget_ended();
            if gaps.is_settled() {
                self.open.gaps.remove(&channel);
            }
        }
    }

    fn take_gaps(&mut self, entry: &Entry, cursor: &StateCursor) {
        let (state, names) = (&cursor.state, &cursor.names);
        match &entry.payload {
            Payload::Link(link) => {
                for change in &link.gaps {
                    self.gaps(change.channel).take_link(entry, change);
                }
            }
            Payload::Snapshot(snapshot) => {
                let gaps = self.gaps(snapshot.channel);
                gaps.take_snapshot(entry.seq, snapshot);
            }
            Payload::Change(change) => {
                let channel = names.key(change.member).channel;
                // Without a gap or a snapshot before it, it is of no concern.
                if let Some(gaps) = self.open.gaps.get_mut(&channel) {
                    gaps.take_change(entry, change, state, names);
                }
            }
            Payload::Token(_) => {}
        }
    }

    fn gaps(&mut self, channel: NameId) -> &mut ChannelGaps {
        self.open.gaps.entry(channel).or_default()
    }

    fn renumber(&mut self, by: &Renumbering) {
        self.open.stays.renumber(by);
        self.open.gaps = by.by_name(std::mem::take(&mut self.open.gaps));
    }

    /// The base at a cursor, as an object.
    pub fn finish(
        mut self,
        cursor: &StateCursor,
        place: BasePlace,
    ) -> Result<(BaseHeader, Vec<u8>), StoreError> {
        let StateCursor { state, names, .. } = cursor;
        let mut known: Vec<(&str, NameId, Millis)> = state
            .channels()
            .map(|(name, channel)| (names.text(name), name, channel.effective_at()))
            .collect();
        known.sort_unstable_by_key(|&(text, ..)| text);
        let at = &cursor.place;
        let mut index = wire::Index::at(at.next, at.frame, at.link);
        index.whole = true;
        index.seq = state.head();
        index.recorded_at = state.recorded_at();
        index.rejects = cursor.bookkeeping.rejects;
        index.reject_bytes = cursor.bookkeeping.reject_bytes;
        index.trunk = wire::trunk_to_bytes(state, names)?;
        let mut channels = Vec::with_capacity(known.len());
        for (text, name, effective_at) in known {
            let channel = self.channel(cursor, name)?;
            index.channels.push(wire::ChannelPart {
                channel: text.to_owned(),
                frame: at.frame,
                effective_at,
                tombstones: channel.tombstones.is_some(),
            });
            channels.push(channel);
        }
        let sources: Vec<_> = cursor.bookkeeping.sources.iter().cloned().collect();
        let header = BaseHeader {
            next: at.next,
            frame: at.frame,
            link: at.link,
            seq: index.seq,
            recorded_at: index.recorded_at,
            effective_at: place.effective_at,
            rejects: index.rejects,
            reject_bytes: index.reject_bytes,
            ids: 0,
            plain_len: 0,
            packed_len: 0,
        };
        self.ids.retain(|id| id.recorded_at >= place.ids_from);
        let content = BaseContent {
            index: wire::index_to_bytes(index, &sources)?,
            channels,
            ids: self.ids,
        };
        header.encode(&content).map_err(unstorable)
    }

    fn channel(&mut self, cursor: &StateCursor, name: NameId) -> Result<BaseChannel, StoreError> {
        let StateCursor { state, names, .. } = cursor;
        let part = wire::channel_to_bytes(state, name, names)?;
        let members = state.channel(name).map_or(&[][..], |known| known.roster());
        let join = |&member| {
            let join = self.open.stays.join(member);
            join.ok_or_else(|| broken("a member is present who never came"))
        };
        let stays = members.iter().map(join).collect::<Result<_, _>>()?;
        let gaps = self.open.gaps.remove(&name).unwrap_or_default();
        Ok(BaseChannel {
            part: part.unwrap_or_default(),
            tombstones: wire::tombstones_to_bytes(state, name, names)?,
            stays,
            gaps: gaps.found,
            loose: gaps.loose,
        })
    }
}

fn unstorable(error: BlockError) -> StoreError {
    broken(&error.to_string())
}

fn broken(what: &str) -> StoreError {
    JournalError::Base(what.to_owned()).into()
}
