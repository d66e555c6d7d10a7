//! What is known of one member.

use super::CodecError;
use super::erase::PartEraser;
use super::part_table::{PartNames, PartTable};
use crate::domain::entry::Text;
use crate::domain::names::{MemberId, NameId};
use crate::domain::order::Stamp;
use crate::domain::slot::{LastUpdate, Presence, Reporters, Slot};
use bincode::{Decode, Encode};

/// From this number on, values in [`SlotBody::reporters`] are marks (no observer, several observers), which are kept
/// as they are.
const MARKS_FROM: u32 = u32::MAX - 1;

/// The entry and the moment from which those of the slots are counted, so that they are short.
#[derive(Debug, Clone, Copy, Encode, Decode)]
pub(super) struct SlotBase {
    pub seq: u64,
    pub time: i64,
}

/// Numbers are wrapping differences: `seq` is counted back from the base, `time` from the base, all other times from
/// `time`, and `departed_at` from `seq`.
#[derive(Encode, Decode)]
pub(super) struct SlotBody {
    member: u32,
    seq: u64,
    time: i64,
    stamp: Stamp,
    reporters: [u32; 3],
    held_at: u64,
    since: i64,
    changed_at: Option<i64>,
    departed_at: u64,
    stamped: bool,
    meta: Option<Text>,
}

impl SlotBody {
    pub(super) fn of(
        member: MemberId,
        slot: &Slot,
        base: SlotBase,
        table: &mut PartTable<'_>,
    ) -> SlotBody {
        let update = slot.last_update();
        let from_time = |moment: i64| moment.wrapping_sub(update.time);
        let reporters = update.reporters.by_kind.map(|by| match by {
            MARKS_FROM.. => by,
            name => table.name(NameId(name)),
        });
        SlotBody {
            member: table.member(member),
            seq: base.seq.wrapping_sub(update.seq),
            time: update.time.wrapping_sub(base.time),
            stamp: Stamp {
                pos: update.stamp.pos,
                ts: update.stamp.ts.map(from_time),
            },
            reporters,
            held_at: slot.held_at(),
            since: slot.since().map_or(0, from_time),
            changed_at: slot.changed_at().map(from_time),
            departed_at: slot
                .departed_at()
                .map_or(0, |seq| seq.wrapping_sub(update.seq)),
            stamped: slot.is_stamped(),
            meta: slot.meta.clone(),
        }
    }

    pub(super) fn erase(&mut self, part: &mut PartEraser<'_>) -> Result<(), CodecError> {
        let reporters = self.reporters.iter_mut();
        let mut names = reporters.filter(|reporter| **reporter < MARKS_FROM);
        names.try_for_each(|reporter| part.observer(reporter))?;
        part.news(self.member, &mut self.meta);
        Ok(())
    }

    /// The slot of a member that is present or departed. `place` is its index in the roster.
    pub(super) fn slot(
        self,
        presence: Presence,
        place: u32,
        base: SlotBase,
        names: &PartNames,
    ) -> Result<(MemberId, Slot), CodecError> {
        let seq = base.seq.wrapping_sub(self.seq);
        let time = base.time.wrapping_add(self.time);
        let from_time = |step: i64| time.wrapping_add(step);
        let mut by_kind = self.reporters;
        for by in &mut by_kind {
            if *by < MARKS_FROM {
                *by = names.name(*by)?.0;
            }
        }
        let mut slot = Slot::default();
        match presence {
            Presence::Present => slot.join(from_time(self.since)),
            Presence::Departed => {
                slot.depart(seq.wrapping_add(self.departed_at), self.stamped);
            }
            Presence::Unknown => {}
        }
        slot.place = place;
        slot.meta = self.meta;
        slot.set_held_at(self.held_at);
        slot.set_changed_at(self.changed_at.map(from_time));
        slot.set_last_update(LastUpdate {
            seq,
            time,
            stamp: Stamp {
                pos: self.stamp.pos,
                ts: self.stamp.ts.map(from_time),
            },
            reporters: Reporters { by_kind },
        });
        Ok((names.member(self.member)?, slot))
    }
}
