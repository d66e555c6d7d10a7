//! Members that leave: they leave the roster and get a tombstone. The oldest tombstones beyond the limits are dropped, and
//! the floor of their channel rises to them.

use super::names::{MemberId, NameId, Names, number};
use super::order::Stamp;
use super::slot::{Presence, Slot, slot_mut};
use super::state::State;
use crate::limits;

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
                slot_mut(&mut self.slots, moved).place = number(place);
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
