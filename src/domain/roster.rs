//! What is known of the members of a channel: which are present, what last decided their state, and which have left.
//!
//! Data and look-ups only: `apply` changes them, `decide` draws conclusions from them.

use super::entry::Text;
use super::event::ChangeKind;
use super::names::{MemberId, NameId, NumberMap};
use super::order::{Order, Stamp};
use super::time::Millis;
use super::tombstones::Tombstones;

/// What last decided a member's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastUpdate {
    /// The entry that decided it.
    pub seq: u64,
    /// Its time: the member's own last proof.
    pub time: Millis,
    /// Its place in the source's order, as far as it counts.
    pub stamp: Stamp,
    /// The observers whose live events reported it.
    pub reporters: Reporters,
}

impl LastUpdate {
    /// This update, accepted after `before` ([`Stamp::since`]).
    #[must_use]
    pub fn since(mut self, before: LastUpdate) -> LastUpdate {
        self.stamp = self.stamp.since(before.stamp);
        self
    }
}

/// The observers that reported live events about a member at one source time, by kind of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reporters {
    pub(crate) by_kind: [u32; 3],
}

impl Reporters {
    /// No live event: a snapshot decided.
    pub const NONE: Reporters = Reporters {
        by_kind: [Self::NOBODY; 3],
    };
    const NOBODY: u32 = u32::MAX;
    const SEVERAL: u32 = u32::MAX - 1;

    /// This observer alone.
    #[must_use]
    pub fn only(kind: ChangeKind, observer: NameId) -> Reporters {
        Reporters::NONE.and(kind, observer)
    }

    /// These reporters and this observer.
    #[must_use]
    pub fn and(mut self, kind: ChangeKind, observer: NameId) -> Reporters {
        let [join, update, leave] = &mut self.by_kind;
        let by = match kind {
            ChangeKind::Join => join,
            ChangeKind::Update => update,
            ChangeKind::Leave => leave,
        };
        *by = if *by == Self::NOBODY || *by == observer.0 {
            observer.0
        } else {
            Self::SEVERAL
        };
        self
    }

    /// Whether any live event decided.
    #[must_use]
    pub fn is_live(self) -> bool {
        self != Self::NONE
    }

    /// Whether another observer has reported an event of this kind.
    #[must_use]
    pub fn by_other(self, kind: ChangeKind, observer: NameId) -> bool {
        let [join, update, leave] = self.by_kind;
        let by = match kind {
            ChangeKind::Join => join,
            ChangeKind::Update => update,
            ChangeKind::Leave => leave,
        };
        by != Self::NOBODY && by != observer.0
    }

    /// Whether this observer has reported an event of any kind.
    #[must_use]
    pub fn any_by(self, observer: NameId) -> bool {
        self.by_kind
            .iter()
            .any(|&by| by == observer.0 || by == Self::SEVERAL)
    }

    /// The observers that are stored by number: where a kind has exactly one.
    pub(super) fn observers_mut(&mut self) -> impl Iterator<Item = &mut u32> {
        let by_kind = self.by_kind.iter_mut();
        by_kind.filter(|by| **by < Self::SEVERAL)
    }

    /// Whether another observer has reported an event of any kind.
    #[must_use]
    pub fn any_by_other(self, observer: NameId) -> bool {
        self.by_kind
            .iter()
            .any(|&by| by != Self::NOBODY && by != observer.0)
    }
}

/// Whether a member is present.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Presence {
    /// Nothing is known of it but what snapshots show about all members.
    #[default]
    Unknown,
    /// It is present.
    Present,
    /// It has left, and has a tombstone.
    Departed,
}

/// What is known of one member.
#[derive(Debug, Clone)]
pub struct Slot {
    pub(crate) presence: Presence,
    /// Its index in the channel's roster while it is present.
    pub(crate) place: u32,
    pub(crate) last_update: LastUpdate,
    /// Snapshot covers up to this entry did not decide about it.
    pub(crate) held_at: u64,
    pub(crate) since: Millis,
    /// When it last joined, changed or left: at this moment or later. `None`: not known.
    pub(crate) changed_at: Option<Millis>,
    /// The entry that made its tombstone, while it has one.
    pub(crate) departed_at: u64,
    /// Whether that tombstone has a stamp.
    pub(crate) stamped: bool,
    pub(crate) meta: Option<Text>,
}

impl Default for Slot {
    fn default() -> Self {
        let word = LastUpdate {
            seq: 0,
            time: 0,
            stamp: Stamp::NONE,
            reporters: Reporters::NONE,
        };
        Slot {
            presence: Presence::Unknown,
            place: 0,
            last_update: word,
            held_at: 0,
            since: 0,
            changed_at: None,
            departed_at: 0,
            stamped: false,
            meta: None,
        }
    }
}

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
    pub(crate) watching: super::watch::ChannelWatches,
}

impl Default for ChannelState {
    fn default() -> Self {
        ChannelState {
            roster: Vec::new(),
            departed: Tombstones::default(),
            effective_at: Millis::MIN,
            effective_seq: 0,
            cover: None,
            listed_cover: None,
            spoken: None,
            topic_covers: NumberMap::default(),
            floor: None,
            lossy: false,
            tally: ChannelTally::default(),
            watching: super::watch::ChannelWatches::default(),
        }
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
    pub fn watching(&self) -> &super::watch::ChannelWatches {
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
        let decides = |cover: &&SnapshotCover| cover.seq > slot.last_update.seq.max(slot.held_at);
        match self.listed_cover.as_ref().filter(decides) {
            Some(cover) => cover.word().since(slot.last_update),
            None => slot.last_update,
        }
    }

    /// The update that last decided the state of a member in `topic`.
    pub(crate) fn last_word(&self, topic: NameId, slot: &Slot) -> Option<LastUpdate> {
        let decides = |cover: &&SnapshotCover| cover.seq > slot.last_update.seq.max(slot.held_at);
        match slot.presence {
            // Topic covers do not count here: applying one has already set the last update of each listed member.
            Presence::Present => Some(match self.cover.as_ref().filter(decides) {
                Some(cover) => cover.word().since(slot.last_update),
                None => slot.last_update,
            }),
            presence => {
                let whole = self.cover.as_ref();
                let cover = self.topic_covers.get(&topic).or(whole);
                match cover.filter(decides) {
                    Some(cover) if presence == Presence::Departed => {
                        Some(cover.word().since(slot.last_update))
                    }
                    Some(cover) => Some(cover.word()),
                    None if presence == Presence::Departed => Some(slot.last_update),
                    None => cover.map(|cover| cover.word()),
                }
            }
        }
    }
}
