//! Decodes a checkpoint's parts into the state.

use super::wire::{
    ChannelWire, CollectedWire, CoverWire, MARKS_FROM, ProofWire, RootWire, SlotWire, StampWire,
    StretchWire,
};
use super::{CodecError, from_bytes, missing};
use crate::domain::entry::{ListedMember, SnapshotBegin, Text};
use crate::domain::interval::ObservedInterval;
use crate::domain::names::{MemberId, MemberKey, NameId, Names, NumberMap};
use crate::domain::observer::{ChannelLink, Connected, Observer, Proof};
use crate::domain::order::Stamp;
use crate::domain::own_list::{Collected, Collecting, OwnList};
use crate::domain::roster::{ChannelState, ChannelTally, SnapshotCover};
use crate::domain::slot::{LastUpdate, Presence, Reporters, Slot};
use crate::domain::state::State;
use crate::domain::tombstones::{TombstoneQueue, Tombstones};
use crate::domain::watch::{ChannelWatches, OpenGap, PagedSnapshot, PendingLoss, Watch};
use std::collections::VecDeque;

fn stamp_in((pos, ts): StampWire) -> Stamp {
    Stamp { pos, ts }
}

fn proof_in((seq, time): ProofWire) -> Proof {
    Proof { seq, time }
}

fn cover_in(cover: CoverWire) -> SnapshotCover {
    SnapshotCover {
        seq: cover.seq,
        line: stamp_in(cover.line),
        of: (stamp_in(cover.of.0), cover.of.1),
    }
}

