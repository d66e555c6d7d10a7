//! What a snapshot makes one infer: the differences between what it shows and what was known, each with the
//! window in which it must have happened (contract 2.6).

use super::decide::Moment;
use super::entry::{
    Begin, Change, Claim, Claims, Disposition, Entry, GapSeen, Inference, Origin, Residue,
    Snapshot, Text, What, Whole,
};
use super::event::Kind;
use super::names::{Member, Name, NumberMap};
use super::order::{Order, Stamp};
use super::roster::{Channel, LastWord, Presence, Slot};
use super::time::Millis;
use super::watch::{Sync, Watch};
use std::collections::hash_map;

/// A snapshot, read into the dictionary: each member and each topic once.
pub(super) struct Shown {
    pub channel: Name,
    pub self_user: Option<Name>,
    pub incomplete: bool,
    pub topics_missing: bool,
    /// Each topic listed, and whether publishers of it are missing.
    pub topics: NumberMap<Name, bool>,
    pub members: Listed,
}

/// What is claimed of members, each once, in the order in which they were first listed: a large channel is gone
/// through several times, and what lies in order is read faster.
#[derive(Default)]
pub(super) struct Listed {
    places: NumberMap<Member, u32>,
    claims: Vec<(Member, Claim)>,
}

impl Listed {
    pub fn with_capacity(members: usize) -> Self {
        Listed {
            places: NumberMap::with_capacity_and_hasher(members, Default::default()),
            claims: Vec::with_capacity(members),
        }
    }

