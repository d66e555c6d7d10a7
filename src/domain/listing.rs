//! How entries change the own lists of observers, and what they collect.
//!
//! An own list follows the order of its observer's source, not the order of arrival: an event or a snapshot that arrives
//! behind a newer one does not undo it. Neither the roster nor the tombstones can show which is newer, because in them
//! the last update of any observer counts.

use super::entry::{Change, Disposition, Entry, Listing, Origin, Snapshot, SnapshotOrigin};
use super::event::ChangeKind;
use super::members::Slots;
use super::names::{MemberId, NameId, Names, NumberMap};
use super::order::{Order, Stamp};
use super::own_list::OwnList;
use super::own_reports::{OwnReport, OwnReports, OwnSaid, ReportOrder};
use super::roster::ChannelState;
use super::slot::Presence;
use super::state::State;
use super::watch::Watch;

impl ChannelState {
    /// Begins to remember what each observer reports, when the channel gets its second observer. Until then, all
    /// updates of its members are the first one's own.
    pub(super) fn begin_own_reports(&mut self, slots: &Slots) {
        if self.watching.watches.len() < 2 {
            return;
        }
        let first = self.watching.watches.first_mut();
        let Some(first) = first.filter(|watch| watch.reports.is_none()) else {
            return;
        };
        let list = first.own_list.as_deref();
        let as_of = list.map_or(Stamp::NONE, |list| list.as_of);
        let departed = self.departed.iter(slots).map(|(_, member)| member);
        let known = self.roster.iter().copied().chain(departed);
        let updates = known.filter_map(|member| {
            let slot = slots.get(member.0)?;
            let update = slot.last_update();
            let stamp = update.stamp;
            // Only live events hold against a snapshot by their place in the log.
            let seq = if update.reporters.is_live() {
                update.seq
            } else {
                0
            };
            let order = ReportOrder { seq, stamp };
            let present = slot.presence == Presence::Present;
            // What is not newer than its last snapshot is in its list.
            let newer = matches!(as_of.against(stamp, 0), Order::Older | Order::Unknown);
            newer.then_some((member, OwnReport { order, present }))
        });
        let collecting = first.collecting.iter().flat_map(|it| &it.members);
        let of_pages = first.sync.iter().flat_map(|it| &it.collected);
        // All differences came after the link up, after which live events hold.
        let seq = first.hold.map_or(0, |hold| hold + 1);
        let collected = collecting.chain(of_pages).map(|(&member, collected)| {
            let (stamp, present) = (collected.stamp, collected.present);
            let order = ReportOrder { seq, stamp };
            (member, OwnReport { order, present })
        });
        let mut reports = OwnReports {
            last: updates.chain(collected).collect(),
            forgotten: None,
        };
        // Updates of members that were dropped, or that were never known.
        let topics = self.topic_covers.values().map(|cover| cover.of.0);
        for stamp in topics.chain(self.floor) {
            reports.forget(ReportOrder { seq: 0, stamp });
        }
        reports.limit(self.roster.len());
        first.reports = Some(Box::new(reports));
    }

    /// Updates the own lists of its observers after a change was applied. `before` and `after`: whether the member is in
    /// the roster.
    pub(super) fn list_change(
        &mut self,
        entry: &Entry,
        change: &Change,
        before: bool,
        after: bool,
    ) {
        // Most channels of most files have no own list.
        if !self.seen_whole() && self.watching.watches.len() < 2 {
            return;
        }
        let by_snapshot = matches!(change.origin, Origin::Inferred(_));
        let present = self.roster.len();
        for watch in &mut self.watching.watches {
            let own = watch.observer == entry.observer;
            if own && !by_snapshot && !watch.hear_own(entry, change, present) {
                continue;
            }
            let Some(list) = watch.own_list.as_deref_mut() else {
                continue;
            };
            match (own, by_snapshot) {
                // Its list is already what its snapshot listed, so the inferred changes add nothing.
                (true, true) => {}
                (true, false) => {
                    list.set(change.member, change.reported != ChangeKind::Leave, after)
                }
                (false, _) if before != after => {
                    let listed = list.has(change.member, before);
                    list.set(change.member, listed, after);
                }
                (false, _) => {}
            }
            let collected = own && change.disposition == Disposition::Collected;
            if let Some(collecting) = watch.collecting.as_mut().filter(|_| collected) {
                collecting.add(entry, change);
            }
        }
    }
}

