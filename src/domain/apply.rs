//! Applies entries to the state: the only way to change it. Nothing is decided here.

use super::entry::{
    Change, Disposition, Entry, FullListing, ListedMember, Listing, Origin, Page, PageStep,
    Payload, Snapshot, SnapshotOrigin, TokenChange,
};
use super::event::ChangeKind;
use super::interval::ObservedInterval;
use super::members::{MemberTable, Slots};
use super::names::{MemberId, NameId, Names, NumberMap};
use super::observer::Observer;
use super::order::{Order, Stamp};
use super::roster::{ChannelState, SnapshotCover};
use super::slot::{LastUpdate, Presence, Reporters, Slot};
use super::snapshot::claim_once;
use super::state::State;
use super::time::Millis;
use super::watch::PagedSnapshot;
use crate::limits;

impl State {
    /// Applies the next entry of the log. `names` is the dictionary of its numbers.
    pub fn apply(&mut self, entry: &Entry, names: &Names) {
        self.pass(entry);
        match &entry.payload {
            Payload::Change(change) => self.apply_change(entry, change, names),
            Payload::Snapshot(snapshot) => self.apply_snapshot(entry, snapshot, names),
            Payload::Link(link) => {
                self.apply_link(entry, link, names);
                self.count(entry, link.channel);
            }
            Payload::Token(token) => {
                self.apply_token(entry, token);
                self.count(entry, token.channel);
            }
        }
    }

    /// Notes how far the log was read, without what the entry says.
    pub(crate) fn pass(&mut self, entry: &Entry) {
        self.pass_to(entry.seq, entry.recorded_at);
    }

    /// The same for all entries up to this number.
    pub(crate) fn pass_to(&mut self, seq: u64, recorded_at: Millis) {
        self.head = seq;
        self.recorded_at = recorded_at;
    }

    /// Counts an entry for its channel; an entry that names none, for every channel of its observer.
    fn count(&mut self, entry: &Entry, channel: Option<NameId>) {
        let Some(channel) = channel else {
            let observer = self.observers.get(&entry.observer);
            for name in observer
                .iter()
                .flat_map(|observer| observer.channels.keys())
            {
                if let Some(channel) = self.channels.get_mut(name) {
                    channel.tally.count(entry.effective_at);
                }
            }
            return;
        };
        if let Some(channel) = self.channels.get_mut(&channel) {
            channel.tally.count(entry.effective_at);
        }
    }

    fn apply_change(&mut self, entry: &Entry, change: &Change, names: &Names) {
        let key = names.key(change.member);
        let channel = self.channels.entry(key.channel).or_default();
        let before = self.members.is_present(change.member);
        let collected = change.disposition == Disposition::Collected;
        if !collected && change.origin == Origin::Observed {
            let observer = self.observers.entry(entry.observer).or_default();
            heard_from(observer, channel, entry, key.channel, true);
        }
        channel.begin_own_reports(&self.members.slots);
        channel.take_effect(entry);
        if !collected && change.disposition != Disposition::Stale {
            self.members.change(channel, key.topic, entry, change);
        }
        let after = self.members.is_present(change.member);
        channel.list_change(entry, change, before, after);
        self.drop_excess_tombstone(names);
        if self.collecting > 0 {
            // The first message after a lost connection ends the resync of its source.
            self.note_collecting(entry.observer, key.channel);
        }
    }

    fn apply_snapshot(&mut self, entry: &Entry, snapshot: &Snapshot, names: &Names) {
        let observer = self.observers.entry(entry.observer).or_default();
        let channel = self.channels.entry(snapshot.channel).or_default();
        let watching = &mut channel.watching;
        watching.of_mut(entry.observer, observer, snapshot.channel, entry.seq);
        channel.begin_own_reports(&self.members.slots);
        self.list_snapshot(entry, snapshot, names);
        self.apply_snapshot_to(entry, snapshot, names);
        let own = snapshot.origin == SnapshotOrigin::Differences;
        if !snapshot.stale || own {
            if let Some(watch) = self.watch_mut(snapshot.channel, entry.observer) {
                watch.collecting = None;
            }
            self.note_collecting(entry.observer, snapshot.channel);
        }
    }

