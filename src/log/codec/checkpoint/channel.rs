//! The part of one channel, and its tombstones, which are stored apart: only who decides events needs them, and they can
//! be many more than the members who are present.

use super::erase::PartEraser;
use super::part_table::{PartNames, PartTable};
use super::slot::{SlotBase, SlotBody};
use super::watch::{IntervalBody, WatchBody};
use super::{CodecError, from_bytes, to_bytes};
use crate::domain::members::MemberTable;
use crate::domain::names::{MemberId, NameId, Names, NumberMap};
use crate::domain::order::Stamp;
use crate::domain::roster::{ChannelState, ChannelTally, SnapshotCover};
use crate::domain::slot::Presence;
use crate::domain::state::State;
use crate::domain::tombstones::{TombstoneQueue, Tombstones};
use crate::domain::watch::{ChannelWatches, OpenGap};
use crate::log::codec::derive::fields;
use crate::log::eraser::{Erased, Eraser};
use bincode::{BorrowDecode, Encode};
use std::collections::VecDeque;

fields!(SnapshotCover { seq, line, of });
fields!(ChannelTally {
    entries,
    first_at,
    last_at
});
fields!(OpenGap { gap, from });

#[derive(Encode, BorrowDecode)]
struct ChannelBody<'b> {
    names: Vec<&'b str>,
    members: Vec<[u32; 3]>,
    channel: u32,
    present: Vec<SlotBody>,
    effective_at: i64,
    cover: Option<SnapshotCover>,
    listed_cover: Option<SnapshotCover>,
    spoken: Option<(u64, i64)>,
    topic_covers: Vec<(u32, SnapshotCover)>,
    floor: Option<Stamp>,
    lossy: bool,
    tally: ChannelTally,
    watches: Vec<WatchBody>,
    ended: Vec<IntervalBody>,
    last_proof: Option<i64>,
    heard_at: Option<i64>,
    gaps: u32,
    open_gap: Option<OpenGap>,
    effective_seq: u64,
}

#[derive(Encode, BorrowDecode)]
struct TombstonesBody<'b> {
    names: Vec<&'b str>,
    members: Vec<[u32; 3]>,
    channel: u32,
    base: SlotBase,
    departed: Vec<SlotBody>,
}

/// Encodes one channel; `None` if the state has no channel with this name.
///
/// # Errors
/// If the codec fails; no state can cause that.
pub fn channel_to_bytes(
    state: &State,
    name: NameId,
    names: &Names,
) -> Result<Option<Vec<u8>>, CodecError> {
    let Some(channel) = state.channels.get(&name) else {
        return Ok(None);
    };
    let count = channel.roster.len();
    let mut table = PartTable::new(names, count);
    let number = table.name(name);
    let roster = channel.roster.iter().copied();
    let present = slots((count, roster), base(channel), state, &mut table)?;
    let watching = &channel.watching;
    let watches = watching.watches.iter();
    let watches = watches.map(|it| WatchBody::of(it, &mut table)).collect();
    let topic_covers = channel.topic_covers.iter();
    let topic_covers = topic_covers.map(|(&topic, cover)| (table.name(topic), *cover));
    let topic_covers = topic_covers.collect();
    let ended = watching.ended.iter();
    let ended = ended.map(|it| IntervalBody::of(it, &mut table)).collect();
    let (texts, members) = table.finish()?;
    let body = ChannelBody {
        names: texts,
        members,
        channel: number,
        present,
        effective_at: channel.effective_at,
        cover: channel.cover,
        listed_cover: channel.listed_cover,
        spoken: channel.spoken,
        topic_covers,
        floor: channel.floor,
        lossy: channel.lossy,
        tally: channel.tally,
        watches,
        ended,
        last_proof: watching.last_proof,
        heard_at: watching.heard_at,
        gaps: watching.gaps,
        open_gap: watching.open_gap,
        effective_seq: channel.effective_seq,
    };
    to_bytes(&body).map(Some)
}