/// Decodes a state without channels from what [`trunk_to_bytes`](super::trunk_to_bytes) wrote.
///
/// # Errors
/// If the bytes are not this part.
pub fn trunk_from_bytes(bytes: &[u8], names: &mut Names) -> Result<State, CodecError> {
    let trunk: RootWire = from_bytes(bytes)?;
    let by_number: Vec<NameId> = trunk.names.iter().map(|name| names.intern(name)).collect();
    let name = |number: u32| {
        by_number
            .get(number as usize)
            .copied()
            .ok_or(missing(number))
    };
    let mut state = State {
        head: trunk.head,
        recorded_at: trunk.recorded_at,
        ..State::default()
    };
    for wire in trunk.observers {
        let channels = wire
            .channels
            .iter()
            .map(|&(number, own, proof)| {
                let proof = proof.map(proof_in);
                Ok((name(number)?, ChannelLink { own, proof }))
            })
            .collect::<Result<_, _>>()?;
        let mut observer = Observer {
            channels,
            linked: wire.linked,
            up_at: wire.up_at,
            proof: wire.proof.map(proof_in),
            shared: None,
            collecting: NumberMap::default(),
            connection: wire
                .connection
                .map(|(since, at, lost)| Connected { since, at, lost }),
        };
        observer.share_proofs();
        state.connected += u64::from(observer.is_connected());
        state.observers.insert(name(wire.name)?, observer);
    }
    Ok(state)
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
    let wire: ChannelWire = from_bytes(bytes)?;
    let by_number: Vec<NameId> = wire.names.iter().map(|name| names.intern(name)).collect();
    let name = |number: u32| {
        by_number
            .get(number as usize)
            .copied()
            .ok_or(missing(number))
    };
    let channel_name = name(wire.channel)?;
    let mut members = Vec::with_capacity(wire.members.len());
    for [topic, user, conn] in wire.members {
        let (topic, user, conn) = (name(topic)?, name(user)?, name(conn)?);
        members.push(names.member(MemberKey {
            channel: channel_name,
            topic,
            user,
            conn,
        }));
    }
    let member = |number: u32| members.get(number as usize).copied().ok_or(missing(number));
    let stretch = |wire: StretchWire| -> Result<ObservedInterval, CodecError> {
        let StretchWire {
            observer,
            since,
            from_seq,
            to_seq,
            proof,
        } = wire;
        Ok(ObservedInterval {
            observer: name(observer)?,
            since,
            from_seq,
            to_seq,
            proof,
        })
    };
    let slot = |wire: SlotWire, presence, place| -> Result<(MemberId, Slot), CodecError> {
        let mut by_kind = wire.heard;
        for by in &mut by_kind {
            *by = if *by >= MARKS_FROM { *by } else { name(*by)?.0 };
        }
        let word = LastUpdate {
            seq: wire.seq,
            time: wire.time,
            stamp: stamp_in(wire.stamp),
            reporters: Reporters { by_kind },
        };
        let meta = wire.meta.map(Text::from);
        let (held_at, since, departed_at) = (wire.held_at, wire.since, wire.departed_at);
        let changed_at = wire.changed_at;
        let slot = Slot {
            presence,
            place,
            last_update: word,
            held_at,
            since,
            changed_at,
            departed_at,
            stamped: wire.stamped,
            meta,
        };
        Ok((member(wire.member)?, slot))
    };
    let mut slots: Vec<(MemberId, Slot)> = Vec::new();
    let mut roster = Vec::with_capacity(wire.present.len());
    for wire in wire.present {
        let place = u32::try_from(roster.len()).unwrap_or(u32::MAX);
        let (member, slot) = slot(wire, Presence::Present, place)?;
        roster.push(member);
        slots.push((member, slot));
    }
    let (mut stamped, mut unstamped) = (VecDeque::new(), VecDeque::new());
    for wire in wire.departed {
        let (member, slot) = slot(wire, Presence::Departed, 0)?;
        let tombstones = if slot.stamped {
            &mut stamped
        } else {
            &mut unstamped
        };
        tombstones.push_back((slot.departed_at, member));
        slots.push((member, slot));
    }
    let collected = |wires: Vec<CollectedWire>| {
        let one = |wire: CollectedWire| -> Result<(MemberId, Collected), CodecError> {
            let collected = Collected {
                present: wire.present,
                meta: wire.meta.map(Text::from),
                stamp: stamp_in(wire.stamp),
                at: wire.at,
            };
            Ok((member(wire.member)?, collected))
        };
        let members = wires.into_iter().map(one);
        members.collect::<Result<NumberMap<MemberId, Collected>, _>>()
    };
    let mut watches = Vec::with_capacity(wire.watches.len());
    for wire in wire.watches {
        let sync = wire
            .sync
            .map(|wire| -> Result<Box<PagedSnapshot>, CodecError> {
                let mut claims = NumberMap::default();
                for (number, meta, stamp) in wire.members {
                    let claim = ListedMember {
                        meta: meta.map(Text::from),
                        stamp: stamp_in(stamp),
                    };
                    claims.insert(member(number)?, claim);
                }
                Ok(Box::new(PagedSnapshot {
                    name: Text::from(wire.name),
                    begin: SnapshotBegin {
                        stamp: stamp_in(wire.begin.0),
                        occurred_at: wire.begin.1,
                    },
                    self_user: wire.self_user.map(name).transpose()?,
                    incomplete: wire.incomplete,
                    id: wire.id.map(Text::from),
                    head: wire.head,
                    proofs: wire
                        .proofs
                        .into_iter()
                        .map(stretch)
                        .collect::<Result<_, _>>()?,
                    channel_proof: wire.channel_proof,
                    topics: wire
                        .topics
                        .into_iter()
                        .map(|topic| Ok((name(topic)?, ())))
                        .collect::<Result<_, _>>()?,
                    members: claims,
                    collected: collected(wire.collected)?,
                }))
            });
        watches.push(Watch {
            observer: name(wire.observer)?,
            since_seq: wire.since_seq,
            up: wire.up,
            given: wire.given,
            muted: wire.muted,
            hold: wire.hold,
            stretch: wire.stretch.map(stretch).transpose()?,
            sync: sync.transpose()?,
            lost: wire
                .lost
                .map(|(seq, proof, gaps)| PendingLoss { seq, proof, gaps }),
            own_list: wire
                .own_list
                .map(|list| -> Result<Box<OwnList>, CodecError> {
                    let differs = list.differs.into_iter().map(|it| Ok((member(it)?, ())));
                    Ok(Box::new(OwnList {
                        self_user: list.self_user.map(name).transpose()?,
                        resynced_at: list.resynced_at,
                        differs: differs.collect::<Result<_, CodecError>>()?,
                    }))
                })
                .transpose()?,
            collecting: wire
                .collecting
                .map(|it| -> Result<Box<Collecting>, CodecError> {
                    Ok(Box::new(Collecting {
                        up_at: it.up_at,
                        first_at: it.first_at,
                        latest_at: it.latest_at,
                        members: collected(it.members)?,
                    }))
                })
                .transpose()?,
        });
    }
    let mut topic_covers = NumberMap::default();
    for (topic, cover) in wire.topic_covers {
        topic_covers.insert(name(topic)?, cover_in(cover));
    }
    let (entries, first_at, last_at) = wire.tally;
    let watching = ChannelWatches {
        watches,
        ended: wire
            .ended
            .into_iter()
            .map(stretch)
            .collect::<Result<_, _>>()?,
        last_proof: wire.last_proof,
        heard_at: wire.heard_at,
        gaps: wire.gaps,
        open_gap: wire.open_gap.map(|(gap, from)| OpenGap { gap, from }),
    };
    let channel = ChannelState {
        roster,
        departed: Tombstones {
            stamped: TombstoneQueue::new(stamped),
            unstamped: TombstoneQueue::new(unstamped),
        },
        effective_at: wire.effective_at,
        spoken: wire.spoken,
        effective_seq: wire.effective_seq,
        cover: wire.cover.map(cover_in),
        listed_cover: wire.listed_cover.map(cover_in),
        topic_covers,
        floor: wire.floor.map(stamp_in),
        lossy: wire.lossy,
        tally: ChannelTally {
            entries,
            first_at,
            last_at,
        },
        watching,
    };
    for (member, slot) in slots {
        let at = member.0 as usize;
        if at >= state.slots.len() {
            state.slots.resize_with(at + 1, Slot::default);
        }
        if let Some(place) = state.slots.get_mut(at) {
            *place = slot;
        }
    }
    let watches = channel.watching.watches.iter();
    let observers: Vec<NameId> = watches.map(|watch| watch.observer).collect();
    state.channels.insert(channel_name, channel);
    for observer in observers {
        state.note_collecting(observer, channel_name);
    }
    Ok(channel_name)
}

/// Puts the tombstones of all channels into their common order, after all channels were added.
pub fn finish(state: &mut State) {
    let State {
        channels,
        slots,
        departed,
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
