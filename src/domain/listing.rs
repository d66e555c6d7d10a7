//! How entries change the own lists of observers, and what they collect.

use super::entry::{Change, Disposition, Entry, Listing, Origin, Snapshot, SnapshotOrigin};
use super::event::ChangeKind;
use super::names::{MemberId, NameId, Names, NumberMap};
use super::order::Order;
use super::own_list::OwnList;
use super::roster::ChannelState;
use super::slot::Presence;
use super::state::State;
use super::watch::Watch;

impl ChannelState {
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
        if !self.seen_whole() {
            return;
        }
        let by_snapshot = matches!(change.origin, Origin::Inferred(_));
        for watch in &mut self.watching.watches {
            let own = watch.observer == entry.observer;
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

impl State {
    /// Updates the own list of a snapshot's observer. The inferred changes are not yet applied to the roster. After
    /// them, only the held members differ from what the snapshot lists.
    pub(super) fn list_snapshot(&mut self, entry: &Entry, snapshot: &Snapshot, names: &Names) {
        let Some(channel) = self.channels.get(&snapshot.channel) else {
            return;
        };
        let Some(watch) = channel.watching.of(entry.observer) else {
            return;
        };
        if watch.own_list.is_none() && !snapshot.complete {
            return;
        }
        let shown = Shows { snapshot, names };
        let mut list = match (snapshot.origin, snapshot.stale) {
            (SnapshotOrigin::Occupancy, _) | (SnapshotOrigin::Differences, true) => return,
            (SnapshotOrigin::Listed, true) => {
                self.list_overtaken(&shown, entry, &channel.roster, watch)
            }
            (SnapshotOrigin::Listed | SnapshotOrigin::Differences, false) => {
                self.list_shown(&shown, watch)
            }
        };
        match snapshot.origin {
            SnapshotOrigin::Listed if snapshot.complete && !snapshot.stale => {
                list.self_user = snapshot.self_user;
                list.resynced_at = None;
            }
            SnapshotOrigin::Listed if snapshot.complete => list.self_user = snapshot.self_user,
            SnapshotOrigin::Differences => list.resynced_at = Some(entry.occurred_at),
            SnapshotOrigin::Listed | SnapshotOrigin::Occupancy => {}
        }
        if let Some(watch) = self.watch_mut(snapshot.channel, entry.observer) {
            watch.own_list = Some(Box::new(list));
        }
    }

    /// The own list after a snapshot that is not stale.
    fn list_shown(&self, shown: &Shows<'_>, watch: &Watch) -> OwnList {
        let known = watch.own_list.as_deref().cloned().unwrap_or_default();
        let snapshot = shown.snapshot;
        if snapshot.complete && snapshot.held.is_empty() {
            // The roster will equal the list.
            return OwnList {
                differs: NumberMap::default(),
                ..known
            };
        }
        let is_there = |member| self.present(member).is_some();
        let listed = shown.listed(is_there);
        let mut list = known.clone();
        list.differs
            .retain(|&member, ()| !shown.shows(member, &listed));
        for &member in &snapshot.held {
            let in_roster = is_there(member);
            let is_self = snapshot.self_user == Some(shown.names.key(member).user);
            if is_self && !listed.contains_key(&member) {
                // The observer's own user is spared a leave, though it is not on the list.
                list.set(member, false, in_roster);
            } else if shown.is_held_by_own(member, watch, self) {
                list.set(member, known.has(member, in_roster), in_roster);
            } else if shown.shows(member, &listed) {
                list.set(member, listed.contains_key(&member), in_roster);
            }
        }
        list
    }

    /// The own list after a stale snapshot: its list counts, except where the observer's own events are newer.
    fn list_overtaken(
        &self,
        shown: &Shows<'_>,
        entry: &Entry,
        roster: &[MemberId],
        watch: &Watch,
    ) -> OwnList {
        let known = watch.own_list.as_deref().cloned().unwrap_or_default();
        let is_there = |member| self.present(member).is_some();
        let listed = shown.listed(is_there);
        let line = entry.counted();
        if line.ts < known.resynced_at && line.ts.is_some() {
            // The source itself has sent newer data since.
            return known;
        }
        let own_is_newer = |member| {
            let slot = self.slot(member);
            slot.is_some_and(|slot| line.against(slot.last_update().stamp, 0) == Order::Older)
                && shown.is_held_by_own(member, watch, self)
        };
        let mut list = known.clone();
        let members = roster.iter().chain(known.differs.keys()).copied();
        let members = members.filter(|&member| shown.shows(member, &listed));
        for member in members.chain(listed.keys().copied()) {
            let in_roster = is_there(member);
            let own = if own_is_newer(member) {
                known.has(member, in_roster)
            } else {
                listed.contains_key(&member)
            };
            list.set(member, own, in_roster);
        }
        list
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

/// Which members a snapshot shows as present or absent.
struct Shows<'a> {
    snapshot: &'a Snapshot,
    names: &'a Names,
}

impl Shows<'_> {
    /// The members that it lists, as far as that does not follow from the roster after it.
    fn listed(&self, is_there: impl Fn(MemberId) -> bool) -> NumberMap<MemberId, ()> {
        match &self.snapshot.claims {
            Listing::Whole(whole) => {
                let members = whole.members.iter();
                members.map(|&(member, _)| (member, ())).collect()
            }
            Listing::Residue(residue) => {
                // Held members are the same in the roster before and after it; all others are as it lists them.
                let held = self.snapshot.held.iter().copied();
                let mut listed: NumberMap<MemberId, ()> = held
                    .filter(|&member| is_there(member))
                    .map(|member| (member, ()))
                    .collect();
                for item in residue {
                    match item.claim {
                        Some(_) => listed.insert(item.member, ()),
                        None => listed.remove(&item.member),
                    };
                }
                listed
            }
        }
    }

    /// Whether it shows a member as present or as absent.
    fn shows(&self, member: MemberId, listed: &NumberMap<MemberId, ()>) -> bool {
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

    /// Whether a live event of its own observer holds against it for a member. That event then counts for the list,
    /// too.
    fn is_held_by_own(&self, member: MemberId, watch: &Watch, state: &State) -> bool {
        let slot = state.slot(member);
        slot.is_some_and(|slot| {
            slot.presence != Presence::Unknown && slot.reporters.any_by(watch.observer)
        })
    }
}
