//! Decodes a checkpoint's parts into the state.

use super::wire::{
    ChannelWire, CollectedWire, CollectingWire, CoverWire, MARKS_FROM, OwnListWire, ProofWire,
    RootWire, SlotWire, StampWire, StretchWire, SyncWire, WatchWire,
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

/// What the numbers in one channel's part stand for.
struct PartNumbers {
    names: Vec<NameId>,
    members: Vec<MemberId>,
}

impl PartNumbers {
    fn of(wire: &ChannelWire, names: &mut Names) -> Result<PartNumbers, CodecError> {
        let mut numbers = PartNumbers {
            names: wire.names.iter().map(|name| names.intern(name)).collect(),
            members: Vec::with_capacity(wire.members.len()),
        };
        let channel = numbers.name(wire.channel)?;
        for &[topic, user, conn] in &wire.members {
            let member = names.member(MemberKey {
                channel,
                topic: numbers.name(topic)?,
                user: numbers.name(user)?,
                conn: numbers.name(conn)?,
            });
            numbers.members.push(member);
        }
        Ok(numbers)
    }

    fn name(&self, number: u32) -> Result<NameId, CodecError> {
        let name = self.names.get(number as usize);
        name.copied().ok_or(missing(number))
    }

    fn member(&self, number: u32) -> Result<MemberId, CodecError> {
        let member = self.members.get(number as usize);
        member.copied().ok_or(missing(number))
    }

    fn stretch(&self, wire: StretchWire) -> Result<ObservedInterval, CodecError> {
        let StretchWire {
            observer,
            since,
            from_seq,
            to_seq,
            proof,
        } = wire;
        Ok(ObservedInterval {
            observer: self.name(observer)?,
            since,
            from_seq,
            to_seq,
            proof,
        })
    }

    fn slot(
        &self,
        wire: SlotWire,
        presence: Presence,
        place: u32,
    ) -> Result<(MemberId, Slot), CodecError> {
        let mut by_kind = wire.heard;
        for by in &mut by_kind {
            let is_mark = *by >= MARKS_FROM;
            *by = if is_mark { *by } else { self.name(*by)?.0 };
        }
        let slot = Slot {
            presence,
            place,
            last_update: LastUpdate {
                seq: wire.seq,
                time: wire.time,
                stamp: stamp_in(wire.stamp),
                reporters: Reporters { by_kind },
            },
            held_at: wire.held_at,
            since: wire.since,
            changed_at: wire.changed_at,
            departed_at: wire.departed_at,
            stamped: wire.stamped,
            meta: wire.meta.map(Text::from),
        };
        Ok((self.member(wire.member)?, slot))
    }

    fn collected(
        &self,
        wires: Vec<CollectedWire>,
    ) -> Result<NumberMap<MemberId, Collected>, CodecError> {
        let one = |wire: CollectedWire| {
            let collected = Collected {
                present: wire.present,
                meta: wire.meta.map(Text::from),
                stamp: stamp_in(wire.stamp),
                at: wire.at,
            };
            Ok((self.member(wire.member)?, collected))
        };
        wires.into_iter().map(one).collect()
    }

    fn sync(&self, wire: SyncWire) -> Result<Box<PagedSnapshot>, CodecError> {
        let mut claims = NumberMap::default();
        for (number, meta, stamp) in wire.members {
            let claim = ListedMember {
                meta: meta.map(Text::from),
                stamp: stamp_in(stamp),
            };
            claims.insert(self.member(number)?, claim);
        }
        let proofs = wire.proofs.into_iter().map(|wire| self.stretch(wire));
        let topics = wire.topics.into_iter();
        let topics = topics.map(|topic| Ok((self.name(topic)?, ())));
        Ok(Box::new(PagedSnapshot {
            name: Text::from(wire.name),
            begin: SnapshotBegin {
                stamp: stamp_in(wire.begin.0),
                occurred_at: wire.begin.1,
            },
            self_user: wire.self_user.map(|user| self.name(user)).transpose()?,
            incomplete: wire.incomplete,
            id: wire.id.map(Text::from),
            head: wire.head,
            proofs: proofs.collect::<Result<_, _>>()?,
            channel_proof: wire.channel_proof,
            topics: topics.collect::<Result<_, CodecError>>()?,
            members: claims,
            collected: self.collected(wire.collected)?,
        }))
    }

    fn own_list(&self, wire: OwnListWire) -> Result<Box<OwnList>, CodecError> {
        let differs = wire.differs.into_iter();
        let differs = differs.map(|it| Ok((self.member(it)?, ())));
        Ok(Box::new(OwnList {
            self_user: wire.self_user.map(|user| self.name(user)).transpose()?,
            resynced_at: wire.resynced_at,
            differs: differs.collect::<Result<_, CodecError>>()?,
        }))
    }

    fn collecting(&self, wire: CollectingWire) -> Result<Box<Collecting>, CodecError> {
        Ok(Box::new(Collecting {
            up_at: wire.up_at,
            first_at: wire.first_at,
            latest_at: wire.latest_at,
            members: self.collected(wire.members)?,
        }))
    }

    fn watch(&self, wire: WatchWire) -> Result<Watch, CodecError> {
        let sync = wire.sync.map(|wire| self.sync(wire));
        let own_list = wire.own_list.map(|wire| self.own_list(wire));
        let collecting = wire.collecting.map(|wire| self.collecting(wire));
        let lost = wire.lost;
        Ok(Watch {
            observer: self.name(wire.observer)?,
            since_seq: wire.since_seq,
            up: wire.up,
            given: wire.given,
            muted: wire.muted,
            hold: wire.hold,
            stretch: wire.stretch.map(|wire| self.stretch(wire)).transpose()?,
            sync: sync.transpose()?,
            lost: lost.map(|(seq, proof, gaps)| PendingLoss { seq, proof, gaps }),
            own_list: own_list.transpose()?,
            collecting: collecting.transpose()?,
        })
    }

    fn watches(&self, wires: Vec<WatchWire>) -> Result<Vec<Watch>, CodecError> {
        let mut watches = Vec::with_capacity(wires.len());
        for wire in wires {
            watches.push(self.watch(wire)?);
        }
        Ok(watches)
    }
}

/// The members of a channel: those who are present, those who have departed, and a slot for each of them.
struct PartMembers {
    roster: Vec<MemberId>,
    departed: Tombstones,
    slots: Vec<(MemberId, Slot)>,
}

impl PartMembers {
    fn of(
        present: Vec<SlotWire>,
        departed: Vec<SlotWire>,
        numbers: &PartNumbers,
    ) -> Result<PartMembers, CodecError> {
        let mut slots = Vec::new();
        let mut roster = Vec::with_capacity(present.len());
        for wire in present {
            let place = u32::try_from(roster.len()).unwrap_or(u32::MAX);
            let (member, slot) = numbers.slot(wire, Presence::Present, place)?;
            roster.push(member);
            slots.push((member, slot));
        }
        let (mut stamped, mut unstamped) = (VecDeque::new(), VecDeque::new());
        for wire in departed {
            let (member, slot) = numbers.slot(wire, Presence::Departed, 0)?;
            let tombstones = if slot.stamped {
                &mut stamped
            } else {
                &mut unstamped
            };
            tombstones.push_back((slot.departed_at, member));
            slots.push((member, slot));
        }
        Ok(PartMembers {
            roster,
            departed: Tombstones {
                stamped: TombstoneQueue::new(stamped),
                unstamped: TombstoneQueue::new(unstamped),
            },
            slots,
        })
    }
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
    let numbers = PartNumbers::of(&wire, names)?;
    let channel_name = numbers.name(wire.channel)?;
    let members = PartMembers::of(wire.present, wire.departed, &numbers)?;
    let ended = wire.ended.into_iter().map(|wire| numbers.stretch(wire));
    let watching = ChannelWatches {
        watches: numbers.watches(wire.watches)?,
        ended: ended.collect::<Result<_, _>>()?,
        last_proof: wire.last_proof,
        heard_at: wire.heard_at,
        gaps: wire.gaps,
        open_gap: wire.open_gap.map(|(gap, from)| OpenGap { gap, from }),
    };
    let mut topic_covers = NumberMap::default();
    for (topic, cover) in wire.topic_covers {
        topic_covers.insert(numbers.name(topic)?, cover_in(cover));
    }
    let (entries, first_at, last_at) = wire.tally;
    let observers: Vec<NameId> = watching.watches.iter().map(|it| it.observer).collect();
    let channel = ChannelState {
        roster: members.roster,
        departed: members.departed,
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
    for (member, slot) in members.slots {
        let at = member.0 as usize;
        if at >= state.slots.len() {
            state.slots.resize_with(at + 1, Slot::default);
        }
        if let Some(place) = state.slots.get_mut(at) {
            *place = slot;
        }
    }
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
