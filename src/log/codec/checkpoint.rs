//! The wire form of a checkpoint: the state, in one part for the store and one for each channel.
//!
//! A part carries the names it uses, so that one channel can be restored alone. What the log says again as soon
//! as it is read (unknown members, the order of tombstones of all channels) is not written.

use super::CodecError;
use super::bytes::{pack, unpack};
use crate::domain::entry::{Begin, Claim, Text};
use crate::domain::names::{Member, MemberKey, Name, Names, NumberMap};
use crate::domain::order::{Pos, Stamp};
use crate::domain::roster::{Channel, Cover, Heard, LastWord, Presence, Slot, Tally};
use crate::domain::state::State;
use crate::domain::watch::{Observer, OpenGap, Stretch, Sync, Watch, Watching};
use crate::log::Progress;
use bincode::{Decode, Encode};
use std::collections::VecDeque;
use std::sync::Arc;

/// The part of a checkpoint that is not of one channel.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Trunk {
    head: u64,
    recorded_at: i64,
    names: Vec<String>,
    observers: Vec<ObserverWire>,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
struct ObserverWire {
    name: u32,
    channels: Vec<u32>,
    linked: bool,
    up_at: Option<u64>,
    proof: Option<(u64, i64)>,
}

#[derive(Debug, Encode, Decode)]
struct ChannelWire {
    names: Vec<String>,
    members: Vec<[u32; 3]>,
    channel: u32,
    present: Vec<SlotWire>,
    departed: Vec<SlotWire>,
    effective_at: i64,
    cover: Option<CoverWire>,
    topic_covers: Vec<(u32, CoverWire)>,
    floor: Option<StampWire>,
    lossy: bool,
    tally: (u64, i64, i64),
    watches: Vec<WatchWire>,
    ended: Vec<StretchWire>,
    last_proof: Option<i64>,
    gaps: u32,
    open_gap: Option<(u32, i64)>,
    effective_seq: u64,
}

type StampWire = (Option<Pos>, Option<i64>);

#[derive(Debug, Encode, Decode)]
struct SlotWire {
    member: u32,
    seq: u64,
    time: i64,
    stamp: StampWire,
    heard: [u32; 3],
    held_at: u64,
    since: i64,
    departed_at: u64,
    meta: Option<String>,
}

#[derive(Debug, Encode, Decode)]
struct CoverWire {
    seq: u64,
    line: StampWire,
    listed: (StampWire, i64),
    absent: (StampWire, i64),
}

#[derive(Debug, Encode, Decode)]
struct WatchWire {
    observer: u32,
    up: bool,
    given: bool,
    muted: bool,
    hold: Option<u64>,
    stretch: Option<StretchWire>,
    sync: Option<SyncWire>,
}

#[derive(Debug, Encode, Decode)]
struct StretchWire {
    observer: u32,
    from_seq: u64,
    to_seq: u64,
    proof: Option<i64>,
}

#[derive(Debug, Encode, Decode)]
struct SyncWire {
    name: String,
    begin: (StampWire, i64),
    self_user: Option<u32>,
    incomplete: bool,
    id: Option<String>,
    head: u64,
    proofs: Vec<StretchWire>,
    channel_proof: Option<i64>,
    topics: Vec<u32>,
    members: Vec<(u32, Option<String>, StampWire)>,
}

/// The version of all parts; a part of another one is as good as missing.
const VERSION: u8 = 1;

fn to_bytes<T: Encode>(part: &T) -> Result<Vec<u8>, CodecError> {
    let mut bytes = vec![VERSION];
    pack(part, &mut bytes)?;
    Ok(bytes)
}

fn from_bytes<T: Decode<()>>(bytes: &[u8]) -> Result<T, CodecError> {
    match bytes.split_first() {
        Some((&VERSION, part)) => {
            let (value, used) = unpack(part)?;
            if used == part.len() {
                Ok(value)
            } else {
                Err(CodecError::Trailing(part.len() - used))
            }
        }
        Some((&version, _)) => Err(CodecError::Unknown {
            what: "version of a checkpoint",
            value: u64::from(version),
        }),
        None => Err(CodecError::Short),
    }
}

fn missing(index: u32) -> CodecError {
    CodecError::Index {
        what: "name or member",
        index,
    }
}

