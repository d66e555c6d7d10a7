//! The bytes of a log's base: a checkpoint with all its parts, and what questions must remember of the entries that
//! were pruned. `block/base.rs` has the object around it.
//!
//! **Invariant:** a base cannot be made again: what it stands for is gone. So a reader for each layout that was released
//! must remain: of this one, and of the parts of a checkpoint in it, which begin with their version
//! ([`checkpoint`](super::checkpoint)). Where that version changes, its reader of the older one must stay for bases, or a
//! migration must rewrite them. `tests/log/base.rs` holds golden bytes.

use super::CodecError;
use super::checkpoint;
use super::derive::{fields, numbered};
use crate::domain::gaps::{GapClosing, GapMember, GapRecord, GapReport, LooseChange};
use crate::domain::stay::StayEnd;
use crate::domain::time::Millis;
use crate::log::eraser::{Erased, Eraser};
use bincode::{Decode, Encode};

/// Where a log begins of which older entries were pruned.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct BaseHeader {
    /// The engine's position of the first value that is kept.
    pub next: u64,
    /// The number of the last frame before it.
    pub frame: u64,
    /// The chain link there.
    pub link: [u8; 32],
    /// The last entry before it.
    pub seq: u64,
    /// When the last of what was pruned was recorded.
    pub recorded_at: Millis,
    /// The largest effective time of an entry that was pruned; the smallest number if none was.
    pub effective_at: Millis,
    /// Rejects before it.
    pub rejects: u64,
    /// Bytes of these rejects that had been kept.
    pub reject_bytes: u64,
    /// How many ids of lines it has.
    pub ids: u64,
    /// Bytes of the content before compression.
    pub plain_len: u64,
    /// Bytes of the content as it is stored.
    pub packed_len: u64,
}

/// What is known at the base.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub struct BaseContent {
    /// The index of the checkpoint ([`index_to_bytes`](super::checkpoint::index_to_bytes)).
    pub index: Vec<u8>,
    /// The channels, in the order of the index.
    pub channels: Vec<BaseChannel>,
    /// Ids of lines that are still remembered.
    pub ids: Vec<BaseId>,
}

/// What is known of a channel at the base.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub struct BaseChannel {
    /// Its part of the checkpoint ([`channel_to_bytes`](super::checkpoint::channel_to_bytes)).
    pub part: Vec<u8>,
    /// Its tombstones, if it has any ([`tombstones_to_bytes`](super::checkpoint::tombstones_to_bytes)).
    pub tombstones: Option<Vec<u8>>,
    /// The joins of the present members, in the order of the part.
    pub stays: Vec<StayEnd>,
    /// The gaps that are open.
    pub gaps: Vec<GapRecord>,
    /// The changes outside any gap that a later report of one may take in.
    pub loose: Vec<LooseChange>,
}

/// The id of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct BaseId {
    /// Hash of the observer and the id.
    pub key: u128,
    /// Hash of the observer.
    pub observer: u64,
    /// The first entry that the line made.
    pub seq: u64,
    /// When that was recorded.
    pub recorded_at: Millis,
}

impl BaseContent {
    /// Erases the names and texts of a person, and counts what is still said of them: where they are, that they were there, and
    /// what gaps know. What the ids of lines were cannot be known any more: their keys stay.
    ///
    /// # Errors
    /// A part of it is of another version.
    pub fn erase(&mut self, eraser: &Eraser) -> Result<Erased, CodecError> {
        let mut found = Erased::default();
        let index = checkpoint::index_from_bytes(&self.index)?;
        self.index = checkpoint::erase_index(&self.index, eraser, &mut found)?;
        for (channel, of) in self.channels.iter_mut().zip(&index.channels) {
            channel.part = checkpoint::erase_channel(&channel.part, eraser, &mut found)?;
            if let Some(tombstones) = &mut channel.tombstones {
                *tombstones = checkpoint::erase_tombstones(tombstones, eraser, &mut found)?;
            }
            if eraser.covers(&of.channel) {
                for gap in &mut channel.gaps {
                    let members = gap.changes.iter_mut().chain(&mut gap.collected);
                    members.for_each(|it| erase_member(it, eraser, &mut found));
                }
                let before = channel.gaps.iter_mut().flat_map(|gap| &mut gap.before);
                let loose = before.chain(&mut channel.loose);
                loose.for_each(|it| erase_member(&mut it.member, eraser, &mut found));
            }
        }
        Ok(found)
    }
}

fn erase_member(member: &mut GapMember, eraser: &Eraser, found: &mut Erased) {
    if !eraser.is_user(&member.user) {
        return;
    }
    found.changes += 1;
    found.texts += u64::from(member.meta.is_some());
    member.user = eraser.stand_in(&member.user).into();
    if !member.connection.is_empty() {
        member.connection = eraser.stand_in(&member.connection).into();
    }
    if let Some(meta) = &mut member.meta {
        *meta = eraser.meta_stand_in(meta).into();
    }
}

numbered!(GapReport, "report of a gap": Link = 0, Snapshot = 1);
numbered!(GapClosing, "end of a gap": Snapshot = 0, Differences = 1, Resumed = 2);
fields!(StayEnd {
    seq,
    effective_at,
    earliest,
    latest,
    windowed,
    inferred,
    baseline,
    lossy,
    unseen
});
fields!(GapMember {
    kind,
    topic,
    user,
    connection,
    meta,
    not_before,
    not_after
});
fields!(LooseChange { at, member });
fields!(GapRecord {
    gap,
    from,
    to,
    evidence,
    closed_by,
    changes,
    collected,
    vanished,
    before
});