/// Encodes the tombstones of one channel; `None` if it has none.
///
/// # Errors
/// If the codec fails; no state can cause that.
pub fn tombstones_to_bytes(
    state: &State,
    name: NameId,
    names: &Names,
) -> Result<Option<Vec<u8>>, CodecError> {
    let channel = state.channels.get(&name);
    let Some(channel) = channel.filter(|channel| channel.departed.len() > 0) else {
        return Ok(None);
    };
    let count = channel.departed.len();
    let mut table = PartTable::new(names, count);
    let number = table.name(name);
    let departed = channel.departed.iter(&state.members.slots);
    let departed = departed.map(|(_, member)| member);
    let base = base(channel);
    let departed = slots((count, departed), base, state, &mut table)?;
    let (texts, members) = table.finish()?;
    to_bytes(&TombstonesBody {
        names: texts,
        members,
        channel: number,
        base,
        departed,
    })
    .map(Some)
}

fn base(channel: &ChannelState) -> SlotBase {
    SlotBase {
        seq: channel.effective_seq,
        time: channel.effective_at,
    }
}

fn slots(
    (count, members): (usize, impl Iterator<Item = MemberId>),
    base: SlotBase,
    state: &State,
    table: &mut PartTable<'_>,
) -> Result<Vec<SlotBody>, CodecError> {
    let mut bodies = Vec::with_capacity(count);
    for member in members {
        let slot = state.slot(member).ok_or(CodecError::Index {
            what: "member",
            index: member.0,
        })?;
        bodies.push(SlotBody::of(member, slot, base, table));
    }
    Ok(bodies)
}

/// Adds a channel to a state that does not have it yet. [`finish`] must be called after the last channel.
///
/// # Errors
/// If the bytes are not a channel's part.
pub fn channel_from_bytes(
    bytes: &[u8],
    state: &mut State,
    names: &mut Names,
) -> Result<NameId, CodecError> {
    let body: ChannelBody<'_> = from_bytes(bytes)?;
    let mut part = PartNames::new(&body.names, names);
    let name = part.name(body.channel)?;
    part.add_members(name, body.members, names)?;
    let base = SlotBase {
        seq: body.effective_seq,
        time: body.effective_at,
    };
    let (mut roster, mut slots) = (Vec::new(), Vec::new());
    for body in body.present {
        let place = u32::try_from(roster.len()).map_err(|_| CodecError::Number)?;
        let (member, slot) = body.slot(Presence::Present, place, base, &part)?;
        roster.push(member);
        slots.push((member, slot));
    }
    let watches = body.watches.into_iter().map(|it| it.watch(&part));
    let ended = body.ended.iter().map(|it| it.interval(&part));
    let watching = ChannelWatches {
        watches: watches.collect::<Result<_, _>>()?,
        ended: ended.collect::<Result<_, _>>()?,
        last_proof: body.last_proof,
        heard_at: body.heard_at,
        gaps: body.gaps,
        open_gap: body.open_gap,
    };
    let topic_covers = body.topic_covers.into_iter();
    let topic_covers = topic_covers.map(|(topic, cover)| Ok((part.name(topic)?, cover)));
    let channel = ChannelState {
        roster,
        departed: Tombstones::default(),
        effective_at: body.effective_at,
        spoken: body.spoken,
        effective_seq: body.effective_seq,
        cover: body.cover,
        listed_cover: body.listed_cover,
        topic_covers: topic_covers.collect::<Result<NumberMap<_, _>, CodecError>>()?,
        floor: body.floor,
        lossy: body.lossy,
        tally: body.tally,
        watching,
    };
    for (member, slot) in slots {
        *state.members.slot_mut(member) = slot;
    }
    let watches = channel.watching.watches.iter();
    let observers: Vec<NameId> = watches.map(|watch| watch.observer).collect();
    state.channels.insert(name, channel);
    for observer in observers {
        state.note_collecting(observer, name);
    }
    Ok(name)
}

