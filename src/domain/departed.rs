//! Members that leave get a tombstone. The oldest tombstones beyond the limits are dropped, and the floor of their
//! channel rises to them.

use super::members::MemberTable;
use super::names::{MemberId, Names};
use super::order::Stamp;
use super::roster::ChannelState;
use super::slot::{Presence, Slot};
use super::state::State;
use crate::limits;

impl MemberTable {
    /// Adds a tombstone, and drops the channel's oldest one beyond the limit.
    pub(super) fn add_tombstone(&mut self, channel: &mut ChannelState, member: MemberId, seq: u64) {
        if self.forgetful {
            *self.slot_mut(member) = Slot::default();
            return;
        }
        self.remove_tombstone(channel, member);
        let slot = self.slot_mut(member);
        let stamped = !slot.last_update().stamp.is_none();
        slot.depart(seq, stamped);
        self.departed.part(stamped).push(seq, member);
        channel.departed.part(stamped).push(seq, member);
        if let Some(full) = channel.departed.full(limits::TOMBSTONES_PER_CHANNEL_MAX)
            && let Some(oldest) = full.oldest(&self.slots)
        {
            self.drop_tombstone(channel, oldest);
        }
    }

    /// Removes the tombstone of a member, if it has one.
    pub(super) fn remove_tombstone(&mut self, channel: &mut ChannelState, member: MemberId) {
        let slot = self.slot_mut(member);
        if slot.presence != Presence::Departed {
            return;
        }
        let stamped = slot.is_stamped();
        slot.presence = Presence::Unknown;
        self.departed.part(stamped).lose_one(&self.slots);
        channel.departed.part(stamped).lose_one(&self.slots);
    }

    /// Forgets a member that has left. The floor rises to its stamp.
    fn drop_tombstone(&mut self, channel: &mut ChannelState, member: MemberId) {
        let stamp = self.slot_mut(member).last_update().stamp;
        if !stamp.is_none() {
            let floor = channel.floor.unwrap_or(Stamp::NONE);
            channel.floor = Some(Stamp {
                pos: floor.pos.max(stamp.pos),
                ts: floor.ts.max(stamp.ts),
            });
        }
        self.remove_tombstone(channel, member);
        *self.slot_mut(member) = Slot::default();
    }

    /// Removes the tombstones that a complete snapshot makes obsolete: all that do not hold against it.
    pub(super) fn remove_covered_tombstones(&mut self, channel: &mut ChannelState, seq: u64) {
        let holds = |member: &MemberId| {
            let slot = self.slots.get(member.0);
            slot.is_some_and(|slot| slot.held_at() == seq)
        };
        let lying = channel.departed.iter(&self.slots).map(|(_, member)| member);
        for member in lying.filter(|member| !holds(member)).collect::<Vec<_>>() {
            self.remove_tombstone(channel, member);
            *self.slot_mut(member) = Slot::default();
        }
    }
}

impl State {
    /// Drops the oldest tombstone of all channels, if there are too many.
    pub(super) fn drop_excess_tombstone(&mut self, names: &Names) {
        let MemberTable {
            slots, departed, ..
        } = &mut self.members;
        if let Some(full) = departed.full(limits::TOMBSTONES_MAX)
            && let Some(oldest) = full.oldest(slots)
            && let Some(channel) = self.channels.get_mut(&names.key(oldest).channel)
        {
            self.members.drop_tombstone(channel, oldest);
        }
    }
}
