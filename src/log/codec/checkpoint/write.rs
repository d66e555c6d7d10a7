//! Encodes the state into a checkpoint's parts.

use super::wire::{
    ChannelWire, CollectedWire, CollectingWire, CoverWire, MARKS_FROM, ObserverWire, OwnListWire,
    ProofWire, RootWire, SlotWire, StampWire, StretchWire, SyncWire, WatchWire,
};
use super::{CodecError, to_bytes};
use crate::domain::interval::ObservedInterval;
use crate::domain::names::{MemberId, NameId, Names, NumberMap};
use crate::domain::observer::Proof;
use crate::domain::order::Stamp;
use crate::domain::own_list::{Collected, OwnList};
use crate::domain::roster::SnapshotCover;
use crate::domain::slot::Slot;
use crate::domain::state::State;
use crate::domain::watch::{PagedSnapshot, Watch};

/// Gives the names and members of one part new numbers.
#[derive(Default)]
struct PartTable {
    names: Vec<String>,
    members: Vec<[u32; 3]>,
    by_name: NumberMap<NameId, u32>,
    by_member: NumberMap<MemberId, u32>,
}

impl PartTable {
    fn name(&mut self, name: NameId, names: &Names) -> u32 {
        let next = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        let texts = &mut self.names;
        *self.by_name.entry(name).or_insert_with(|| {
            texts.push(names.text(name).to_owned());
            next
        })
    }

    fn member(&mut self, member: MemberId, names: &Names) -> u32 {
        if let Some(&known) = self.by_member.get(&member) {
            return known;
        }
        let key = names.key(member);
        let row = [key.topic, key.user, key.conn].map(|name| self.name(name, names));
        let next = u32::try_from(self.members.len()).unwrap_or(u32::MAX);
        self.members.push(row);
        self.by_member.insert(member, next);
        next
    }

    fn slot(&mut self, member: MemberId, slot: &Slot, names: &Names) -> SlotWire {
        let heard = slot.last_update.reporters.by_kind.map(|by| {
            if by >= MARKS_FROM {
                by
            } else {
                self.name(NameId(by), names)
            }
        });
        SlotWire {
            member: self.member(member, names),
            seq: slot.last_update.seq,
            time: slot.last_update.time,
            stamp: stamp_out(slot.last_update.stamp),
            heard,
            held_at: slot.held_at,
            since: slot.since,
            changed_at: slot.changed_at,
            departed_at: slot.departed_at,
            stamped: slot.stamped,
            meta: slot.meta.as_deref().map(str::to_owned),
        }
    }

    fn stretch(&mut self, stretch: &ObservedInterval, names: &Names) -> StretchWire {
        let ObservedInterval {
            observer,
            since,
            from_seq,
            to_seq,
            proof,
        } = *stretch;
        StretchWire {
            observer: self.name(observer, names),
            since,
            from_seq,
            to_seq,
            proof,
        }
    }

    fn sync(&mut self, sync: &PagedSnapshot, names: &Names) -> SyncWire {
        SyncWire {
            name: sync.name.to_string(),
            begin: (stamp_out(sync.begin.stamp), sync.begin.occurred_at),
            self_user: sync.self_user.map(|user| self.name(user, names)),
            incomplete: sync.incomplete,
            id: sync.id.as_deref().map(str::to_owned),
            head: sync.head,
            proofs: sync
                .proofs
                .iter()
                .map(|stretch| self.stretch(stretch, names))
                .collect(),
            channel_proof: sync.channel_proof,
            topics: sync
                .topics
                .keys()
                .map(|&topic| self.name(topic, names))
                .collect(),
            members: sync
                .members
                .iter()
                .map(|(&member, claim)| {
                    let meta = claim.meta.as_deref().map(str::to_owned);
                    (self.member(member, names), meta, stamp_out(claim.stamp))
                })
                .collect(),
            collected: self.collected(&sync.collected, names),
        }
    }

    fn watch(&mut self, watch: &Watch, names: &Names) -> WatchWire {
        let stretch = watch.stretch.as_ref();
        let collecting = watch.collecting.as_deref();
        WatchWire {
            observer: self.name(watch.observer, names),
            since_seq: watch.since_seq,
            up: watch.up,
            given: watch.given,
            muted: watch.muted,
            hold: watch.hold,
            stretch: stretch.map(|stretch| self.stretch(stretch, names)),
            sync: watch.sync.as_deref().map(|sync| self.sync(sync, names)),
            lost: watch.lost.map(|loss| (loss.seq, loss.proof, loss.gaps)),
            own_list: watch
                .own_list
                .as_deref()
                .map(|list| self.own_list(list, names)),
            collecting: collecting.map(|it| CollectingWire {
                up_at: it.up_at,
                first_at: it.first_at,
                latest_at: it.latest_at,
                members: self.collected(&it.members, names),
            }),
        }
    }

