//! The list of a snapshot, in numbers of the dictionary: each topic and member once.
//!
//! `reconcile` decides what follows from it.

use super::entry::ListedMember;
use super::names::{MemberId, NameId, NameTable, NumberMap, number};
use super::order::{Order, Stamp};
use super::own_list::Collected;
use super::time::Millis;
use std::collections::hash_map;

/// The list of a snapshot, in numbers of the dictionary: each member and each topic once.
pub(super) struct ResolvedListing {
    pub channel: NameId,
    pub self_user: Option<NameId>,
    pub incomplete: bool,
    pub topics_missing: bool,
    /// Each topic listed, and whether publishers of it are missing.
    pub topics: NumberMap<NameId, bool>,
    pub members: ListedMembers,
}

/// The claims about members, each member once, in the order of first listing. Large channels are traversed several
/// times, and data in order is read faster.
#[derive(Default)]
pub(super) struct ListedMembers {
    places: NumberMap<MemberId, u32>,
    claims: Vec<(MemberId, ListedMember)>,
}

impl ListedMembers {
    pub fn with_capacity(members: usize) -> Self {
        ListedMembers {
            places: NumberMap::with_capacity_and_hasher(members, Default::default()),
            claims: Vec::with_capacity(members),
        }
    }

    /// Adds a claim about a member. If a member is listed twice, the newest claim counts, else the last one. `line`
    /// is the stamp of claims without their own.
    pub fn claim(&mut self, member: MemberId, claim: ListedMember, line: Stamp) {
        match self.places.entry(member) {
            hash_map::Entry::Vacant(place) => {
                place.insert(number(self.claims.len()));
                self.claims.push((member, claim));
            }
            hash_map::Entry::Occupied(place) => {
                if let Some((_, known)) = self.claims.get_mut(*place.get() as usize)
                    && claim.stamp.or(line).against(known.stamp.or(line), 0) != Order::Older
                {
                    *known = claim;
                }
            }
        }
    }

    /// The claim about a member.
    pub fn get(&self, member: MemberId) -> Option<&ListedMember> {
        let place = self.places.get(&member)?;
        let (_, claim) = self.claims.get(*place as usize)?;
        Some(claim)
    }

    /// Sets the claim about a member and replaces an earlier one.
    pub fn put(&mut self, member: MemberId, claim: ListedMember) {
        let place = self.places.get(&member).map(|&place| place as usize);
        match place.and_then(|place| self.claims.get_mut(place)) {
            Some((_, known)) => *known = claim,
            None => self.claim(member, claim, Stamp::NONE),
        }
    }

    /// Removes these members from the list.
    pub fn remove(&mut self, gone: &NumberMap<MemberId, ()>) {
        let claims = std::mem::take(&mut self.claims);
        *self = ListedMembers::with_capacity(claims.len());
        for (member, claim) in claims {
            if !gone.contains_key(&member) {
                self.claim(member, claim, Stamp::NONE);
            }
        }
    }

    pub fn contains(&self, member: MemberId) -> bool {
        self.places.contains_key(&member)
    }

    pub fn len(&self) -> usize {
        self.claims.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = &(MemberId, ListedMember)> {
        self.claims.iter()
    }

    pub fn into_claims(self) -> Vec<(MemberId, ListedMember)> {
        self.claims
    }
}

impl ResolvedListing {
    /// Applies the differences that the source had sent before this snapshot, unless the list is provably newer.
    /// `line` is the stamp of members without their own. Returns the latest time of the applied differences.
    pub fn work_in(
        &mut self,
        collected: &NumberMap<MemberId, Collected>,
        line: Stamp,
        tolerance_ms: i64,
        names: &NameTable,
    ) -> Option<Millis> {
        let mut latest = None;
        let mut gone: NumberMap<MemberId, ()> = NumberMap::default();
        for (&member, collected) in collected {
            let own = self.members.get(member);
            let stamp = own.map_or(line, |claim| claim.stamp.or(line));
            if stamp.against(collected.stamp, tolerance_ms).is_newer() {
                continue;
            }
            latest = latest.max(Some(collected.at));
            if collected.present {
                let known = own.and_then(|claim| claim.meta.clone());
                let claim = ListedMember {
                    meta: collected.meta.clone().or(known),
                    stamp: Stamp::NONE,
                };
                self.members.put(member, claim);
                let topic = names.key(member).topic;
                self.topics.entry(topic).or_insert(false);
            } else {
                gone.insert(member, ());
            }
        }
        if !gone.is_empty() {
            self.members.remove(&gone);
        }
        latest
    }

    pub fn is_complete(&self) -> bool {
        !self.incomplete && !self.topics_missing && self.topics.values().all(|short| !short)
    }

    /// Whether the snapshot shows that an unlisted member of `topic` is absent.
    pub fn shows_absence(&self, topic: NameId) -> bool {
        !self.incomplete
            && self
                .topics
                .get(&topic)
                .map_or(!self.topics_missing, |short| !short)
    }
}

/// Adds a claim about a member. If a member is listed twice, the newest claim counts, else the last one. `line` is
/// the stamp of claims without their own.
pub(super) fn claim_once(
    claims: &mut NumberMap<MemberId, ListedMember>,
    member: MemberId,
    claim: ListedMember,
    line: Stamp,
) {
    match claims.entry(member) {
        hash_map::Entry::Vacant(place) => {
            place.insert(claim);
        }
        hash_map::Entry::Occupied(mut place) => {
            let known = place.get().stamp.or(line);
            if claim.stamp.or(line).against(known, 0) != Order::Older {
                place.insert(claim);
            }
        }
    }
}
