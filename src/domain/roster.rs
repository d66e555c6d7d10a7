//! What is known of the members of a channel: which are present, which snapshots covered them, and which have left. What
//! is known of one member is in `slot`.
//!
//! Data and look-ups only: `apply` changes them, `decide` draws conclusions from them.

use super::names::{MemberId, NameId, NumberHash, NumberMap};
use super::order::{Order, Stamp};
use super::slot::{LastUpdate, Presence, Reporters, Slot};
use super::time::Millis;
use super::tombstones::Tombstones;
use super::watch::ChannelWatches;

/// A snapshot, as the last update of all members that it covered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotCover {
    /// The snapshot's entry.
    pub seq: u64,
    /// The newest line stamp of complete snapshots: a snapshot older than this is stale.
    pub line: Stamp,
    /// The moment that it shows; for a paged snapshot, its begin.
    pub of: (Stamp, Millis),
}

impl SnapshotCover {
    fn word(&self) -> LastUpdate {
        let (stamp, time) = self.of;
        LastUpdate {
            seq: self.seq,
            time,
            stamp,
            reporters: Reporters::NONE,
        }
    }
}

/// One channel: its members, and how it is watched.
#[derive(Debug, Clone)]
pub struct ChannelState {
    /// The present members, in no order.
    pub(crate) roster: Vec<MemberId>,
    pub(crate) departed: Tombstones,
    /// The last effective time; it never decreases.
    pub(crate) effective_at: Millis,
    /// The last change or snapshot, which has that effective time.
    pub(crate) effective_seq: u64,
    /// The last complete snapshot.
    pub(crate) cover: Option<SnapshotCover>,
    /// The last complete snapshot that its source listed: only a listed snapshot shows metadata.
    pub(crate) listed_cover: Option<SnapshotCover>,
    /// The last snapshot that was not stale: its entry, and the moment that it shows.
    pub(crate) spoken: Option<(u64, Millis)>,
    /// Topics that an incomplete snapshot has shown whole since the last complete one.
    pub(crate) topic_covers: NumberMap<NameId, SnapshotCover>,
    /// The newest stamp of the dropped tombstones.
    pub(crate) floor: Option<Stamp>,
    /// A source that can drop or reorder single events has reported about it.
    pub(crate) lossy: bool,
    pub(crate) tally: ChannelTally,
    pub(crate) watching: ChannelWatches,
}

/// A channel of which nothing is known.
pub(super) static UNKNOWN_CHANNEL: ChannelState = ChannelState::UNKNOWN;

impl Default for ChannelState {
    fn default() -> Self {
        ChannelState::UNKNOWN
    }
}

/// How many entries the log has about a channel, and when: what its `history` shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChannelTally {
    /// Entries.
    pub entries: u64,
    /// The effective time of the first.
    pub first_at: Millis,
    /// The effective time of the last.
    pub last_at: Millis,
}

impl ChannelTally {
    pub(crate) fn count(&mut self, effective_at: Millis) {
        if self.entries == 0 {
            self.first_at = effective_at;
        }
        self.entries += 1;
        self.last_at = effective_at;
    }
}

impl ChannelState {
    /// Nothing is known of it.
    const UNKNOWN: ChannelState = ChannelState {
        roster: Vec::new(),
        departed: Tombstones::NONE,
        effective_at: Millis::MIN,
        effective_seq: 0,
        cover: None,
        listed_cover: None,
        spoken: None,
        topic_covers: NumberMap::with_hasher(NumberHash::new()),
        floor: None,
        lossy: false,
        tally: ChannelTally {
            entries: 0,
            first_at: 0,
            last_at: 0,
        },
        watching: ChannelWatches::NONE,
    };

    /// How many entries the log has about it, and when.
    #[must_use]
    pub fn tally(&self) -> ChannelTally {
        self.tally
    }

    /// The present members, in no order.
    #[must_use]
    pub fn roster(&self) -> &[MemberId] {
        &self.roster
    }

    /// Whether the channel has had a complete snapshot.
    #[must_use]
    pub fn seen_whole(&self) -> bool {
        self.cover.is_some()
    }

    /// Whether a source that can drop or reorder single events has reported about it.
    #[must_use]
    pub fn is_lossy(&self) -> bool {
        self.lossy
    }

    /// The effective time of its last event; it never decreases.
    #[must_use]
    pub fn effective_at(&self) -> Millis {
        self.effective_at
    }

    /// Its last change or snapshot; 0 before the first.
    #[must_use]
    pub fn effective_seq(&self) -> u64 {
        self.effective_seq
    }

    /// How it is watched.
    #[must_use]
    pub fn watching(&self) -> &ChannelWatches {
        &self.watching
    }

    /// Whether the stamp of an unknown member is at or below the floor of the dropped tombstones.
    pub(crate) fn is_under_floor(&self, stamp: Stamp) -> bool {
        self.floor.is_some_and(|floor| {
            matches!(
                stamp.against(floor, 0),
                Order::Older | Order::SameMessage | Order::SameTime | Order::Forgiven
            )
        })
    }

    /// Records when a change or snapshot takes effect, and counts it.
    pub(crate) fn take_effect(&mut self, entry: &super::entry::Entry) {
        self.effective_at = self.effective_at.max(entry.effective_at);
        self.effective_seq = entry.seq;
        self.lossy |= entry.lossy;
        self.tally.count(entry.effective_at);
    }

    /// The update that last decided the metadata of a present member. A snapshot that was worked out from differences
    /// lists its members, but not their metadata.
    pub(crate) fn last_word_on_meta(&self, slot: &Slot) -> LastUpdate {
        let decides = |cover: &&SnapshotCover| cover.seq > slot.covered_after();
        match self.listed_cover.as_ref().filter(decides) {
            Some(cover) => cover.word().since(slot.last_update()),
            None => slot.last_update(),
        }
    }

    /// The update that last decided the state of a present member.
    pub(super) fn last_word_of_present(&self, slot: &Slot) -> LastUpdate {
        // Topic covers do not count here: applying one has already set the last update of each listed member.
        match self.cover.as_ref() {
            Some(cover) if cover.seq > slot.covered_after() => {
                cover.word().since(slot.last_update())
            }
            _ => slot.last_update(),
        }
    }

    /// The update that last decided the state of a member in `topic`.
    pub(crate) fn last_word(&self, topic: NameId, slot: &Slot) -> Option<LastUpdate> {
        let decides = |cover: &&SnapshotCover| cover.seq > slot.covered_after();
        match slot.presence {
            Presence::Present => Some(self.last_word_of_present(slot)),
            presence => {
                let whole = self.cover.as_ref();
                let cover = self.topic_covers.get(&topic).or(whole);
                match cover.filter(decides) {
                    Some(cover) if presence == Presence::Departed => {
                        Some(cover.word().since(slot.last_update()))
                    }
                    Some(cover) => Some(cover.word()),
                    None if presence == Presence::Departed => Some(slot.last_update()),
                    None => cover.map(|cover| cover.word()),
                }
            }
        }
    }
}