    fn own_list(&mut self, list: &OwnList, names: &Names) -> OwnListWire {
        let self_user = list.self_user.map(|user| self.name(user, names));
        let differs = list.differs.keys();
        let differs = differs.map(|&member| self.member(member, names));
        OwnListWire {
            self_user,
            resynced_at: list.resynced_at,
            differs: differs.collect(),
        }
    }

    fn collected(
        &mut self,
        members: &NumberMap<MemberId, Collected>,
        names: &Names,
    ) -> Vec<CollectedWire> {
        let wire = |(&member, collected): (&MemberId, &Collected)| CollectedWire {
            member: self.member(member, names),
            present: collected.present,
            meta: collected.meta.as_deref().map(str::to_owned),
            stamp: stamp_out(collected.stamp),
            at: collected.at,
        };
        members.iter().map(wire).collect()
    }
}

fn stamp_out(stamp: Stamp) -> StampWire {
    (stamp.pos, stamp.ts)
}

fn proof_out(proof: Proof) -> ProofWire {
    (proof.seq, proof.time)
}

fn cover_out(cover: &SnapshotCover) -> CoverWire {
    CoverWire {
        seq: cover.seq,
        line: stamp_out(cover.line),
        of: (stamp_out(cover.of.0), cover.of.1),
    }
}

/// Encodes what belongs to no single channel.
///
/// # Errors
/// If the codec fails; no state can cause that.
pub fn trunk_to_bytes(state: &State, names: &Names) -> Result<Vec<u8>, CodecError> {
    let mut table = PartTable::default();
    let mut observers: Vec<ObserverWire> = state
        .observers
        .iter()
        .map(|(&name, observer)| ObserverWire {
            name: table.name(name, names),
            channels: observer
                .channels
                .iter()
                .map(|(&name, link)| (table.name(name, names), link.own, link.proof.map(proof_out)))
                .collect(),
            linked: observer.linked,
            up_at: observer.up_at,
            proof: observer.proof.map(proof_out),
            connection: observer
                .connection
                .map(|connection| (connection.since, connection.at, connection.lost)),
        })
        .collect();
    observers.sort_unstable_by_key(|observer| observer.name);
    let (head, recorded_at) = (state.head, state.recorded_at);
    to_bytes(&RootWire {
        head,
        recorded_at,
        names: table.names,
        observers,
    })
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
    let mut table = PartTable::default();
    let number = table.name(name, names);
    let unknown = Slot::default();
    let mut slot = |member: MemberId| {
        table.slot(
            member,
            state.slots.get(member.0 as usize).unwrap_or(&unknown),
            names,
        )
    };
    let present = channel.roster.iter().map(|&member| slot(member)).collect();
    let departed = channel.departed.iter(&state.slots);
    let departed = departed.map(|(_, member)| slot(member)).collect();
    let watching = &channel.watching;
    let watches = watching.watches.iter();
    let watches = watches.map(|watch| table.watch(watch, names)).collect();
    let topic_covers = channel
        .topic_covers
        .iter()
        .map(|(&topic, cover)| (table.name(topic, names), cover_out(cover)));
    let topic_covers = topic_covers.collect();
    let ended = watching
        .ended
        .iter()
        .map(|stretch| table.stretch(stretch, names))
        .collect();
    let tally = channel.tally;
    let wire = ChannelWire {
        names: table.names,
        members: table.members,
        channel: number,
        present,
        departed,
        effective_at: channel.effective_at,
        cover: channel.cover.as_ref().map(cover_out),
        listed_cover: channel.listed_cover.as_ref().map(cover_out),
        topic_covers,
        floor: channel.floor.map(stamp_out),
        lossy: channel.lossy,
        tally: (tally.entries, tally.first_at, tally.last_at),
        watches,
        ended,
        last_proof: watching.last_proof,
        heard_at: watching.heard_at,
        gaps: watching.gaps,
        open_gap: watching.open_gap.map(|open| (open.gap, open.from)),
        spoken: channel.spoken,
        effective_seq: channel.effective_seq,
    };
    to_bytes(&wire).map(Some)
}