/// A checkpoint's table of contents, and what belongs to no channel.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Index {
    /// The engine's position of the next frame.
    pub next: u64,
    /// The number of the last frame.
    pub frame: u64,
    /// The chain's link after it.
    pub link: [u8; 32],
    /// The last entry.
    pub seq: u64,
    /// When it was recorded.
    pub recorded_at: i64,
    /// Where each channel's part is.
    pub channels: Vec<ChannelPart>,
    /// Rejects so far.
    pub rejects: u64,
    /// Bytes of rejected lines that are kept.
    pub reject_bytes: u64,
    /// The chunks of retry ids.
    pub retry_chunks: Vec<u64>,
    /// The rest of the state ([`trunk_to_bytes`]).
    pub trunk: Vec<u8>,
    sources: Vec<SourceWire>,
}

/// Where a channel's part is.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ChannelPart {
    /// The channel.
    pub channel: String,
    /// The frame at which its part was written.
    pub frame: u64,
    /// Its last effective time then.
    pub effective_at: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
struct SourceWire {
    source: [u8; 32],
    hashed_len: u64,
    byte: u64,
    line: u64,
    path: String,
}

/// Writes an index, and how far sources were read.
///
/// # Errors
/// Where the codec fails, which nothing in an index makes it do.
pub fn index_to_bytes(mut index: Index, sources: &[Progress]) -> Result<Vec<u8>, CodecError> {
    let wire = |progress: &Progress| {
        let Progress {
            source,
            hashed_len,
            byte,
            line,
            ..
        } = *progress;
        SourceWire {
            source,
            hashed_len,
            byte,
            line,
            path: progress.path.to_string(),
        }
    };
    index.sources = sources.iter().map(wire).collect();
    to_bytes(&index)
}

/// What [`index_to_bytes`] wrote.
///
/// # Errors
/// Where the bytes are not such a part.
pub fn index_from_bytes(bytes: &[u8]) -> Result<Index, CodecError> {
    from_bytes(bytes)
}

impl Index {
    /// An index of nothing yet, at a place of the log.
    #[must_use]
    pub fn at(next: u64, frame: u64, link: [u8; 32]) -> Self {
        Index {
            next,
            frame,
            link,
            seq: 0,
            recorded_at: 0,
            channels: Vec::new(),
            rejects: 0,
            reject_bytes: 0,
            retry_chunks: Vec::new(),
            trunk: Vec::new(),
            sources: Vec::new(),
        }
    }

    /// How far sources were read.
    #[must_use]
    pub fn sources(&self) -> Vec<Progress> {
        let progress = |wire: &SourceWire| {
            let SourceWire {
                source,
                hashed_len,
                byte,
                line,
                ..
            } = *wire;
            Progress {
                source,
                hashed_len,
                byte,
                line,
                path: Arc::from(wire.path.as_str()),
            }
        };
        self.sources.iter().map(progress).collect()
    }
}

/// Writes retry ids: key, observer, seq.
///
/// # Errors
/// Where the codec fails, which no id makes it do.
pub fn retries_to_bytes(ids: &[(u128, u64, u64)]) -> Result<Vec<u8>, CodecError> {
    to_bytes(&ids.to_vec())
}

/// What [`retries_to_bytes`] wrote.
///
/// # Errors
/// Where the bytes are not such a part.
pub fn retries_from_bytes(bytes: &[u8]) -> Result<Vec<(u128, u64, u64)>, CodecError> {
    from_bytes(bytes)
}

/// Marks in [`SlotWire::heard`] that stand for no observer and for several are kept as they are.
const MARKS_FROM: u32 = u32::MAX - 1;

/// Numbers names and members anew for one part.
#[derive(Default)]
struct Table {
    names: Vec<String>,
    members: Vec<[u32; 3]>,
    by_name: NumberMap<Name, u32>,
    by_member: NumberMap<Member, u32>,
}

impl Table {
    fn name(&mut self, name: Name, names: &Names) -> u32 {
        let next = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        let texts = &mut self.names;
        *self.by_name.entry(name).or_insert_with(|| {
            texts.push(names.text(name).to_owned());
            next
        })
    }

    fn member(&mut self, member: Member, names: &Names) -> u32 {
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

    fn slot(&mut self, member: Member, slot: &Slot, names: &Names) -> SlotWire {
        let heard = slot.word.heard.by_kind.map(|by| {
            if by >= MARKS_FROM {
                by
            } else {
                self.name(Name(by), names)
            }
        });
        SlotWire {
            member: self.member(member, names),
            seq: slot.word.seq,
            time: slot.word.time,
            stamp: stamp_out(slot.word.stamp),
            heard,
            held_at: slot.held_at,
            since: slot.since,
            departed_at: slot.departed_at,
            meta: slot.meta.as_deref().map(str::to_owned),
        }
    }

    fn stretch(&mut self, stretch: &Stretch, names: &Names) -> StretchWire {
        let Stretch {
            observer,
            from_seq,
            to_seq,
            proof,
        } = *stretch;
        StretchWire {
            observer: self.name(observer, names),
            from_seq,
            to_seq,
            proof,
        }
    }

    fn sync(&mut self, sync: &Sync, names: &Names) -> SyncWire {
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
                .iter()
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
        }
    }
}