/// Adds the tombstones of a channel that the state has.
///
/// # Errors
/// If the bytes are not the tombstones of one of its channels.
pub fn tombstones_from_bytes(
    bytes: &[u8],
    state: &mut State,
    names: &mut Names,
) -> Result<(), CodecError> {
    let body: TombstonesBody<'_> = from_bytes(bytes)?;
    let mut part = PartNames::new(&body.names, names);
    let name = part.name(body.channel)?;
    part.add_members(name, body.members, names)?;
    let (mut stamped, mut unstamped) = (VecDeque::new(), VecDeque::new());
    for slot in body.departed {
        let (member, slot) = slot.slot(Presence::Departed, 0, body.base, &part)?;
        let tombstones = if slot.is_stamped() {
            &mut stamped
        } else {
            &mut unstamped
        };
        tombstones.push_back((slot.departed_at().unwrap_or(0), member));
        let known = state.slot(member);
        if known.is_some_and(|known| known.presence == Presence::Present) {
            let (what, index) = ("departed member", member.0);
            return Err(CodecError::Index { what, index });
        }
        *state.members.slot_mut(member) = slot;
    }
    let Some(channel) = state.channels.get_mut(&name) else {
        let (what, index) = ("channel of tombstones", body.channel);
        return Err(CodecError::Index { what, index });
    };
    channel.departed = Tombstones {
        stamped: TombstoneQueue::new(stamped),
        unstamped: TombstoneQueue::new(unstamped),
    };
    Ok(())
}

/// A channel's part without the names and texts of a person. Adds what it says of present members to what was found.
///
/// # Errors
/// The bytes are not a channel's part.
pub fn erase_channel(
    bytes: &[u8],
    eraser: &Eraser,
    found: &mut Erased,
) -> Result<Vec<u8>, CodecError> {
    let mut body: ChannelBody<'_> = from_bytes(bytes)?;
    let mut part = PartEraser::new(eraser, &body.names, Some(body.channel))?;
    part.members(&mut body.members)?;
    for slot in &mut body.present {
        slot.erase(&mut part)?;
    }
    for (topic, _) in &body.topic_covers {
        part.keep(*topic);
    }
    for watch in &mut body.watches {
        watch.erase(&mut part)?;
    }
    for interval in &mut body.ended {
        interval.erase(&mut part)?;
    }
    found.add(part.found);
    let names = part.finish();
    let names = names.iter().map(String::as_str).collect();
    to_bytes(&ChannelBody { names, ..body })
}

/// The tombstones of a channel without the names and texts of a person. Adds what they say to what was found.
///
/// # Errors
/// The bytes are not tombstones.
pub fn erase_tombstones(
    bytes: &[u8],
    eraser: &Eraser,
    found: &mut Erased,
) -> Result<Vec<u8>, CodecError> {
    let mut body: TombstonesBody<'_> = from_bytes(bytes)?;
    let mut part = PartEraser::new(eraser, &body.names, Some(body.channel))?;
    part.members(&mut body.members)?;
    for slot in &mut body.departed {
        slot.erase(&mut part)?;
    }
    found.add(part.found);
    let names = part.finish();
    let names = names.iter().map(String::as_str).collect();
    to_bytes(&TombstonesBody { names, ..body })
}

/// Puts the tombstones of all channels into their common order, after all channels were added.
pub fn finish(state: &mut State) {
    let State {
        channels,
        members: MemberTable {
            slots, departed, ..
        },
        ..
    } = state;
    let all = |tombstones: fn(&ChannelState) -> &TombstoneQueue| {
        let mut all: Vec<(u64, MemberId)> = channels
            .values()
            .flat_map(|channel| tombstones(channel).iter(slots))
            .collect();
        // Tombstones of one entry belong to one channel, and keep its order.
        all.sort_by_key(|&(seq, _)| seq);
        TombstoneQueue::new(all.into())
    };
    *departed = Tombstones {
        stamped: all(|channel| &channel.departed.stamped),
        unstamped: all(|channel| &channel.departed.unstamped),
    };
}
