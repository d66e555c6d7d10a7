//! Infers changes from a snapshot: the differences between what it shows and what was known, each with the window in
//! which it must have happened ([guide](crate::guide::semantics#reconciliation)).

use super::context::DecideContext;
use super::entry::{
    Change, Disposition, Entry, FullListing, Inference, ListedMember, Listing, ListingDelta,
    Origin, Payload, Snapshot, SnapshotBegin, SnapshotGap, SnapshotOrigin, Text,
};
use super::event::ChangeKind;
use super::names::{MemberId, NameId, NumberMap, number};
use super::order::{Order, Stamp};
use super::roster::ChannelState;
use super::slot::{LastUpdate, Presence, Slot};
use super::snapshot::{ListedMembers, MemberClaim, ResolvedListing, WorkedIn};
use super::time::Millis;
use super::watch::{PagedSnapshot, Watch};

/// The entries of a snapshot: its own, then one for each difference.
pub(super) fn reconcile(
    moment: &DecideContext<'_>,
    channel: &ChannelState,
    shown: ResolvedListing<'_>,
    origin: SnapshotOrigin,
) -> Vec<Entry> {
    let watch = channel.watching.of(moment.observer);
    let watch = watch.filter(|watch| watch.lost.is_none());
    Reconciliation {
        moment,
        shown,
        origin,
        channel,
        watch,
        sync: None,
        replaced: Vec::new(),
        hold: watch.and_then(|watch| watch.hold),
        not_after: moment.occurred_at,
    }
    .entries()
}

/// The entries of a paged snapshot that has ended.
pub(super) fn reconcile_pages(
    moment: &DecideContext<'_>,
    (name, channel): (NameId, &ChannelState),
    (watch, sync): (&Watch, &PagedSnapshot),
    incomplete: bool,
) -> Vec<Entry> {
    let mut members = ListedMembers::with_capacity(sync.members.len());
    for (&member, claim) in &sync.members {
        let claim = MemberClaim {
            meta: claim.meta.as_deref(),
            stamp: claim.stamp,
        };
        members.put(member, claim);
    }
    let shown = ResolvedListing {
        channel: name,
        self_user: moment.self_user.or(sync.self_user),
        incomplete: incomplete || sync.incomplete,
        topics_missing: false,
        topics: sync.topics.keys().map(|&topic| (topic, false)).collect(),
        members,
    };
    Reconciliation {
        moment,
        shown,
        origin: SnapshotOrigin::Listed,
        channel,
        watch: Some(watch),
        sync: Some(sync),
        replaced: Vec::new(),
        hold: watch.hold.into_iter().chain([sync.head]).min(),
        not_after: moment.occurred_at,
    }
    .entries()
}

struct Reconciliation<'a> {
    moment: &'a DecideContext<'a>,
    shown: ResolvedListing<'a>,
    /// Claims of the source that are no longer in the list, since differences replaced them.
    replaced: Vec<(MemberId, MemberClaim<'a>)>,
    origin: SnapshotOrigin,
    channel: &'a ChannelState,
    watch: Option<&'a Watch>,
    sync: Option<&'a PagedSnapshot>,
    /// Live events after this entry hold against it.
    hold: Option<u64>,
    /// The latest moment that it shows: all inferred changes happened at or before it.
    not_after: Millis,
}

/// The differences found, and the members about which the snapshot does not decide.
#[derive(Default)]
struct SnapshotDifferences {
    leaves: Vec<Difference>,
    updates: Vec<Difference>,
    joins: Vec<Difference>,
    held: Vec<MemberId>,
    /// Where the list differs from the roster after it.
    residue: Vec<ListingDelta>,
}

struct Difference {
    member: MemberId,
    meta: Option<Text>,
    stamp: Stamp,
    not_before: Option<Millis>,
    baseline: bool,
}