    fn apply_snapshot_to(&mut self, entry: &Entry, snapshot: &Snapshot, names: &Names) {
        let observer = self.observers.entry(entry.observer).or_default();
        let channel = self.channels.entry(snapshot.channel).or_default();
        heard_from(observer, channel, entry, snapshot.channel, false);
        channel.take_effect(entry);
        if snapshot.stale {
            if let Some(channel) = self.channels.get_mut(&snapshot.channel) {
                channel.watching.passed_over(entry, snapshot);
            }
            return;
        }
        let line = entry.counted();
        let begin = snapshot.begin;
        // Its pages were read after its begin, and changes since then are known from live events.
        let of = begin.map_or((line, entry.occurred_at), |begin| {
            (begin.stamp, begin.occurred_at.min(entry.occurred_at))
        });
        let cover = SnapshotCover {
            seq: entry.seq,
            line: channel.cover.map_or(line, |before| line.since(before.line)),
            of,
        };
        channel.spoken = Some((entry.seq, of.1));
        let mut known_absent = Vec::new();
        for &member in &snapshot.held {
            let topic = names.key(member).topic;
            let slot = self.members.slot_mut(member);
            let word = channel.last_word(topic, slot);
            if slot.presence == Presence::Unknown {
                let Some(word) = word else { continue };
                slot.set_last_update(word);
                known_absent.push(member);
            } else if let Some(word) = word {
                // Keep the last update from before this snapshot, which now becomes the newest cover.
                slot.set_last_update(word);
            }
            slot.set_held_at(entry.seq);
        }
        // They are listed, but by older data than what showed their absence: the absence stays their last update.
        for member in known_absent {
            let channel = self.channels.entry(snapshot.channel).or_default();
            self.members.add_tombstone(channel, member, entry.seq);
            self.drop_excess_tombstone(names);
        }
        let channel = self.channels.entry(snapshot.channel).or_default();
        if snapshot.complete {
            let passed = |floor: Stamp| {
                !matches!(cover.of.0.against(floor, 0), Order::Older | Order::Unknown)
            };
            channel.floor = channel.floor.filter(|&floor| !passed(floor));
            channel.cover = Some(cover);
            if snapshot.origin == SnapshotOrigin::Listed {
                channel.listed_cover = Some(cover);
            }
            channel.topic_covers.clear();
            self.members.remove_covered_tombstones(channel, entry.seq);
        } else if let Listing::Whole(whole) = &snapshot.claims {
            cover_topics(channel, whole, cover, &self.members.slots, names);
        }
        self.apply_claims(entry, snapshot, of);
        self.watched_snapshot(entry, snapshot);
    }

    /// Where the cover alone would say too little of a listed member, its claim becomes the last update: in an incomplete
    /// snapshot, or with a stamp of its own.
    fn apply_claims(&mut self, entry: &Entry, snapshot: &Snapshot, (stamp, time): (Stamp, Millis)) {
        let explicit = |claim: &ListedMember| !snapshot.complete || !claim.stamp.is_none();
        let claims: &mut dyn Iterator<Item = (MemberId, &ListedMember)> = match &snapshot.claims {
            Listing::Whole(whole) => {
                &mut whole.members.iter().map(|(member, claim)| (*member, claim))
            }
            Listing::Residue(residue) => &mut residue
                .iter()
                .filter_map(|item| item.claim.as_ref().map(|claim| (item.member, claim))),
        };
        for (member, claim) in claims.filter(|(_, claim)| explicit(claim)) {
            let slot = self.members.slot_mut(member);
            if slot.held_at() != entry.seq && slot.presence == Presence::Present {
                let stamp = claim.stamp.or(stamp);
                slot.set_last_update(LastUpdate {
                    seq: entry.seq,
                    time,
                    stamp,
                    reporters: Reporters::NONE,
                });
            }
        }
    }

    fn watched_snapshot(&mut self, entry: &Entry, snapshot: &Snapshot) {
        let observer = self.observers.entry(entry.observer).or_default();
        let Some(channel) = self.channels.get_mut(&snapshot.channel) else {
            return;
        };
        let watch = channel
            .watching
            .of_mut(entry.observer, observer, snapshot.channel, entry.seq);
        let again = watch.gives_again(observer.linked, snapshot.begin.is_some());
        // The collected differences were applied to it: it shows their moment, too.
        let collected = watch.collected_until().map(|at| at.min(entry.effective_at));
        let shown_at = collected.max(Some(entry.occurred_at));
        if snapshot.begin.is_some() {
            watch.sync = None;
        }
        let mut ended = None;
        if snapshot.complete {
            // A second snapshot without a link line between them: something may have been missed before it.
            if again || watch.stretch.is_none() {
                let from_seq = entry.seq;
                let fresh = ObservedInterval {
                    observer: entry.observer,
                    since: entry.occurred_at,
                    from_seq,
                    to_seq: u64::MAX,
                    proof: None,
                };
                ended = watch.stretch.replace(fresh);
            }
            watch.given = true;
            watch.muted = false;
            watch.hold = None;
            if let Some(stretch) = &mut watch.stretch {
                stretch.proof = stretch.proof.max(shown_at);
            }
        } else if !observer.linked || snapshot.origin == SnapshotOrigin::Occupancy {
            watch.muted = true;
            ended = watch.stretch.take();
        } else if let Some(stretch) = &mut watch.stretch {
            stretch.proof = stretch.proof.max(shown_at);
        }
        let proof = watch.stretch.and_then(|stretch| stretch.proof);
        let watching = &mut channel.watching;
        watching.end(ended, entry.seq.saturating_sub(1));
        watching.hear(proof);
        if let Some(gap) = snapshot.gap {
            watching.gaps = watching.gaps.max(gap.gap);
            if gap.is_closed() {
                watching.open_gap = None;
            }
        }
    }

