//! The digests of the rosters. A snapshot needs the digest of its channel: it is made from the roster, and then updated
//! with each entry, so that most snapshots need no walk over their channel.
//!
//! A digest is forgotten when so many members were hashed since its last use that making it anew is cheaper. So between
//! two snapshots no more is hashed than for two rosters, and nothing in a channel without snapshots.

use crate::domain::entry::{Entry, Payload};
use crate::domain::event::ChangeKind;
use crate::domain::names::{MemberId, NameId, Names, NumberMap};
use crate::domain::renumbering::Renumbering;
use crate::domain::state::State;
use crate::log::digest::{RosterDigest, Sum, member_hash};

/// The digests of the channels that have had a snapshot.
#[derive(Debug)]
pub(crate) struct Digests {
    key: [u8; 32],
    by_channel: NumberMap<NameId, KeptDigest>,
}

/// The digest of a roster that is updated with each entry.
#[derive(Debug)]
struct KeptDigest {
    digest: RosterDigest,
    /// How many more members may be hashed before it is cheaper to make it anew.
    hashes_left: usize,
}

impl Digests {
    pub fn new(key: [u8; 32]) -> Self {
        Digests {
            key,
            by_channel: NumberMap::default(),
        }
    }

    /// Replaces the numbers of names after the dictionary was renumbered.
    pub fn renumber(&mut self, renumbering: &Renumbering) {
        self.by_channel = renumbering.by_name(std::mem::take(&mut self.by_channel));
    }

    /// Updates the digest with an entry that is about to be applied to `state`.
    pub fn before(&mut self, entry: &Entry, state: &State, names: &Names) {
        let Payload::Change(change) = &entry.payload else {
            return;
        };
        if !change.is_applied() {
            return;
        }
        let channel = names.key(change.member).channel;
        let Some(kept) = self.by_channel.get_mut(&channel) else {
            return;
        };
        let before = state.present(change.member);
        let after = (change.kind != ChangeKind::Leave).then_some(change.meta.as_deref());
        let hashes = usize::from(before.is_some()) + usize::from(after.is_some());
        let Some(left) = kept.hashes_left.checked_sub(hashes) else {
            self.by_channel.remove(&channel);
            return;
        };
        kept.hashes_left = left;
        if let Some(present) = before {
            let meta = present.meta.map(|meta| &**meta);
            kept.digest
                .remove(&sum(&self.key, change.member, meta, names));
        }
        if let Some(meta) = after {
            kept.digest.add(&sum(&self.key, change.member, meta, names));
        }
    }

    /// The digest of a channel's roster in `state`.
    pub fn of(&mut self, channel: NameId, state: &State, names: &Names) -> [u8; 32] {
        let roster = state
            .channel(channel)
            .map_or(&[][..], |channel| channel.roster());
        let key = &self.key;
        let kept = self.by_channel.entry(channel).or_insert_with(|| {
            let mut digest = RosterDigest::new();
            for present in roster.iter().filter_map(|&member| state.present(member)) {
                let meta = present.meta.map(|meta| &**meta);
                digest.add(&sum(key, present.member, meta, names));
            }
            KeptDigest {
                digest,
                hashes_left: 0,
            }
        });
        kept.hashes_left = roster.len();
        kept.digest.bytes()
    }
}

fn sum(key: &[u8; 32], member: MemberId, meta: Option<&str>, names: &Names) -> Sum {
    let of = names.key(member);
    member_hash(
        key,
        names.text(of.topic),
        names.text(of.user),
        names.text(of.conn),
        meta,
    )
}