impl Watch {
    /// Remembers an event that its observer reports, and says whether it changes the own list: an event that arrives
    /// behind a newer one about the same member, or behind a newer snapshot, does not. `present`: how many members the
    /// channel has.
    fn hear_own(&mut self, entry: &Entry, change: &Change, present: usize) -> bool {
        let stale = change.disposition == Disposition::Stale;
        let Some(reports) = self.reports.as_deref_mut() else {
            // It is alone: what is newer is its own.
            return !stale;
        };
        let order = ReportOrder {
            seq: entry.seq,
            stamp: entry.counted(),
        };
        if stale {
            let list = self.own_list.as_deref_mut();
            let as_of = list.as_ref().map_or(Stamp::NONE, |list| list.as_of);
            let said = match order.stamp.against(as_of, 0) {
                Order::Older => return false,
                _ => reports.said_since(change.member, order.stamp),
            };
            if let Some(list) = list.filter(|_| said == OwnSaid::Forgotten) {
                list.unsure = true;
            }
            if said != OwnSaid::Nothing {
                return false;
            }
        }
        let report = OwnReport {
            order,
            present: change.reported != ChangeKind::Leave,
        };
        reports.add(change.member, report, present);
        true
    }
}

impl State {
    /// Updates the own list of a snapshot's observer. The inferred changes are not yet applied to the roster. After
    /// them, only the held members differ from what the snapshot lists.
    pub(super) fn list_snapshot(&mut self, entry: &Entry, snapshot: &Snapshot, names: &Names) {
        match snapshot.origin {
            SnapshotOrigin::Occupancy => return,
            // It is the part of the own list that is known.
            SnapshotOrigin::Differences if !snapshot.complete => return,
            SnapshotOrigin::Differences | SnapshotOrigin::Listed => {}
        }
        let Some(watch) = self.watch_mut(snapshot.channel, entry.observer) else {
            return;
        };
        let hold = watch.hold.filter(|_| watch.lost.is_none());
        let pages = watch.sync.as_ref().filter(|_| snapshot.begin.is_some());
        let hold = hold.into_iter().chain(pages.map(|pages| pages.head)).min();
        let known = watch.own_list.take();
        let mut reports = watch.reports.take();
        let shown = SnapshotForList {
            snapshot,
            names,
            state: self,
            sent: entry.counted(),
            line: snapshot.begin.map_or(entry.counted(), |begin| begin.stamp),
            hold,
        };
        let has_list = known.is_some() || snapshot.complete;
        let mut list = known.map_or_else(OwnList::default, |known| *known);
        match shown.weight(&list, reports.as_deref()) {
            SnapshotWeight::Counts => {
                list = shown.list(list, reports.as_deref());
                if let Some(reports) = reports.as_deref_mut() {
                    shown.update_reports(reports);
                }
            }
            SnapshotWeight::Overtaken => {}
            SnapshotWeight::Unclear => list.unsure = true,
        }
        if let Some(watch) = self.watch_mut(snapshot.channel, entry.observer) {
            watch.own_list = has_list.then(|| Box::new(list));
            watch.reports = reports;
        }
    }

    /// The watch of an observer for a channel, if it has one.
    pub(super) fn watch_mut(&mut self, channel: NameId, observer: NameId) -> Option<&mut Watch> {
        let watching = &mut self.channels.get_mut(&channel)?.watching;
        let mut watches = watching.watches.iter_mut();
        watches.find(|watch| watch.observer == observer)
    }

    /// Updates the set of channels for which an observer's source is sending differences.
    pub(crate) fn note_collecting(&mut self, observer: NameId, channel: NameId) {
        let watch = self.channels.get(&channel);
        let watch = watch.and_then(|channel| channel.watching.of(observer));
        let collects = watch.is_some_and(|watch| watch.collecting.is_some());
        let Some(observer) = self.observers.get_mut(&observer) else {
            return;
        };
        if collects {
            self.collecting += u64::from(observer.collecting.insert(channel, ()).is_none());
        } else {
            self.collecting -= u64::from(observer.collecting.remove(&channel).is_some());
        }
    }
}

