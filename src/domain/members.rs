//! The members of all channels, and how one joins and leaves the roster of its channel.

use super::entry::Text;
use super::names::{MemberId, number};
use super::piece_list::PieceList;
use super::roster::ChannelState;
use super::slot::{Presence, Slot};
use super::time::Millis;
use super::tombstones::Tombstones;

/// The slots of all members, by number.
pub(super) type Slots = PieceList<Slot>;

/// The members of all channels, by number. A change of one is made with its channel at hand, which is looked up once.
#[derive(Debug, Clone, Default)]
pub(crate) struct MemberTable {
    pub(crate) slots: Slots,
    /// Tombstones of all channels.
    pub(crate) departed: Tombstones,
    /// No tombstones are made: nothing is remembered of a member that has left.
    pub(crate) forgetful: bool,
}

impl MemberTable {
    pub(super) fn is_present(&self, member: MemberId) -> bool {
        let slot = self.slots.get(member.0);
        slot.is_some_and(|slot| slot.presence == Presence::Present)
    }

    /// The slot of a member, created if there is none.
    pub(crate) fn slot_mut(&mut self, member: MemberId) -> &mut Slot {
        self.slots.get_mut(member.0)
    }

    /// Adds a member to its channel's roster.
    pub(super) fn join_roster(
        &mut self,
        channel: &mut ChannelState,
        member: MemberId,
        meta: Option<Text>,
        since: Millis,
    ) {
        let slot = self.slot_mut(member);
        slot.place = number(channel.roster.len());
        channel.roster.push(member);
        slot.join(since);
        slot.meta = meta;
    }

    /// Removes a member from its channel's roster.
    pub(super) fn leave_roster(&mut self, channel: &mut ChannelState, member: MemberId) {
        let slot = self.slot_mut(member);
        slot.presence = Presence::Unknown;
        slot.meta = None;
        let place = slot.place as usize;
        if place < channel.roster.len() {
            channel.roster.swap_remove(place);
            if let Some(&moved) = channel.roster.get(place) {
                self.slot_mut(moved).place = number(place);
            }
        }
    }
}
