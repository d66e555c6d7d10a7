//! Who has left: tombstones, their limits, and the floor that rises when the oldest are dropped.

use super::names::{Member, Name, Names};
use super::order::Stamp;
use super::roster::{Presence, Slot};
use super::state::State;
use crate::limits;

impl State {
    pub(super) fn unseat(&mut self, channel: Name, member: Member) {
        let slot = slot_mut(&mut self.slots, member);
        slot.presence = Presence::Unknown;
        slot.meta = None;
        let seat = slot.seat as usize;
        let Some(channel) = self.channels.get_mut(&channel) else {
            return;
        };
        if seat < channel.roster.len() {
            channel.roster.swap_remove(seat);
            if let Some(&moved) = channel.roster.get(seat) {
                slot_mut(&mut self.slots, moved).seat = u32::try_from(seat).unwrap_or(u32::MAX);
            }
        }
    }

    /// Keeps a tombstone, and drops the oldest ones beyond the limits.
    pub(super) fn depart(&mut self, name: Name, member: Member, seq: u64) {
        let slot = slot_mut(&mut self.slots, member);
        slot.presence = Presence::Departed;
        slot.departed_at = seq;
        let channel = self.channels.entry(name).or_default();
        channel.departures.push_back((seq, member));
        channel.departed += 1;
        self.departures.push_back((seq, member));
        self.departed += 1;
        while let Some(channel) = self.channels.get_mut(&name)
            && channel.departed > limits::TOMBSTONES_PER_CHANNEL_MAX
        {
            let Some((seq, member)) = channel.departures.pop_front() else {
                break;
            };
            if lies_departed(&self.slots, member, seq) {
                self.drop_tombstone(name, member);
            }
        }
    }

    /// The oldest tombstones of the whole store go first when there are too many. Called with the dictionary
    /// at hand, since only it knows a member's channel.
    pub(super) fn trim_departures(&mut self, names: &Names) {
        while self.departed > limits::TOMBSTONES_MAX {
            let Some((seq, member)) = self.departures.pop_front() else {
                break;
            };
            if lies_departed(&self.slots, member, seq) {
                self.drop_tombstone(names.key(member).channel, member);
            }
        }
        let slots = &self.slots;
        if self.departures.len() > 2 * self.departed + 1024 {
            self.departures
                .retain(|&(seq, member)| lies_departed(slots, member, seq));
        }
    }

    pub(super) fn drop_tombstone(&mut self, name: Name, member: Member) {
        let slot = slot_mut(&mut self.slots, member);
        let stamp = slot.word.stamp;
        *slot = Slot::default();
        if let Some(channel) = self.channels.get_mut(&name)
            && !stamp.is_none()
        {
            let floor = channel.floor.unwrap_or(Stamp::NONE);
            channel.floor = Some(Stamp {
                pos: floor.pos.max(stamp.pos),
                ts: floor.ts.max(stamp.ts),
            });
        }
        self.forget_departure(name);
    }

    pub(super) fn forget_departure(&mut self, name: Name) {
        self.departed = self.departed.saturating_sub(1);
        let Some(channel) = self.channels.get_mut(&name) else {
            return;
        };
        channel.departed = channel.departed.saturating_sub(1);
        let slots = &self.slots;
        if channel.departures.len() > 2 * channel.departed + 64 {
            channel
                .departures
                .retain(|&(seq, member)| lies_departed(slots, member, seq));
        }
    }

    /// A complete snapshot is newer than the tombstones that do not hold against it.
    pub(super) fn bury_covered(&mut self, name: Name, seq: u64) {
        let Some(channel) = self.channels.get_mut(&name) else {
            return;
        };
        let departures = std::mem::take(&mut channel.departures);
        for (at, member) in departures {
            if !lies_departed(&self.slots, member, at) {
                continue;
            }
            let slot = slot_mut(&mut self.slots, member);
            if slot.held_at == seq {
                if let Some(channel) = self.channels.get_mut(&name) {
                    channel.departures.push_back((at, member));
                }
            } else {
                *slot = Slot::default();
                self.forget_departure(name);
            }
        }
    }
}

pub(super) fn slot_mut(slots: &mut Vec<Slot>, member: Member) -> &mut Slot {
    let at = member.0 as usize;
    if at >= slots.len() {
        slots.resize_with(at + 1, Slot::default);
    }
    #[allow(clippy::indexing_slicing)] // grown just above
    &mut slots[at]
}

pub(super) fn lies_departed(slots: &[Slot], member: Member, seq: u64) -> bool {
    slots
        .get(member.0 as usize)
        .is_some_and(|slot| slot.presence == Presence::Departed && slot.departed_at == seq)
}