    /// Takes in what a snapshot claims of a member. Of one listed twice the newest counts, else the last; `line` is
    /// the stamp of those that have none of their own.
    pub fn claim(&mut self, member: Member, claim: Claim, line: Stamp) {
        match self.places.entry(member) {
            hash_map::Entry::Vacant(place) => {
                place.insert(u32::try_from(self.claims.len()).unwrap_or(u32::MAX));
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

    pub fn contains(&self, member: Member) -> bool {
        self.places.contains_key(&member)
    }

    pub fn len(&self) -> usize {
        self.claims.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = &(Member, Claim)> {
        self.claims.iter()
    }

    pub fn into_claims(self) -> Vec<(Member, Claim)> {
        self.claims
    }
}

impl Shown {
    fn is_complete(&self) -> bool {
        !self.incomplete && !self.topics_missing && self.topics.values().all(|short| !short)
    }

    /// Whether somebody in `topic` who is not listed is thereby shown to be absent.
    fn shows_absence(&self, topic: Name) -> bool {
        !self.incomplete
            && self
                .topics
                .get(&topic)
                .map_or(!self.topics_missing, |short| !short)
    }
}

/// Takes in what a snapshot claims of a member. Of one listed twice the newest counts, else the last; `line` is the
/// stamp of those that have none of their own.
pub(super) fn claim_once(
    claims: &mut NumberMap<Member, Claim>,
    member: Member,
    claim: Claim,
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

/// The entries of a snapshot: its own, then one for each difference.
pub(super) fn reconcile(moment: &Moment<'_>, shown: Shown) -> Vec<Entry> {
    let nothing_known = Channel::default();
    let channel = moment
        .state
        .channels
        .get(&shown.channel)
        .unwrap_or(&nothing_known);
    let watch = channel
        .watching
        .of(moment.observer)
        .filter(|watch| watch.lost.is_none());
    Reconciliation {
        moment,
        shown: &shown,
        channel,
        watch,
        sync: None,
    }
    .entries()
}

/// The same for a paged snapshot that has ended.
pub(super) fn reconcile_pages(
    moment: &Moment<'_>,
    name: Name,
    watch: &Watch,
    sync: &Sync,
    incomplete: bool,
) -> Vec<Entry> {
    let mut members = Listed::with_capacity(sync.members.len());
    for (&member, claim) in &sync.members {
        members.claim(member, claim.clone(), Stamp::NONE);
    }
    let shown = Shown {
        channel: name,
        self_user: moment.self_user.or(sync.self_user),
        incomplete: incomplete || sync.incomplete,
        topics_missing: false,
        topics: sync.topics.keys().map(|&topic| (topic, false)).collect(),
        members,
    };
    let nothing_known = Channel::default();
    let channel = moment.state.channels.get(&name).unwrap_or(&nothing_known);
    Reconciliation {
        moment,
        shown: &shown,
        channel,
        watch: Some(watch),
        sync: Some(sync),
    }
    .entries()
}

struct Reconciliation<'a> {
    moment: &'a Moment<'a>,
    shown: &'a Shown,
    channel: &'a Channel,
    watch: Option<&'a Watch>,
    sync: Option<&'a Sync>,
}

/// Differences found, and members for whom the snapshot does not decide.
#[derive(Default)]
struct Differences {
    leaves: Vec<Difference>,
    updates: Vec<Difference>,
    joins: Vec<Difference>,
    held: Vec<Member>,
}

struct Difference {
    member: Member,
    meta: Option<Text>,
    stamp: Stamp,
    not_before: Option<Millis>,
    baseline: bool,
}

impl Reconciliation<'_> {
    fn entries(&self) -> Vec<Entry> {
        let complete = self.shown.is_complete();
        let stale = self.channel.cover.is_some_and(|cover| {
            let order = self
                .moment
                .counted
                .against(cover.line, self.moment.rules.skew_tolerance_ms);
            order == Order::Older
        });
        if stale {
            let claims = Claims::Whole(self.whole());
            return vec![self.entry(self.snapshot(true, complete, claims, Vec::new(), None))];
        }
        let mut differences = self.differences();
        let names = &*self.moment.names;
        for list in [
            &mut differences.leaves,
            &mut differences.updates,
            &mut differences.joins,
        ] {
            list.sort_unstable_by(|a, b| names.compare(a.member, b.member));
        }
        let mut held = std::mem::take(&mut differences.held);
        held.sort_unstable_by(|&a, &b| names.compare(a, b));
        let claims = self.claims(complete, &differences, &held);
        let gap = self.gap(complete);
        let mut snapshot = self.snapshot(false, complete, claims, held, gap);
        let after = self.channel.roster.len() + differences.joins.len() - differences.leaves.len();
        snapshot.count = u32::try_from(after).unwrap_or(u32::MAX);
        let mut entries = vec![self.entry(snapshot)];
        let kinds = [
            (Kind::Leave, differences.leaves),
            (Kind::Update, differences.updates),
            (Kind::Join, differences.joins),
        ];
        for (kind, list) in kinds {
            for difference in list {
                let seq = self.moment.seq + entries.len() as u64;
                entries.push(self.inferred(seq, kind, difference));
            }
        }
        entries
    }

    fn differences(&self) -> Differences {
        let mut found = Differences::default();
        let unknown = Slot::default();
        let listed = self
            .sync
            .map_or(self.moment.counted, |sync| sync.begin.stamp);
        for &(member, ref claim) in self.shown.members.iter() {
            let slot = self.moment.state.slot(member).unwrap_or(&unknown);
            let stamp = claim.stamp.or(listed);
            let present = slot.presence == Presence::Present;
            let word = self.last_word(member, slot);
            let sunk = slot.presence == Presence::Unknown && self.channel.is_under_floor(stamp);
            if sunk || word.is_some_and(|word| !self.decides(stamp, word, true)) {
                found.held.push(member);
                continue;
            }
            let changed = claim.meta.is_some() && claim.meta != slot.meta;
            if present && !changed {
                continue;
            }
            let baseline = slot.presence == Presence::Unknown && self.channel.cover.is_none();
            let not_before = word.filter(|_| !baseline).map(|word| self.not_before(word));
            let meta = claim.meta.clone();
            let list = if present {
                &mut found.updates
            } else {
                &mut found.joins
            };
            list.push(Difference {
                member,
                meta,
                stamp,
                not_before,
                baseline,
            });
        }
        let absent = self
            .sync
            .map_or(self.moment.counted, |sync| sync.begin.stamp);
        let slots = &self.moment.state.slots;
        let departed = self.channel.departed.iter(slots).map(|(_, member)| member);
        let known = self.channel.roster.iter().copied().chain(departed);
        for member in known {
            if self.shown.members.contains(member) {
                continue;
            }
            let key = self.moment.names.key(member);
            if !self.shown.shows_absence(key.topic) {
                continue;
            }
            let slot = self.moment.state.slot(member).unwrap_or(&unknown);
            let Some(word) = self.last_word(member, slot) else {
                continue;
            };
            let present = slot.presence == Presence::Present;
            let is_self = present && self.shown.self_user == Some(key.user);
            if is_self || !self.decides(absent, word, false) {
                found.held.push(member);
            } else if present {
                let not_before = Some(self.not_before(word));
                let meta = slot.meta.clone();
                found.leaves.push(Difference {
                    member,
                    meta,
                    stamp: absent,
                    not_before,
                    baseline: false,
                });
            }
        }
        found
    }

    fn last_word(&self, member: Member, slot: &Slot) -> Option<LastWord> {
        self.channel
            .last_word(self.moment.names.key(member).topic, slot)
    }

    /// Whether the snapshot decides about a member of whom `word` is the last word.
    fn decides(&self, stamp: Stamp, word: LastWord, listed: bool) -> bool {
        let of_link = self.watch.and_then(|watch| watch.hold);
        let of_pages = self.sync.map(|sync| sync.head);
        let hold = of_link.into_iter().chain(of_pages).min();
        let holds = word.heard.is_live() && hold.is_some_and(|hold| word.seq > hold);
        if stamp.is_at_time_of(word.stamp) && word.heard.any_by_other(self.moment.observer) {
            return false;
        }
        match stamp.against(word.stamp, self.moment.rules.skew_tolerance_ms) {
            Order::Newer => true,
            Order::Older => false,
            Order::SameMessage => !listed && !holds,
            Order::SameTime | Order::Forgiven | Order::Unknown => !holds,
        }
    }

    /// The last proof that a member's state was still the known one.
    fn not_before(&self, word: LastWord) -> Millis {
        let rules = self.moment.rules;
        let not_after = self.moment.occurred_at;
        let proof = match self.channel.watching.proof_since(word.seq, self.sync) {
            Some(proof) if !rules.lossy && proof.max(word.time) <= not_after => {
                proof.max(word.time)
            }
            _ => word.time.min(not_after),
        };
        proof.saturating_sub(rules.slack_ms)
    }

    /// What the snapshot has to do with a gap.
    fn gap(&self, complete: bool) -> Option<GapSeen> {
        let watching = &self.channel.watching;
        let to = self.moment.effective_at(self.channel);
        if let Some(open) = watching.open_gap {
            let closed = complete.then(|| to.max(open.from));
            return Some(GapSeen {
                gap: open.gap,
                opened: None,
                closed,
            });
        }
        let observer = self.moment.state.observers.get(&self.moment.observer);
        let linked = observer.is_some_and(|observer| observer.linked);
        let again = self
            .watch
            .is_some_and(|watch| watch.gives_again(linked, self.sync.is_some()));
        if !complete || !again || watching.another_is_up(self.moment.observer) {
            return None;
        }
        let proof = self
            .sync
            .map_or(watching.proven(), |sync| sync.channel_proof)?;
        Some(GapSeen {
            gap: watching.gaps + 1,
            opened: Some(proof.min(to)),
            closed: Some(to),
        })
    }

    fn snapshot(
        &self,
        stale: bool,
        complete: bool,
        claims: Claims,
        held: Vec<Member>,
        gap: Option<GapSeen>,
    ) -> Snapshot {
        let count = self.channel.roster.len();
        Snapshot {
            channel: self.shown.channel,
            self_user: self.shown.self_user,
            stale,
            complete,
            listed: u32::try_from(self.shown.members.len()).unwrap_or(u32::MAX),
            claims,
            held,
            begin: self.sync.map(|sync| -> Begin { sync.begin }),
            gap,
            count: u32::try_from(count).unwrap_or(u32::MAX),
            digest: [0; 32],
        }
    }

    fn entry(&self, snapshot: Snapshot) -> Entry {
        self.moment.entry(
            self.moment.seq,
            self.channel,
            What::Snapshot(Box::new(snapshot)),
        )
    }

    fn inferred(&self, seq: u64, kind: Kind, difference: Difference) -> Entry {
        let Difference {
            member,
            meta,
            stamp,
            not_before,
            baseline,
        } = difference;
        let origin = Origin::Inferred(Inference {
            snapshot_seq: self.moment.seq,
            not_before,
            baseline,
        });
        let disposition = Disposition::Applied;
        let change = Change {
            member,
            kind,
            said: kind,
            disposition,
            meta,
            reason: None,
            origin,
        };
        let entry = self.moment.entry(seq, self.channel, What::Change(change));
        Entry {
            stamp,
            id: None,
            ..entry
        }
    }

    /// What the snapshot said, in the shorter of the two ways.
    fn claims(&self, complete: bool, differences: &Differences, held: &[Member]) -> Claims {
        if !complete {
            return Claims::Whole(self.whole());
        }
        let half = self.shown.members.len() / 2;
        let mut residue: Vec<Residue> = Vec::new();
        let changed: NumberMap<Member, &Option<Text>> = differences
            .joins
            .iter()
            .chain(&differences.updates)
            .map(|d| (d.member, &d.meta))
            .collect();
        for &(member, ref claim) in self.shown.members.iter() {
            let before = self.moment.state.slot(member);
            let after = changed.get(&member).copied().or_else(|| {
                before
                    .filter(|slot| slot.presence == Presence::Present)
                    .map(|slot| &slot.meta)
            });
            if after != Some(&claim.meta) || !claim.stamp.is_none() {
                residue.push(Residue {
                    member,
                    claim: Some(claim.clone()),
                });
            }
        }
        let unclaimed = held
            .iter()
            .filter(|&&member| !self.shown.members.contains(member));
        let present = unclaimed.filter(|&&member| self.moment.state.present(member).is_some());
        residue.extend(present.map(|&member| Residue {
            member,
            claim: None,
        }));
        if residue.len() > half {
            return Claims::Whole(self.whole());
        }
        residue.sort_unstable_by(|a, b| self.moment.names.compare(a.member, b.member));
        Claims::Residue(residue)
    }

    fn whole(&self) -> Whole {
        let names = &*self.moment.names;
        let mut topics: Vec<_> = self
            .shown
            .topics
            .iter()
            .map(|(&topic, &short)| (topic, short))
            .collect();
        topics.sort_unstable_by(|a, b| names.text(a.0).cmp(names.text(b.0)));
        let mut members: Vec<_> = self.shown.members.iter().cloned().collect();
        members.sort_unstable_by(|a, b| names.compare(a.0, b.0));
        Whole {
            incomplete: self.shown.incomplete,
            topics_missing: self.shown.topics_missing,
            topics,
            members,
        }
    }
}
