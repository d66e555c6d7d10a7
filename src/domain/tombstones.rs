//! Tombstones of members that have left, their limits, and the floor that rises when the oldest are dropped.
//!
//! A tombstone without a stamp makes no event stale and raises no floor. It is kept, under a limit of its own,
//! because it shows that its member was seen, and when.

use super::names::{MemberId, NameId, Names};
use super::order::Stamp;
use super::roster::{Presence, Slot};
use super::state::State;
use crate::limits;
use std::collections::VecDeque;

/// Tombstones in the order of their creation. Those of members that came back are skipped,
/// and removed when they are the greater part.
#[derive(Debug, Clone, Default)]
pub struct TombstoneQueue {
    queue: VecDeque<(u64, MemberId)>,
    living: usize,
}

impl TombstoneQueue {
    pub(crate) fn new(queue: VecDeque<(u64, MemberId)>) -> Self {
        TombstoneQueue {
            living: queue.len(),
            queue,
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.living
    }

    /// Tombstones of members that have not come back, oldest first, each with the entry that made it.
    pub(crate) fn iter<'a>(
        &'a self,
        slots: &'a [Slot],
    ) -> impl Iterator<Item = (u64, MemberId)> + 'a {
        self.queue
            .iter()
            .copied()
            .filter(|&(seq, member)| is_current(slots, member, seq))
    }

    fn push(&mut self, seq: u64, member: MemberId) {
        self.queue.push_back((seq, member));
        self.living += 1;
    }

    /// Counts one tombstone less, and removes the skipped ones when they are too many.
    fn lose_one(&mut self, slots: &[Slot]) {
        self.living = self.living.saturating_sub(1);
        if self.queue.len() > 2 * self.living + 64 {
            self.queue
                .retain(|&(seq, member)| is_current(slots, member, seq));
        }
    }

    fn oldest(&mut self, slots: &[Slot]) -> Option<MemberId> {
        while let Some((seq, member)) = self.queue.pop_front() {
            if is_current(slots, member, seq) {
                return Some(member);
            }
        }
        None
    }
}

/// Tombstones, split by whether they have a stamp.
#[derive(Debug, Clone, Default)]
pub struct Tombstones {
    pub(crate) stamped: TombstoneQueue,
    pub(crate) unstamped: TombstoneQueue,
}

impl Tombstones {
    /// How many tombstones there are.
    pub(crate) fn len(&self) -> usize {
        self.stamped.len() + self.unstamped.len()
    }

    /// All of them.
    pub(crate) fn iter<'a>(
        &'a self,
        slots: &'a [Slot],
    ) -> impl Iterator<Item = (u64, MemberId)> + 'a {
        self.stamped.iter(slots).chain(self.unstamped.iter(slots))
    }

    fn part(&mut self, stamped: bool) -> &mut TombstoneQueue {
        if stamped {
            &mut self.stamped
        } else {
            &mut self.unstamped
        }
    }

    fn full(&mut self, limit: usize) -> Option<&mut TombstoneQueue> {
        let Tombstones { stamped, unstamped } = self;
        [stamped, unstamped]
            .into_iter()
            .find(|part| part.len() > limit)
    }
}

impl State {
    /// Removes a member from its channel's roster.
    pub(super) fn leave_roster(&mut self, channel: NameId, member: MemberId) {
        let slot = slot_mut(&mut self.slots, member);
        slot.presence = Presence::Unknown;
        slot.meta = None;
        let place = slot.place as usize;
        let Some(channel) = self.channels.get_mut(&channel) else {
            return;
        };
        if place < channel.roster.len() {
            channel.roster.swap_remove(place);
            if let Some(&moved) = channel.roster.get(place) {
                slot_mut(&mut self.slots, moved).place = u32::try_from(place).unwrap_or(u32::MAX);
            }
        }
    }

    /// Adds a tombstone, and drops the oldest ones beyond the limits.
    pub(super) fn add_tombstone(
        &mut self,
        channel: NameId,
        member: MemberId,
        seq: u64,
        names: &Names,
    ) {
        self.remove_tombstone(channel, member);
        let slot = slot_mut(&mut self.slots, member);
        slot.presence = Presence::Departed;
        slot.departed_at = seq;
        slot.stamped = !slot.last_update.stamp.is_none();
        let stamped = slot.stamped;
        self.departed.part(stamped).push(seq, member);
        let tombstones = &mut self.channels.entry(channel).or_default().departed;
        tombstones.part(stamped).push(seq, member);
        if let Some(full) = tombstones.full(limits::TOMBSTONES_PER_CHANNEL_MAX)
            && let Some(oldest) = full.oldest(&self.slots)
        {
            self.drop_tombstone(channel, oldest);
        }
        if let Some(full) = self.departed.full(limits::TOMBSTONES_MAX)
            && let Some(oldest) = full.oldest(&self.slots)
        {
            self.drop_tombstone(names.key(oldest).channel, oldest);
        }
    }

    /// Removes the tombstone of a member, if it has one.
    pub(super) fn remove_tombstone(&mut self, channel: NameId, member: MemberId) {
        let slot = slot_mut(&mut self.slots, member);
        if slot.presence != Presence::Departed {
            return;
        }
        let stamped = slot.stamped;
        slot.presence = Presence::Unknown;
        self.departed.part(stamped).lose_one(&self.slots);
        if let Some(channel) = self.channels.get_mut(&channel) {
            channel.departed.part(stamped).lose_one(&self.slots);
        }
    }

    /// Forgets a member that has left. The floor rises to its stamp.
    fn drop_tombstone(&mut self, name: NameId, member: MemberId) {
        let stamp = slot_mut(&mut self.slots, member).last_update.stamp;
        if let Some(channel) = self.channels.get_mut(&name)
            && !stamp.is_none()
        {
            let floor = channel.floor.unwrap_or(Stamp::NONE);
            channel.floor = Some(Stamp {
                pos: floor.pos.max(stamp.pos),
                ts: floor.ts.max(stamp.ts),
            });
        }
        self.remove_tombstone(name, member);
        *slot_mut(&mut self.slots, member) = Slot::default();
    }

    /// Removes the tombstones that a complete snapshot makes obsolete: all that do not hold against it.
    pub(super) fn remove_covered_tombstones(&mut self, name: NameId, seq: u64) {
        let Some(channel) = self.channels.get(&name) else {
            return;
        };
        let lying = channel.departed.iter(&self.slots).map(|(_, member)| member);
        let covered =
            lying.filter(|member| self.slot(*member).is_some_and(|slot| slot.held_at != seq));
        for member in covered.collect::<Vec<_>>() {
            self.remove_tombstone(name, member);
            *slot_mut(&mut self.slots, member) = Slot::default();
        }
    }
}

pub(super) fn slot_mut(slots: &mut Vec<Slot>, member: MemberId) -> &mut Slot {
    let at = member.0 as usize;
    if at >= slots.len() {
        slots.resize_with(at + 1, Slot::default);
    }
    #[allow(clippy::indexing_slicing)] // grown just above
    &mut slots[at]
}

fn is_current(slots: &[Slot], member: MemberId, seq: u64) -> bool {
    slots
        .get(member.0 as usize)
        .is_some_and(|slot| slot.presence == Presence::Departed && slot.departed_at == seq)
}
