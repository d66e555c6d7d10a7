//! The parts of a checkpoint as stored among the key values.

use crate::domain::order::Pos;
use bincode::{Decode, Encode};

/// The entry of a message, and the latest time so far.
pub(super) type ProofWire = (u64, i64);

/// A channel of an observer: its name, whether it has a link of its own, the last message about it.
pub(super) type ObservedWire = (u32, bool, Option<ProofWire>);

/// The part of a checkpoint that belongs to no channel.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(super) struct RootWire {
    pub(super) head: u64,
    pub(super) recorded_at: i64,
    pub(super) names: Vec<String>,
    pub(super) observers: Vec<ObserverWire>,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(super) struct ObserverWire {
    pub(super) name: u32,
    pub(super) channels: Vec<ObservedWire>,
    pub(super) linked: bool,
    pub(super) up_at: Option<u64>,
    pub(super) proof: Option<ProofWire>,
    /// The entry at which the connection came up, the time of that, and whether the connection is lost.
    pub(super) connection: Option<(u64, i64, bool)>,
}

#[derive(Debug, Encode, Decode)]
pub(super) struct ChannelWire {
    pub(super) names: Vec<String>,
    pub(super) members: Vec<[u32; 3]>,
    pub(super) channel: u32,
    pub(super) present: Vec<SlotWire>,
    pub(super) departed: Vec<SlotWire>,
    pub(super) effective_at: i64,
    pub(super) cover: Option<CoverWire>,
    pub(super) listed_cover: Option<CoverWire>,
    pub(super) spoken: Option<(u64, i64)>,
    pub(super) topic_covers: Vec<(u32, CoverWire)>,
    pub(super) floor: Option<StampWire>,
    pub(super) lossy: bool,
    pub(super) tally: (u64, i64, i64),
    pub(super) watches: Vec<WatchWire>,
    pub(super) ended: Vec<StretchWire>,
    pub(super) last_proof: Option<i64>,
    pub(super) heard_at: Option<i64>,
    pub(super) gaps: u32,
    pub(super) open_gap: Option<(u32, i64)>,
    pub(super) effective_seq: u64,
}

pub(super) type StampWire = (Option<Pos>, Option<i64>);

#[derive(Debug, Encode, Decode)]
pub(super) struct SlotWire {
    pub(super) member: u32,
    pub(super) seq: u64,
    pub(super) time: i64,
    pub(super) stamp: StampWire,
    pub(super) heard: [u32; 3],
    pub(super) held_at: u64,
    pub(super) since: i64,
    pub(super) changed_at: Option<i64>,
    pub(super) departed_at: u64,
    pub(super) stamped: bool,
    pub(super) meta: Option<String>,
}

#[derive(Debug, Encode, Decode)]
pub(super) struct CoverWire {
    pub(super) seq: u64,
    pub(super) line: StampWire,
    pub(super) of: (StampWire, i64),
}

#[derive(Debug, Encode, Decode)]
pub(super) struct WatchWire {
    pub(super) observer: u32,
    pub(super) since_seq: u64,
    pub(super) up: bool,
    pub(super) given: bool,
    pub(super) muted: bool,
    pub(super) hold: Option<u64>,
    pub(super) stretch: Option<StretchWire>,
    pub(super) sync: Option<SyncWire>,
    /// The entry, the last proof, the number of gaps before it.
    pub(super) lost: Option<(u64, Option<i64>, u32)>,
    pub(super) own_list: Option<OwnListWire>,
    pub(super) collecting: Option<CollectingWire>,
}

#[derive(Debug, Encode, Decode)]
pub(super) struct OwnListWire {
    pub(super) self_user: Option<u32>,
    pub(super) resynced_at: Option<i64>,
    pub(super) differs: Vec<u32>,
}

#[derive(Debug, Encode, Decode)]
pub(super) struct CollectingWire {
    pub(super) up_at: i64,
    pub(super) first_at: Option<i64>,
    pub(super) latest_at: Option<i64>,
    pub(super) members: Vec<CollectedWire>,
}

#[derive(Debug, Encode, Decode)]
pub(super) struct CollectedWire {
    pub(super) member: u32,
    pub(super) present: bool,
    pub(super) meta: Option<String>,
    pub(super) stamp: StampWire,
    pub(super) at: i64,
}

#[derive(Debug, Encode, Decode)]
pub(super) struct StretchWire {
    pub(super) observer: u32,
    pub(super) since: i64,
    pub(super) from_seq: u64,
    pub(super) to_seq: u64,
    pub(super) proof: Option<i64>,
}

#[derive(Debug, Encode, Decode)]
pub(super) struct SyncWire {
    pub(super) name: String,
    pub(super) begin: (StampWire, i64),
    pub(super) self_user: Option<u32>,
    pub(super) incomplete: bool,
    pub(super) id: Option<String>,
    pub(super) head: u64,
    pub(super) proofs: Vec<StretchWire>,
    pub(super) channel_proof: Option<i64>,
    pub(super) topics: Vec<u32>,
    pub(super) members: Vec<(u32, Option<String>, StampWire)>,
    pub(super) collected: Vec<CollectedWire>,
}

/// From this number on, values in [`SlotWire::heard`] are marks (no observer, several observers), which are kept as
/// they are.
pub(super) const MARKS_FROM: u32 = u32::MAX - 1;