/// Whether a snapshot changes the own list of its observer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SnapshotWeight {
    Counts,
    /// Its source has sent a newer one.
    Overtaken,
    /// So many events of its source are newer that not all of them are remembered.
    Unclear,
}

/// A snapshot, as far as the own list of its observer follows from it. The reports of an observer that is alone are not
/// remembered (`None`): there, what is newer than the snapshot is its own.
struct SnapshotForList<'a> {
    snapshot: &'a Snapshot,
    names: &'a Names,
    /// The state before it.
    state: &'a State,
    /// Its stamp.
    sent: Stamp,
    /// The stamp of the moment that it shows.
    line: Stamp,
    /// Live events after this entry hold against it.
    hold: Option<u64>,
}

impl SnapshotForList<'_> {
    fn weight(&self, known: &OwnList, reports: Option<&OwnReports>) -> SnapshotWeight {
        if !self.snapshot.stale || self.snapshot.origin == SnapshotOrigin::Differences {
            return SnapshotWeight::Counts;
        }
        let forgotten = reports.and_then(|reports| reports.forgotten);
        if reports.is_none() || self.sent.against(known.as_of, 0) == Order::Older {
            SnapshotWeight::Overtaken
        } else if forgotten.is_some_and(|order| self.is_behind(order)) {
            SnapshotWeight::Unclear
        } else {
            SnapshotWeight::Counts
        }
    }

    /// Whether a report holds against it.
    fn is_behind(&self, order: ReportOrder) -> bool {
        order.holds_against(self.line, self.hold)
    }

    /// The own list after it.
    fn list(&self, known: OwnList, reports: Option<&OwnReports>) -> OwnList {
        let snapshot = self.snapshot;
        let mut list = match (snapshot.origin, snapshot.stale) {
            (_, false) => self.list_shown(known, reports),
            // It is the own list itself.
            (SnapshotOrigin::Differences, true) => known,
            (_, true) => self.list_overtaken(known, reports),
        };
        if snapshot.complete {
            list.as_of = self.sent.since(list.as_of);
            list.self_user = snapshot.self_user;
        }
        list
    }

    /// The own list after a snapshot that is not stale.
    fn list_shown(&self, known: OwnList, reports: Option<&OwnReports>) -> OwnList {
        let snapshot = self.snapshot;
        if snapshot.complete && snapshot.held.is_empty() {
            // The roster will equal the list.
            return OwnList {
                unsure: false,
                differs: NumberMap::default(),
                ..known
            };
        }
        let mut list = known.clone();
        list.unsure &= !snapshot.complete;
        let listed = self.listed();
        list.differs
            .retain(|&member, ()| !self.shows(member, &listed));
        for &member in &snapshot.held {
            let is_self = snapshot.self_user == Some(self.names.key(member).user);
            if is_self && !listed.contains_key(&member) {
                // The observer's own user is spared a leave, though it is not on the list.
                list.set(member, false, self.is_there(member));
            } else if self.shows(member, &listed) {
                self.decide(member, &listed, &mut list, (&known, reports));
            }
        }
        list
    }

    /// The own list after a stale snapshot: its list counts, except where the observer's own reports are newer.
    fn list_overtaken(&self, known: OwnList, reports: Option<&OwnReports>) -> OwnList {
        let mut list = known.clone();
        list.unsure &= !self.snapshot.complete;
        let listed = self.listed();
        let channel = self.state.channel(self.snapshot.channel);
        let roster = channel.iter().flat_map(|channel| channel.roster());
        let reported = reports.iter().flat_map(|reports| reports.last.keys());
        let members = roster.chain(known.differs.keys()).chain(reported);
        let members = members.filter(|&&member| self.shows(member, &listed));
        for &member in members.chain(listed.keys()) {
            self.decide(member, &listed, &mut list, (&known, reports));
        }
        list
    }

    /// Puts a member on the list, or takes it off: by a newer report of the observer itself, else as shown.
    fn decide(
        &self,
        member: MemberId,
        listed: &NumberMap<MemberId, Stamp>,
        list: &mut OwnList,
        (known, reports): (&OwnList, Option<&OwnReports>),
    ) {
        let in_roster = self.is_there(member);
        let own = listed.get(&member);
        let stamp = own.map_or(self.line, |own| own.or(self.line));
        let said = match reports {
            Some(reports) => reports.said(member, stamp, self.hold),
            None => OwnSaid::Present(known.has(member, in_roster)),
        };
        match said {
            OwnSaid::Nothing => list.set(member, own.is_some(), in_roster),
            OwnSaid::Present(present) => list.set(member, present, in_roster),
            OwnSaid::Forgotten => list.unsure = true,
        }
    }

    /// Updates the observer's own reports: those that hold against it stay.
    fn update_reports(&self, reports: &mut OwnReports) {
        let snapshot = self.snapshot;
        let (line, seq) = (self.line, 0);
        if snapshot.complete {
            let held = snapshot.held.iter().map(|&member| (member, ()));
            let held: NumberMap<MemberId, ()> = held.collect();
            reports.keep(|member, order| {
                // Of other members it has decided, as the roster has them.
                let open = snapshot.stale || held.contains_key(&member);
                line.against(order.stamp, 0) == Order::Older || (open && self.is_behind(order))
            });
            reports.forgotten = reports.forgotten.filter(|&order| self.is_behind(order));
        } else {
            let listed = self.listed();
            reports.keep(|member, order| !self.shows(member, &listed) || self.is_behind(order));
            // Of what it shows, only the time is remembered.
            reports.forget(ReportOrder { seq, stamp: line });
        }
        let present = self.state.channel(snapshot.channel);
        let present = present.map_or(0, |channel| channel.roster().len());
        for (member, own) in self.claims() {
            let stamp = own.or(line);
            let newer = !own.is_none() && line.against(stamp, 0) == Order::Older;
            if newer && !matches!(reports.said(member, stamp, self.hold), OwnSaid::Present(_)) {
                let order = ReportOrder { seq, stamp };
                let report = OwnReport {
                    order,
                    present: true,
                };
                reports.add(member, report, present);
            }
        }
    }

    /// The members that its entry names as listed, each with its own stamp.
    fn claims(&self) -> impl Iterator<Item = (MemberId, Stamp)> {
        let (whole, residue) = match &self.snapshot.claims {
            Listing::Whole(whole) => (&whole.members[..], &[][..]),
            Listing::Residue(residue) => (&[][..], &residue[..]),
        };
        let whole = whole.iter().map(|(member, claim)| (*member, claim.stamp));
        let residue = residue.iter();
        whole.chain(residue.filter_map(|it| Some((it.member, it.claim.as_ref()?.stamp))))
    }

    fn is_there(&self, member: MemberId) -> bool {
        self.state.present(member).is_some()
    }

    /// The members that it lists, each with its own stamp, as far as that does not follow from the roster after it.
    fn listed(&self) -> NumberMap<MemberId, Stamp> {
        let mut listed: NumberMap<MemberId, Stamp> = NumberMap::default();
        if let Listing::Residue(residue) = &self.snapshot.claims {
            // Held members are the same in the roster before and after it; all others are as it lists them.
            let held = self.snapshot.held.iter().copied();
            let held = held.filter(|&member| self.is_there(member));
            listed.extend(held.map(|member| (member, Stamp::NONE)));
            for item in residue.iter().filter(|item| item.claim.is_none()) {
                listed.remove(&item.member);
            }
        }
        listed.extend(self.claims());
        listed
    }

    /// Whether it shows a member as present or as absent.
    fn shows(&self, member: MemberId, listed: &NumberMap<MemberId, Stamp>) -> bool {
        if self.snapshot.complete || listed.contains_key(&member) {
            return true;
        }
        let Listing::Whole(whole) = &self.snapshot.claims else {
            return false;
        };
        let topic = self.names.key(member).topic;
        let short = whole.topics.iter().find(|&&(name, _)| name == topic);
        !whole.incomplete && short.map_or(!whole.topics_missing, |&(_, short)| !short)
    }
}