    fn apply_token(&mut self, entry: &Entry, token: &TokenChange) {
        let observer = self.observers.entry(entry.observer).or_default();
        if let Some(name) = token.channel {
            let watching = &mut self.channels.entry(name).or_default().watching;
            if watching.of(entry.observer).is_none() {
                // The line is about the channel, but does not show that the observer watches it.
                watching
                    .of_mut(entry.observer, observer, name, entry.seq)
                    .up = false;
            }
        }
    }

    /// Applies a step of a paged snapshot, which is no entry.
    pub fn apply_page(&mut self, page: &Page) {
        self.apply_step(page);
        self.note_collecting(page.observer, page.channel);
    }

    fn apply_step(&mut self, page: &Page) {
        self.recorded_at = self.recorded_at.max(page.recorded_at);
        let observer = self.observers.entry(page.observer).or_default();
        let watching = &mut self.channels.entry(page.channel).or_default().watching;
        let head = self.head;
        watching.settle(page.observer);
        let watch = watching.of_mut(page.observer, observer, page.channel, head + 1);
        if !watch.up {
            watch.up = true;
            watch.hold = observer.linked.then_some(head);
        }
        match &page.step {
            PageStep::Begin {
                begin,
                self_user,
                incomplete,
                id,
            } => {
                let proofs = watching
                    .watches
                    .iter()
                    .filter_map(|watch| watch.stretch)
                    .collect();
                let channel_proof = watching.proven();
                let watch = watching.of_mut(page.observer, observer, page.channel, head + 1);
                // Pages that never ended: something may have been missed after them.
                watch.given = watch.gives_again(observer.linked, false);
                let collecting = watch.collecting.take();
                watch.sync = Some(Box::new(PagedSnapshot {
                    name: page.sync.clone(),
                    begin: *begin,
                    self_user: *self_user,
                    incomplete: *incomplete,
                    id: id.clone(),
                    head,
                    proofs,
                    channel_proof,
                    topics: NumberMap::default(),
                    members: Default::default(),
                    collected: collecting.map_or_else(Default::default, |it| it.members),
                }));
            }
            PageStep::Members(page) => {
                let Some(sync) = &mut watch.sync else { return };
                sync.topics
                    .extend(page.topics.iter().map(|&(topic, _)| (topic, ())));
                for (member, claim) in &page.members {
                    let (claim, line) = (claim.clone(), sync.begin.stamp);
                    claim_once(&mut sync.members, *member, claim, line);
                }
            }
        }
    }
}

impl MemberTable {
    /// Applies a change that is not stale to its member, which is in `topic`.
    fn change(
        &mut self,
        channel: &mut ChannelState,
        topic: NameId,
        entry: &Entry,
        change: &Change,
    ) {
        let member = change.member;
        let slot = self.slot_mut(member);
        let known = channel.last_word(topic, slot);
        let word = next_word(entry, change, known, channel.spoken);
        if !change.is_applied() {
            slot.set_last_update(word);
            if slot.presence != Presence::Present {
                self.add_tombstone(channel, member, entry.seq);
            }
            return;
        }
        let window = entry.window();
        let changed_at = window.map_or(Some(entry.occurred_at), |window| window.not_before);
        slot.set_last_change(word, changed_at);
        match change.kind {
            ChangeKind::Join if slot.presence == Presence::Present => {}
            ChangeKind::Join => {
                self.remove_tombstone(channel, member);
                self.join_roster(channel, member, change.meta.clone(), entry.effective_at);
            }
            ChangeKind::Update => slot.meta.clone_from(&change.meta),
            ChangeKind::Leave => {
                self.leave_roster(channel, member);
                // The cover of a complete snapshot already shows that the member is
                // gone. Any other leave needs a tombstone.
                let cover = channel.cover.map(|cover| cover.seq);
                let covered = matches!(change.origin, Origin::Inferred(by)
                    if cover == Some(by.snapshot_seq));
                if covered {
                    // Nothing is kept of an unknown member: a checkpoint does not keep it either.
                    *self.slot_mut(member) = Slot::default();
                } else {
                    self.add_tombstone(channel, member, entry.seq);
                }
            }
        }
    }
}

