//! The digests of the rosters, updated with each entry, so that a snapshot's digest needs no walk over its channel.
//!
//! A channel has a digest from its first snapshot on; before that it is not needed.

use crate::domain::entry::{Entry, Payload};
use crate::domain::event::ChangeKind;
use crate::domain::names::{MemberId, NameId, Names, NumberMap, Renumbering};
use crate::domain::state::State;
use crate::log::digest::{RosterDigest, Sum, member_hash};

/// The digests of the channels that have had a snapshot.
#[derive(Debug)]
pub(crate) struct Digests {
    key: [u8; 32],
    by_channel: NumberMap<NameId, RosterDigest>,
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
        let Some(digest) = self.by_channel.get_mut(&channel) else {
            return;
        };
        if let Some(present) = state.present(change.member) {
            let meta = present.meta.map(|meta| &**meta);
            digest.remove(&sum(&self.key, change.member, meta, names));
        }
        if change.kind != ChangeKind::Leave {
            digest.add(&sum(
                &self.key,
                change.member,
                change.meta.as_deref(),
                names,
            ));
        }
    }

    /// The digest of a channel's roster in `state`.
    pub fn of(&mut self, channel: NameId, state: &State, names: &Names) -> [u8; 32] {
        let key = &self.key;
        let digest = self.by_channel.entry(channel).or_insert_with(|| {
            let mut digest = RosterDigest::new();
            let roster = state
                .channel(channel)
                .map_or(&[][..], |channel| channel.roster());
            for present in roster.iter().filter_map(|&member| state.present(member)) {
                digest.add(&sum(
                    key,
                    present.member,
                    present.meta.map(|meta| &**meta),
                    names,
                ));
            }
            digest
        });
        digest.bytes()
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
