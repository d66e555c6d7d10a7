//! Forgets names that are no longer needed: memory then follows the present members, and not all members ever seen.
//!
//! The dictionary only grows. From time to time it is rebuilt with only the names and members to which the state
//! refers. They keep their order, but get new numbers. A [`Renumbering`] translates numbers that are stored elsewhere.
//!
//! **Invariant:** later entries of the log are the same as if nothing had been forgotten.

use super::interval::ObservedInterval;
use super::members::{MemberTable, Slots};
use super::names::{MemberId, NameId, Names, NumberMap};
use super::observer::Observer;
use super::own_list::{Collecting, OwnList};
use super::own_reports::OwnReports;
use super::renumbering::{Marks, Renumbering};
use super::roster::ChannelState;
use super::slot::{Presence, Slot};
use super::state::State;
use super::tombstones::{TombstoneQueue, Tombstones};
use super::watch::{ChannelWatches, PagedSnapshot, Watch};
use std::hash::Hash;

/// A mapping from each number to a new one.
trait Numbers {
    fn name(&mut self, name: NameId) -> NameId;
    fn member(&mut self, member: MemberId) -> MemberId;
}

/// The first pass keeps all numbers, and marks those that are needed.
impl Numbers for Marks {
    fn name(&mut self, name: NameId) -> NameId {
        self.mark_name(name);
        name
    }

    fn member(&mut self, member: MemberId) -> MemberId {
        self.mark_member(member);
        member
    }
}

/// The second pass translates them. Both passes visit the state in the same way, so that no number is missed.
impl Numbers for &Renumbering {
    fn name(&mut self, name: NameId) -> NameId {
        let new = Renumbering::name(self, name);
        assert!(new.is_some(), "a name that the state needs was forgotten");
        new.unwrap_or(name)
    }

    fn member(&mut self, member: MemberId) -> MemberId {
        let new = Renumbering::member(self, member);
        assert!(new.is_some(), "a member that the state needs was forgotten");
        new.unwrap_or(member)
    }
}

/// The names that a member may share with no other: its user, and its connection.
const OWN_NAMES: usize = 2;

impl State {
    /// Rebuilds `names` without what this state does not refer to, and returns the new numbers of both.
    ///
    /// ```
    /// # use rollbook::domain::{names::Names, state::State};
    /// let (mut names, mut state) = (Names::new(), State::new());
    /// let lily = names.intern("lily");
    /// let renumbering = state.forget_absent(&mut names);
    /// assert_eq!((renumbering.name(lily), names.len()), (None, 0));
    /// ```
    pub fn forget_absent(&mut self, names: &mut Names) -> Renumbering {
        let mut marks = Marks::new(names);
        self.number(&mut marks);
        let renumbering = marks.renumbering(names);
        renumbering.rebuild(names);
        self.number(&mut &renumbering);
        renumbering
    }

    /// About how many of the names and members of a dictionary this state does not need.
    pub(crate) fn absent(&self, names: &Names) -> usize {
        let present = self.channels.values().map(|channel| channel.roster.len());
        let known = present.sum::<usize>() + self.members.departed.len();
        // The names of channels, topics and observers are few beside those of members.
        let own = OWN_NAMES.saturating_mul(known);
        names.members().saturating_sub(known) + names.len().saturating_sub(own)
    }

    fn number(&mut self, numbers: &mut impl Numbers) {
        let State {
            members: MemberTable {
                slots, departed, ..
            },
            channels,
            observers,
            ..
        } = self;
        number_tombstones(departed, slots, numbers);
        for channel in channels.values_mut() {
            number_channel(channel, slots, numbers);
        }
        number_keys(channels, |name| numbers.name(name));
        for observer in observers.values_mut() {
            number_observer(observer, numbers);
        }
        number_keys(observers, |name| numbers.name(name));
        number_slots(slots, numbers);
    }
}

fn number_keys<K: Hash + Eq, V>(map: &mut NumberMap<K, V>, mut number: impl FnMut(K) -> K) {
    let old = std::mem::take(map).into_iter();
    *map = old.map(|(key, value)| (number(key), value)).collect();
}

/// Drops the slots of unknown members.
fn number_slots(slots: &mut Slots, numbers: &mut impl Numbers) {
    slots.renumber(|member, slot| {
        if slot.presence == Presence::Unknown {
            return None;
        }
        number_heard(slot, numbers);
        Some(numbers.member(MemberId(member)).0)
    });
}

fn number_heard(slot: &mut Slot, numbers: &mut impl Numbers) {
    let mut update = slot.last_update();
    for observer in update.reporters.observers_mut() {
        *observer = numbers.name(NameId(*observer)).0;
    }
    slot.set_last_update(update);
}

fn number_tombstones(departed: &mut Tombstones, slots: &Slots, numbers: &mut impl Numbers) {
    let Tombstones { stamped, unstamped } = departed;
    for tombstones in [stamped, unstamped] {
        let living = tombstones.iter(slots);
        let living = living.map(|(seq, member)| (seq, numbers.member(member)));
        *tombstones = TombstoneQueue::new(living.collect());
    }
}

fn number_channel(channel: &mut ChannelState, slots: &Slots, numbers: &mut impl Numbers) {
    number_tombstones(&mut channel.departed, slots, numbers);
    for member in &mut channel.roster {
        *member = numbers.member(*member);
    }
    number_keys(&mut channel.topic_covers, |topic| numbers.name(topic));
    let ChannelWatches { watches, ended, .. } = &mut channel.watching;
    for stretch in ended {
        number_stretch(stretch, numbers);
    }
    for watch in watches {
        number_watch(watch, numbers);
    }
}

fn number_stretch(stretch: &mut ObservedInterval, numbers: &mut impl Numbers) {
    stretch.observer = numbers.name(stretch.observer);
}

fn number_watch(watch: &mut Watch, numbers: &mut impl Numbers) {
    watch.observer = numbers.name(watch.observer);
    if let Some(stretch) = &mut watch.stretch {
        number_stretch(stretch, numbers);
    }
    if let Some(sync) = watch.sync.as_deref_mut() {
        number_sync(sync, numbers);
    }
    if let Some(OwnList {
        self_user, differs, ..
    }) = watch.own_list.as_deref_mut()
    {
        *self_user = self_user.map(|user| numbers.name(user));
        number_keys(differs, |member| numbers.member(member));
    }
    if let Some(Collecting { members, .. }) = watch.collecting.as_deref_mut() {
        number_keys(members, |member| numbers.member(member));
    }
    if let Some(OwnReports { last, .. }) = watch.reports.as_deref_mut() {
        number_keys(last, |member| numbers.member(member));
    }
}

fn number_sync(sync: &mut PagedSnapshot, numbers: &mut impl Numbers) {
    let PagedSnapshot {
        self_user,
        proofs,
        topics,
        members,
        collected,
        ..
    } = sync;
    *self_user = self_user.map(|user| numbers.name(user));
    for stretch in proofs {
        number_stretch(stretch, numbers);
    }
    number_keys(topics, |topic| numbers.name(topic));
    number_keys(members, |member| numbers.member(member));
    number_keys(collected, |member| numbers.member(member));
}

fn number_observer(observer: &mut Observer, numbers: &mut impl Numbers) {
    let Observer {
        channels,
        collecting,
        ..
    } = observer;
    number_keys(channels, |name| numbers.name(name));
    number_keys(collecting, |name| numbers.name(name));
}