/// Records a message about a channel: its observer is up there. A change of a member `proves` at once that the
/// observer watches; what a snapshot proves depends on what it shows.
fn heard_from(
    observer: &mut Observer,
    channel: &mut ChannelState,
    entry: &Entry,
    name: NameId,
    proves: bool,
) {
    let first_line = !channel.seen_whole();
    let stale_snapshot = matches!(&entry.payload, Payload::Snapshot(snapshot) if snapshot.stale);
    if !stale_snapshot {
        channel.watching.settle(entry.observer);
    }
    let watch = channel
        .watching
        .of_mut(entry.observer, observer, name, entry.seq);
    if !watch.up && !stale_snapshot {
        watch.up = true;
        // A feed without link lines has no such hold.
        watch.hold = observer.linked.then_some(entry.seq.saturating_sub(1));
    }
    observer.hear(name, entry.seq, entry.occurred_at);
    if watch.stretch.is_none() && first_line && !watch.muted {
        let from_seq = entry.seq;
        watch.stretch = Some(ObservedInterval {
            observer: entry.observer,
            since: entry.occurred_at,
            from_seq,
            to_seq: u64::MAX,
            proof: None,
        });
    }
    // Between a snapshot's pages, live events may come after a gap that was not reported.
    let paging = watch.sync.as_ref().map(|sync| sync.head);
    if proves
        && let Some(stretch) = &mut watch.stretch
        && paging.is_none_or(|head| stretch.from_seq > head)
    {
        stretch.proof = stretch.proof.max(Some(entry.occurred_at));
        let proof = stretch.proof;
        channel.watching.hear(proof);
    }
}

/// Lets an incomplete snapshot decide about unlisted members, in the topics that it shows whole.
fn cover_topics(
    channel: &mut ChannelState,
    whole: &FullListing,
    cover: SnapshotCover,
    slots: &Slots,
    names: &Names,
) {
    if whole.incomplete {
        return;
    }
    let shown: Vec<NameId> = whole
        .topics
        .iter()
        .filter(|(_, short)| !short)
        .map(|&(topic, _)| topic)
        .collect();
    let mut covered = shown;
    if !whole.topics_missing {
        let listed: NumberMap<NameId, ()> =
            whole.topics.iter().map(|&(topic, _)| (topic, ())).collect();
        let departed = channel.departed.iter(slots).map(|(_, member)| member);
        let known = channel.roster.iter().copied().chain(departed);
        let topics: NumberMap<NameId, ()> =
            known.map(|member| (names.key(member).topic, ())).collect();
        covered.extend(
            topics
                .into_keys()
                .filter(|topic| !listed.contains_key(topic)),
        );
    }
    for topic in covered {
        if channel.topic_covers.len() < limits::TOPIC_COVERS_MAX
            || channel.topic_covers.contains_key(&topic)
        {
            channel.topic_covers.insert(topic, cover);
        }
    }
}

/// A member's last update after `entry`. `spoken` is the last snapshot and the moment that it shows: its inferred
/// changes were true at that moment, and not only at the snapshot's end.
fn next_word(
    entry: &Entry,
    change: &Change,
    known: Option<LastUpdate>,
    spoken: Option<(u64, Millis)>,
) -> LastUpdate {
    let stamp = entry.counted();
    let of_snapshot = spoken.filter(
        |&(seq, _)| matches!(change.origin, Origin::Inferred(by) if by.snapshot_seq == seq),
    );
    let word = LastUpdate {
        seq: entry.seq,
        time: of_snapshot.map_or(entry.occurred_at, |(_, time)| time),
        stamp,
        reporters: Reporters::NONE,
    };
    if change.origin != Origin::Observed {
        return word;
    }
    let fresh = Reporters::only(change.reported, entry.observer);
    let Some(known) = known else {
        return LastUpdate {
            reporters: fresh,
            ..word
        };
    };
    let same_time = stamp.ts.is_some() && stamp.ts == known.stamp.ts;
    let heard = if same_time {
        known.reporters.and(change.reported, entry.observer)
    } else {
        fresh
    };
    LastUpdate {
        reporters: heard,
        ..word
    }
    .since(known)
}
