//! What a snapshot says by itself, where entries before it are missing. Its list is often stored as the difference from the
//! roster after it, and that roster may not be known any more.

use crate::domain::claims;
use crate::domain::entry::{
    Change, Entry, FullListing, Late, ListedMember, Listing, Origin, Payload, Snapshot,
};
use crate::domain::event::ChangeKind;
use crate::domain::names::MemberId;
use crate::log::digest::{RosterDigest, member_hash};
use crate::store::StateView;
use std::collections::HashMap;

/// A snapshot of another log, and the state before it in the store that is made.
#[derive(Clone, Copy)]
pub(super) struct SnapshotView<'a> {
    pub entry: &'a Entry,
    pub snapshot: &'a Snapshot,
    /// The entries that it inferred.
    pub inferred: &'a [Entry],
    pub at: StateView<'a>,
}

impl SnapshotView<'_> {
    /// Whether its whole list is known. With the key, a roster that is known has the digest that the snapshot names.
    pub fn is_known(&self, key: Option<&[u8; 32]>) -> bool {
        if self.snapshot.begin.is_some() && self.has_pages() {
            return true;
        }
        match (&self.snapshot.claims, key) {
            (Listing::Whole(_), _) => self.snapshot.begin.is_none(),
            (Listing::Residue(_), Some(key)) => self.snapshot.begin.is_none() && self.fits(key),
            (Listing::Residue(_), None) => false,
        }
    }

    /// Whether all pages of it are known.
    fn has_pages(&self) -> bool {
        let channel = self.at.state.channel(self.snapshot.channel);
        let watching = channel.map(|channel| channel.watching());
        watching.is_some_and(|watching| watching.open_sync(self.entry.observer).is_some())
    }

    /// Whether the roster that is known, with what the snapshot changed, is the one after it.
    fn fits(&self, key: &[u8; 32]) -> bool {
        let StateView { state, names } = self.at;
        let channel = state.channel(self.snapshot.channel);
        let roster = channel.map_or(&[][..], |channel| channel.roster());
        let present = roster.iter().filter_map(|&member| state.present(member));
        let mut after: HashMap<MemberId, Option<&str>> = present
            .map(|present| (present.member, present.meta.map(|meta| &**meta)))
            .collect();
        for change in self.inferred.iter().filter_map(change_of) {
            match change.kind {
                ChangeKind::Leave => after.remove(&change.member),
                ChangeKind::Join | ChangeKind::Update => {
                    after.insert(change.member, change.meta.as_deref())
                }
            };
        }
        let mut digest = RosterDigest::new();
        for (&member, meta) in &after {
            let of = names.key(member);
            let [topic, user, conn] = [of.topic, of.user, of.conn].map(|name| names.text(name));
            digest.add(&member_hash(key, topic, user, conn, *meta));
        }
        after.len() == self.snapshot.count as usize && digest.bytes() == self.snapshot.digest
    }

    /// Whether nothing was known that speaks against it, or is newer, so that nothing missing can. `foreseen`: what it would be in
    /// the store that is made.
    pub fn is_undisputed(&self, foreseen: &Snapshot) -> bool {
        let held = &self.snapshot.held;
        let mut held_now = foreseen.held.iter();
        !foreseen.stale
            && self.entry.effective_at <= self.entry.occurred_at
            && held.iter().all(|&member| self.is_spared(member))
            && held_now.all(|member| held.contains(member))
    }

    /// Whether it certainly did not decide about a member just because that is the observer itself, which its source need not list.
    /// Only the roster after it tells that the member was there.
    fn is_spared(&self, member: MemberId) -> bool {
        let StateView { state, names } = self.at;
        let by_roster = matches!(self.snapshot.claims, Listing::Residue(_));
        by_roster
            && self.snapshot.begin.is_none()
            && Some(names.key(member).user) == self.snapshot.self_user
            && state.present(member).is_some()
            && !self.lists(member)
    }

    /// Whether it certainly lists a member.
    fn lists(&self, member: MemberId) -> bool {
        match &self.snapshot.claims {
            Listing::Whole(whole) => whole.members.iter().any(|(listed, _)| *listed == member),
            // The list is the roster after it: this was compared.
            Listing::Residue(residue) => {
                let without = residue.iter().filter(|delta| delta.claim.is_none());
                let mut leaves = self.inferred.iter().filter_map(change_of);
                !without.into_iter().any(|delta| delta.member == member)
                    && !leaves.any(|it| it.kind == ChangeKind::Leave && it.member == member)
            }
        }
    }

    /// The snapshot as an incomplete one, which lists those of whom it is known that it listed them, and that they were there.
    pub fn what_it_says(&self) -> Entry {
        let mut members: HashMap<MemberId, ListedMember> = HashMap::new();
        match &self.snapshot.claims {
            Listing::Whole(whole) => members.extend(whole.members.iter().cloned()),
            Listing::Residue(residue) => members.extend(
                residue
                    .iter()
                    .filter_map(|delta| Some((delta.member, delta.claim.clone()?))),
            ),
        }
        for change in self.inferred.iter().filter_map(change_of) {
            if change.kind != ChangeKind::Leave {
                members.entry(change.member).or_insert(ListedMember {
                    meta: change.meta.clone(),
                    ..ListedMember::default()
                });
            }
        }
        members.retain(|member, _| !self.snapshot.held.contains(member));
        let claims = Listing::Whole(FullListing {
            incomplete: true,
            ..claims::of_members(members, self.at.names)
        });
        let snapshot = Snapshot {
            complete: false,
            begin: None,
            held: Vec::new(),
            claims,
            ..self.snapshot.clone()
        };
        Entry {
            payload: Payload::Snapshot(Box::new(snapshot)),
            ..self.entry.clone()
        }
    }
}

fn change_of(entry: &Entry) -> Option<&Change> {
    match &entry.payload {
        Payload::Change(change) => Some(change),
        _ => None,
    }
}

/// Those of whom a snapshot showed that they had left, as changes that its source noticed late: the windows are the same.
pub(super) fn leaves(inferred: &[Entry]) -> Vec<Entry> {
    let leave = |entry: &Entry| {
        let change = change_of(entry).filter(|change| change.kind == ChangeKind::Leave)?;
        let not_before = entry.window().and_then(|window| window.not_before);
        let not_before = not_before.unwrap_or(entry.occurred_at);
        let late_ms = entry.occurred_at.saturating_sub(not_before);
        let change = Change {
            origin: Origin::Observed,
            late: (late_ms > 0).then_some(Late {
                late_ms,
                not_before,
            }),
            ..change.clone()
        };
        Some(Entry {
            payload: Payload::Change(change),
            ..entry.clone()
        })
    };
    inferred.iter().filter_map(leave).collect()
}