impl Reconciliation<'_> {
    fn entries(mut self) -> Vec<Entry> {
        let complete = self.shown.is_complete();
        let stale = self.channel.cover.is_some_and(|cover| {
            let order = self
                .moment
                .counted
                .against(cover.line, self.moment.rules.skew_tolerance_ms);
            order == Order::Older
        });
        if stale {
            let claims = Listing::Whole(self.whole());
            return vec![self.entry(self.snapshot(true, complete, claims, Vec::new(), None))];
        }
        self.work_in();
        let mut differences = self.differences(complete);
        let names = self.moment.names;
        for list in [
            &mut differences.leaves,
            &mut differences.updates,
            &mut differences.joins,
        ] {
            list.sort_unstable_by(|a, b| names.compare(a.member, b.member));
        }
        let mut held = std::mem::take(&mut differences.held);
        held.sort_unstable_by(|&a, &b| names.compare(a, b));
        let claims = self.claims(complete, std::mem::take(&mut differences.residue));
        let gap = self.gap(complete);
        let mut snapshot = self.snapshot(false, complete, claims, held, gap);
        let after = self.channel.roster.len() + differences.joins.len() - differences.leaves.len();
        snapshot.count = number(after);
        let mut entries = vec![self.entry(snapshot)];
        let kinds = [
            (ChangeKind::Leave, differences.leaves),
            (ChangeKind::Update, differences.updates),
            (ChangeKind::Join, differences.joins),
        ];
        for (kind, list) in kinds {
            for difference in list {
                let seq = self.moment.seq + entries.len() as u64;
                entries.push(self.inferred(seq, kind, difference));
            }
        }
        entries
    }

    /// Applies the differences that the source had sent before its snapshot.
    fn work_in(&mut self) {
        let collecting = self.watch.and_then(Watch::collecting);
        let collected = match self.sync {
            _ if self.origin != SnapshotOrigin::Listed => None,
            Some(sync) => Some(&sync.collected),
            None => collecting.map(|collecting| &collecting.members),
        };
        let Some(collected) = collected.filter(|collected| !collected.is_empty()) else {
            return;
        };
        let tolerance_ms = self.moment.rules.skew_tolerance_ms;
        let (line, names) = (self.line(), self.moment.names);
        let WorkedIn { latest, replaced } =
            self.shown.work_in(collected, line, tolerance_ms, names);
        self.not_after = latest.map_or(self.not_after, |latest| latest.max(self.not_after));
        self.replaced = replaced;
    }

    /// The stamp of listed members without their own.
    fn line(&self) -> Stamp {
        self.sync
            .map_or(self.moment.counted, |sync| sync.begin.stamp)
    }

    /// When it takes effect.
    fn effective_at(&self) -> Millis {
        self.not_after.max(self.channel.effective_at)
    }

    fn differences(&self, complete: bool) -> SnapshotDifferences {
        let mut found = SnapshotDifferences::default();
        let line = self.line();
        // A list without metadata claims only which members are present.
        let has_metadata = self.origin == SnapshotOrigin::Listed;
        // By places in the roster: a large one is then searched without hashing.
        let mut listed = vec![false; self.channel.roster.len()];
        for &(member, ref claim) in self.shown.members.iter() {
            let slot = self.moment.state.slot_or_unknown(member);
            let stamp = claim.stamp.or(line);
            let present = slot.presence == Presence::Present;
            if present && let Some(listed) = listed.get_mut(slot.place as usize) {
                *listed = true;
            }
            let same = claim.meta == slot.meta.as_deref();
            let word = self.last_word(member, slot);
            let sunk = slot.presence == Presence::Unknown && self.channel.is_under_floor(stamp);
            let held = sunk || word.is_some_and(|word| !self.decides(stamp, word, true));
            let changes = !held && (!present || (claim.meta.is_some() && !same));
            let follows = changes || (present && (same || !has_metadata));
            if complete && (!follows || !claim.stamp.is_none()) {
                let claim = Some(self.moment.listed(member, claim));
                found.residue.push(ListingDelta { member, claim });
            }
            if held {
                found.held.push(member);
            } else if changes {
                let difference = self.difference(member, slot, word, claim);
                let list = if present {
                    &mut found.updates
                } else {
                    &mut found.joins
                };
                list.push(difference);
            }
        }
        self.absences(&listed, &mut found);
        found
    }

    /// The join or update of a listed member whose last update is `word`.
    fn difference(
        &self,
        member: MemberId,
        slot: &Slot,
        word: Option<LastUpdate>,
        claim: &MemberClaim<'_>,
    ) -> Difference {
        let baseline = slot.presence == Presence::Unknown && self.channel.cover.is_none();
        let word = if slot.presence == Presence::Present {
            Some(self.channel.last_word_on_meta(slot))
        } else {
            word
        };
        Difference {
            member,
            meta: self.moment.listed(member, claim).meta,
            stamp: claim.stamp.or(self.line()),
            not_before: word.filter(|_| !baseline).map(|word| self.not_before(word)),
            baseline,
        }
    }

    /// Adds the known members that the snapshot does not list. `listed`: which of the roster it lists.
    fn absences(&self, listed: &[bool], found: &mut SnapshotDifferences) {
        let line = self.line();
        let roster = self.channel.roster.iter().zip(listed);
        let unlisted = roster.filter_map(|(&member, listed)| (!listed).then_some(member));
        let slots = &self.moment.state.members.slots;
        let departed = self.channel.departed.iter(slots).map(|(_, member)| member);
        let departed = departed.filter(|&member| !self.shown.members.contains(member));
        for member in unlisted.chain(departed) {
            let key = self.moment.names.key(member);
            if !self.shown.shows_absence(key.topic) {
                continue;
            }
            let slot = self.moment.state.slot_or_unknown(member);
            let Some(word) = self.last_word(member, slot) else {
                continue;
            };
            let present = slot.presence == Presence::Present;
            if (present && self.is_spared(member, key.user)) || !self.decides(line, word, false) {
                found.held.push(member);
                if present {
                    found.residue.push(ListingDelta {
                        member,
                        claim: None,
                    });
                }
            } else if present {
                let not_before = Some(self.not_before(word));
                let meta = slot.meta.clone();
                found.leaves.push(Difference {
                    member,
                    meta,
                    stamp: line,
                    not_before,
                    baseline: false,
                });
            }
        }
    }

    /// Whether a member is the observer itself, which its source need not list. If the
    /// differences contained its leave, that leave counts.
    fn is_spared(&self, member: MemberId, user: NameId) -> bool {
        let collecting = self.watch.and_then(Watch::collecting);
        let collected = collecting.and_then(|collecting| collecting.members.get(&member));
        let left = self.origin == SnapshotOrigin::Differences
            && collected.is_some_and(|collected| !collected.present);
        self.shown.self_user == Some(user) && !left
    }

    fn last_word(&self, member: MemberId, slot: &Slot) -> Option<LastUpdate> {
        if slot.presence == Presence::Present {
            return Some(self.channel.last_word_of_present(slot));
        }
        let topic = self.moment.names.key(member).topic;
        self.channel.last_word(topic, slot)
    }

    /// Whether the snapshot decides about a member whose last update is `word`.
    fn decides(&self, stamp: Stamp, word: LastUpdate, listed: bool) -> bool {
        let holds = word.reporters.is_live() && self.hold.is_some_and(|hold| word.seq > hold);
        if stamp.is_at_time_of(word.stamp) && word.reporters.any_by_other(self.moment.observer) {
            return false;
        }
        match stamp.against(word.stamp, self.moment.rules.skew_tolerance_ms) {
            Order::Newer => true,
            Order::Older => false,
            Order::SameMessage => !listed && !holds,
            Order::SameTime | Order::Forgiven | Order::Unknown => !holds,
        }
    }

    /// The last proof that a member was still in its known state.
    fn not_before(&self, word: LastUpdate) -> Millis {
        let rules = self.moment.rules;
        let not_after = self.not_after;
        let proof = match self.channel.watching.proof_since(word.seq, self.sync) {
            Some(proof) if !rules.lossy && proof.max(word.time) <= not_after => {
                proof.max(word.time)
            }
            _ => word.time.min(not_after),
        };
        proof.saturating_sub(rules.slack_ms)
    }

    /// The gap that the snapshot closes, or during which it came.
    fn gap(&self, complete: bool) -> Option<SnapshotGap> {
        let watching = &self.channel.watching;
        let to = self.effective_at();
        if let Some(open) = watching.open_gap {
            let closed = complete.then(|| to.max(open.from));
            return Some(SnapshotGap {
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
        Some(SnapshotGap {
            gap: watching.gaps + 1,
            opened: Some(proof.min(to)),
            closed: Some(to),
        })
    }

    fn snapshot(
        &self,
        stale: bool,
        complete: bool,
        claims: Listing,
        held: Vec<MemberId>,
        gap: Option<SnapshotGap>,
    ) -> Snapshot {
        let count = self.channel.roster.len();
        Snapshot {
            channel: self.shown.channel,
            self_user: self.shown.self_user,
            origin: self.origin,
            stale,
            complete,
            listed: number(self.shown.members.len()),
            claims,
            held,
            begin: self.sync.map(|sync| -> SnapshotBegin { sync.begin }),
            gap,
            count: number(count),
            digest: [0; 32],
        }
    }

    fn entry(&self, snapshot: Snapshot) -> Entry {
        let what = Payload::Snapshot(Box::new(snapshot));
        Entry {
            effective_at: self.effective_at(),
            ..self.moment.entry(self.moment.seq, self.channel, what)
        }
    }

    fn inferred(&self, seq: u64, kind: ChangeKind, difference: Difference) -> Entry {
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
            reported: kind,
            disposition,
            meta,
            reason: None,
            origin,
            late: None,
        };
        let entry = self
            .moment
            .entry(seq, self.channel, Payload::Change(change));
        Entry {
            occurred_at: self.not_after,
            effective_at: self.effective_at(),
            stamp,
            id: None,
            ..entry
        }
    }

    /// What the snapshot listed, in the shorter of the two forms.
    fn claims(&self, complete: bool, mut residue: Vec<ListingDelta>) -> Listing {
        let half = self.shown.members.len() / 2;
        let is_long = self.origin == SnapshotOrigin::Listed && residue.len() > half;
        if !complete || is_long {
            return Listing::Whole(self.whole());
        }
        if !self.replaced.is_empty() {
            let replaced = self.replaced();
            residue.retain(|it| !replaced.contains_key(&it.member));
            residue.extend(replaced.into_iter().map(|(member, claim)| {
                let claim = Some(claim);
                ListingDelta { member, claim }
            }));
        }
        residue.sort_unstable_by(|a, b| self.moment.names.compare(a.member, b.member));
        Listing::Residue(residue)
    }

    /// The claims that were replaced, as the source listed them.
    fn replaced(&self) -> NumberMap<MemberId, ListedMember> {
        let replaced = self.replaced.iter();
        let replaced =
            replaced.map(|(member, claim)| (*member, self.moment.listed(*member, claim)));
        replaced.collect()
    }

    fn whole(&self) -> FullListing {
        let names = self.moment.names;
        let mut topics: Vec<_> = self
            .shown
            .topics
            .iter()
            .map(|(&topic, &short)| (topic, short))
            .collect();
        topics.sort_unstable_by(|a, b| names.text(a.0).cmp(names.text(b.0)));
        let replaced = self.replaced();
        let members = self.shown.members.iter();
        let members = members.filter(|(member, _)| !replaced.contains_key(member));
        let mut members: Vec<_> = members
            .map(|(member, claim)| (*member, self.moment.listed(*member, claim)))
            .collect();
        members.extend(replaced);
        members.sort_unstable_by(|a, b| names.compare(a.0, b.0));
        FullListing {
            incomplete: self.shown.incomplete,
            topics_missing: self.shown.topics_missing,
            topics,
            members,
        }
    }
}