fn stamp_out(stamp: Stamp) -> StampWire {
    (stamp.pos, stamp.ts)
}

fn stamp_in((pos, ts): StampWire) -> Stamp {
    Stamp { pos, ts }
}

fn cover_out(cover: &Cover) -> CoverWire {
    CoverWire {
        seq: cover.seq,
        line: stamp_out(cover.line),
        listed: (stamp_out(cover.listed.0), cover.listed.1),
        absent: (stamp_out(cover.absent.0), cover.absent.1),
    }
}

fn cover_in(cover: CoverWire) -> Cover {
    Cover {
        seq: cover.seq,
        line: stamp_in(cover.line),
        listed: (stamp_in(cover.listed.0), cover.listed.1),
        absent: (stamp_in(cover.absent.0), cover.absent.1),
    }
}

/// Writes what belongs to no single channel.
///
/// # Errors
/// Where the codec fails, which nothing in a state makes it do.
pub fn trunk_to_bytes(state: &State, names: &Names) -> Result<Vec<u8>, CodecError> {
    let mut table = Table::default();
    let mut observers: Vec<ObserverWire> = state
        .observers
        .iter()
        .map(|(&name, observer)| ObserverWire {
            name: table.name(name, names),
            channels: observer
                .channels
                .iter()
                .map(|&name| table.name(name, names))
                .collect(),
            linked: observer.linked,
            up_at: observer.up_at,
            proof: observer.proof,
        })
        .collect();
    observers.sort_unstable_by_key(|observer| observer.name);
    let (head, recorded_at) = (state.head, state.recorded_at);
    to_bytes(&Trunk {
        head,
        recorded_at,
        names: table.names,
        observers,
    })
}

/// A state with no channels yet, from what [`trunk_to_bytes`] wrote.
///
/// # Errors
/// Where the bytes are not such a part.
pub fn trunk_from_bytes(bytes: &[u8], names: &mut Names) -> Result<State, CodecError> {
    let trunk: Trunk = from_bytes(bytes)?;
    let by_number: Vec<Name> = trunk.names.iter().map(|name| names.intern(name)).collect();
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
            .map(|&number| name(number))
            .collect::<Result<_, _>>()?;
        let observer = Observer {
            channels,
            linked: wire.linked,
            up_at: wire.up_at,
            proof: wire.proof,
        };
        state.observers.insert(name(wire.name)?, observer);
    }
    Ok(state)
}

/// Writes one channel; `None` where the state has none of this name.
///
/// # Errors
/// Where the codec fails, which nothing in a state makes it do.
pub fn channel_to_bytes(
    state: &State,
    name: Name,
    names: &Names,
) -> Result<Option<Vec<u8>>, CodecError> {
    let Some(channel) = state.channels.get(&name) else {
        return Ok(None);
    };
    let mut table = Table::default();
    let number = table.name(name, names);
    let unknown = Slot::default();
    let mut slot = |member: Member| {
        table.slot(
            member,
            state.slots.get(member.0 as usize).unwrap_or(&unknown),
            names,
        )
    };
    let present = channel.roster.iter().map(|&member| slot(member)).collect();
    let departed = channel
        .departures
        .iter()
        .filter(|&&(seq, member)| {
            state
                .slots
                .get(member.0 as usize)
                .is_some_and(|slot| slot.presence == Presence::Departed && slot.departed_at == seq)
        })
        .map(|&(_, member)| slot(member))
        .collect();
    let watching = &channel.watching;
    let watches = watching
        .watches
        .iter()
        .map(|watch| WatchWire {
            observer: table.name(watch.observer, names),
            up: watch.up,
            given: watch.given,
            muted: watch.muted,
            hold: watch.hold,
            stretch: watch
                .stretch
                .as_ref()
                .map(|stretch| table.stretch(stretch, names)),
            sync: watch.sync.as_deref().map(|sync| table.sync(sync, names)),
        })
        .collect();
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
        topic_covers,
        floor: channel.floor.map(stamp_out),
        lossy: channel.lossy,
        tally: (tally.entries, tally.first_at, tally.last_at),
        watches,
        ended,
        last_proof: watching.last_proof,
        gaps: watching.gaps,
        open_gap: watching.open_gap.map(|open| (open.gap, open.from)),
        effective_seq: channel.effective_seq,
    };
    to_bytes(&wire).map(Some)
}

