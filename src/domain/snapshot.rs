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
pub(super) struct ResolvedListing<'a> {
    pub channel: NameId,
    pub self_user: Option<NameId>,
    pub incomplete: bool,
    pub topics_missing: bool,
    /// Each topic listed, and whether publishers of it are missing.
    pub topics: NumberMap<NameId, bool>,
    pub members: ListedMembers<'a>,
}

/// What a list claims about one member. Most claims change nothing: metadata is borrowed, and copied only for an entry.
#[derive(Clone, Copy)]
pub(super) struct MemberClaim<'a> {
    /// Its metadata; `None` where the list has none.
    pub meta: Option<&'a str>,
    /// Its own stamp, not the line's.
    pub stamp: Stamp,
}

/// The claims about members, each member once, in the order of first listing. Large channels are traversed several
/// times, and data in order is read faster.
#[derive(Default)]
pub(super) struct ListedMembers<'a> {
    claims: Vec<(MemberId, MemberClaim<'a>)>,
    /// Where the claim of each member is. `None` while the claims are in the order of their members' numbers, as in most
    /// lists of a known channel: a member after the last is then new, and any other is found by bisection.
    places: Option<NumberMap<MemberId, u32>>,
}

impl<'a> ListedMembers<'a> {
    pub fn with_capacity(members: usize) -> Self {
        ListedMembers {
            claims: Vec::with_capacity(members),
            places: None,
        }
    }

    /// Adds a claim about a member. If a member is listed twice, the newest claim counts, else the last one. `line`
    /// is the stamp of claims without their own.
    pub fn claim(&mut self, member: MemberId, claim: MemberClaim<'a>, line: Stamp) {
        match self.get_mut(member) {
            Some(known) => {
                if claim.stamp.or(line).against(known.stamp.or(line), 0) != Order::Older {
                    *known = claim;
                }
            }
            None => self.add(member, claim),
        }
    }

    /// Sets the claim about a member and replaces an earlier one.
    pub fn put(&mut self, member: MemberId, claim: MemberClaim<'a>) {
        match self.get_mut(member) {
            Some(known) => *known = claim,
            None => self.add(member, claim),
        }
    }

    /// Adds a claim about a member that is not listed yet.
    fn add(&mut self, member: MemberId, claim: MemberClaim<'a>) {
        if self.places.is_none() && self.is_within_order(member) {
            let mut places = NumberMap::default();
            places.reserve(self.claims.capacity());
            places.extend(
                (0..)
                    .zip(&self.claims)
                    .map(|(at, &(member, _))| (member, at)),
            );
            self.places = Some(places);
        }
        if let Some(places) = &mut self.places {
            places.insert(member, number(self.claims.len()));
        }
        self.claims.push((member, claim));
    }

    /// Whether a member has its place before the last, if the claims are in order.
    fn is_within_order(&self, member: MemberId) -> bool {
        let last = self.claims.last();
        last.is_some_and(|&(last, _)| member.0 <= last.0)
    }

    fn place(&self, member: MemberId) -> Option<usize> {
        match &self.places {
            Some(places) => places.get(&member).map(|&place| place as usize),
            None if self.is_within_order(member) => {
                let number = |&(member, _): &(MemberId, MemberClaim<'_>)| member.0;
                self.claims.binary_search_by_key(&member.0, number).ok()
            }
            None => None,
        }
    }

    /// The claim about a member.
    pub fn get(&self, member: MemberId) -> Option<&MemberClaim<'a>> {
        let (_, claim) = self.claims.get(self.place(member)?)?;
        Some(claim)
    }

    fn get_mut(&mut self, member: MemberId) -> Option<&mut MemberClaim<'a>> {
        let place = self.place(member)?;
        let (_, claim) = self.claims.get_mut(place)?;
        Some(claim)
    }

    /// Removes these members from the list.
    pub fn remove(&mut self, gone: &NumberMap<MemberId, ()>) {
        let claims = std::mem::take(&mut self.claims);
        *self = ListedMembers::with_capacity(claims.len());
        for (member, claim) in claims {
            if !gone.contains_key(&member) {
                self.add(member, claim);
            }
        }
    }

    pub fn contains(&self, member: MemberId) -> bool {
        self.place(member).is_some()
    }

    pub fn len(&self) -> usize {
        self.claims.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = &(MemberId, MemberClaim<'a>)> {
        self.claims.iter()
    }
}

/// What became of the differences that were worked into a list.
#[derive(Default)]
pub(super) struct WorkedIn<'a> {
    /// The latest time of those that were applied.
    pub latest: Option<Millis>,
    /// The claims that they replaced, if these had stamps of their own. The stamps decided that, so the log keeps them.
    pub replaced: Vec<(MemberId, MemberClaim<'a>)>,
}

impl<'a> ResolvedListing<'a> {
    /// Applies the differences that the source had sent before this snapshot, unless the list is provably newer.
    /// `line` is the stamp of members without their own.
    pub fn work_in(
        &mut self,
        collected: &'a NumberMap<MemberId, Collected>,
        line: Stamp,
        tolerance_ms: i64,
        names: &NameTable,
    ) -> WorkedIn<'a> {
        let mut worked_in = WorkedIn::default();
        let mut gone: NumberMap<MemberId, ()> = NumberMap::default();
        for (&member, collected) in collected {
            let own = self.members.get(member).copied();
            let stamp = own.map_or(line, |claim| claim.stamp.or(line));
            if stamp.against(collected.stamp, tolerance_ms).is_newer() {
                continue;
            }
            worked_in.latest = worked_in.latest.max(Some(collected.at));
            let replaced = own.filter(|own| !own.stamp.is_none());
            worked_in.replaced.extend(replaced.map(|own| (member, own)));
            if collected.present {
                let known = own.and_then(|claim| claim.meta);
                let claim = MemberClaim {
                    meta: collected.meta.as_deref().or(known),
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
        worked_in
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