/// Puts a channel into a state that does not have it yet. [`finish`] is called when all are there.
///
/// # Errors
/// Where the bytes are not such a part.
pub fn channel_from_bytes(
    bytes: &[u8],
    state: &mut State,
    names: &mut Names,
) -> Result<Name, CodecError> {
    let wire: ChannelWire = from_bytes(bytes)?;
    let by_number: Vec<Name> = wire.names.iter().map(|name| names.intern(name)).collect();
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
    let stretch = |wire: StretchWire| -> Result<Stretch, CodecError> {
        let StretchWire {
            observer,
            from_seq,
            to_seq,
            proof,
        } = wire;
        Ok(Stretch {
            observer: name(observer)?,
            from_seq,
            to_seq,
            proof,
        })
    };
    let slot = |wire: SlotWire, presence, seat| -> Result<(Member, Slot), CodecError> {
        let mut by_kind = wire.heard;
        for by in &mut by_kind {
            *by = if *by >= MARKS_FROM { *by } else { name(*by)?.0 };
        }
        let word = LastWord {
            seq: wire.seq,
            time: wire.time,
            stamp: stamp_in(wire.stamp),
            heard: Heard { by_kind },
        };
        let meta = wire.meta.map(Text::from);
        let (held_at, since, departed_at) = (wire.held_at, wire.since, wire.departed_at);
        let slot = Slot {
            presence,
            seat,
            word,
            held_at,
            since,
            departed_at,
            meta,
        };
        Ok((member(wire.member)?, slot))
    };
    let mut slots: Vec<(Member, Slot)> = Vec::new();
    let mut roster = Vec::with_capacity(wire.present.len());
    for wire in wire.present {
        let seat = u32::try_from(roster.len()).unwrap_or(u32::MAX);
        let (member, slot) = slot(wire, Presence::Present, seat)?;
        roster.push(member);
        slots.push((member, slot));
    }
    let mut departures = VecDeque::with_capacity(wire.departed.len());
    for wire in wire.departed {
        let (member, slot) = slot(wire, Presence::Departed, 0)?;
        departures.push_back((slot.departed_at, member));
        slots.push((member, slot));
    }
    let mut watches = Vec::with_capacity(wire.watches.len());
    for wire in wire.watches {
        let sync = wire.sync.map(|wire| -> Result<Box<Sync>, CodecError> {
            let mut claims = NumberMap::default();
            for (number, meta, stamp) in wire.members {
                let claim = Claim {
                    meta: meta.map(Text::from),
                    stamp: stamp_in(stamp),
                };
                claims.insert(member(number)?, claim);
            }
            Ok(Box::new(Sync {
                name: Text::from(wire.name),
                begin: Begin {
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
                    .map(name)
                    .collect::<Result<_, _>>()?,
                members: claims,
            }))
        });
        watches.push(Watch {
            observer: name(wire.observer)?,
            up: wire.up,
            given: wire.given,
            muted: wire.muted,
            hold: wire.hold,
            stretch: wire.stretch.map(stretch).transpose()?,
            sync: sync.transpose()?,
        });
    }
    let mut topic_covers = NumberMap::default();
    for (topic, cover) in wire.topic_covers {
        topic_covers.insert(name(topic)?, cover_in(cover));
    }
    let (entries, first_at, last_at) = wire.tally;
    let watching = Watching {
        watches,
        ended: wire
            .ended
            .into_iter()
            .map(stretch)
            .collect::<Result<_, _>>()?,
        last_proof: wire.last_proof,
        gaps: wire.gaps,
        open_gap: wire.open_gap.map(|(gap, from)| OpenGap { gap, from }),
    };
    let channel = Channel {
        roster,
        departed: departures.len(),
        departures,
        effective_at: wire.effective_at,
        effective_seq: wire.effective_seq,
        cover: wire.cover.map(cover_in),
        topic_covers,
        floor: wire.floor.map(stamp_in),
        lossy: wire.lossy,
        tally: Tally {
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
    state.channels.insert(channel_name, channel);
    Ok(channel_name)
}

/// Brings the tombstones of all channels into their common order, once every channel is there.
pub fn finish(state: &mut State) {
    let mut departures: Vec<(u64, Member)> = state
        .channels
        .values()
        .flat_map(|channel| channel.departures.iter().copied())
        .collect();
    // Those of one entry are of one channel, and stay in its order.
    departures.sort_by_key(|&(seq, _)| seq);
    state.departed = departures.len();
    state.departures = departures.into();
}
