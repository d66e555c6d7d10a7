//! What is known of one member: whether it is present, and what last decided that. Data and look-ups only.

use super::entry::Text;
use super::event::ChangeKind;
use super::names::NameId;
use super::order::{Pos, Stamp};
use super::time::Millis;

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

    /// The observers that are stored by number. One is only if it alone reported changes of that kind.
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
    /// Only snapshots of the whole channel say anything about it.
    #[default]
    Unknown,
    /// It is present.
    Present,
    /// It has left, and has a tombstone.
    Departed,
}

/// What is known of one member.
///
/// Deciding about a member mostly waits for its slot to come from memory. So the slot is small: a flag and a plain value
/// for each optional one. And it is aligned: it lies in two cache lines that the processor fetches together.
#[derive(Debug, Clone)]
#[repr(align(128))]
pub struct Slot {
    pub(crate) presence: Presence,
    /// Its index in the channel's roster while it is present.
    pub(crate) place: u32,
    /// Snapshots up to this entry do not count as an update of this member.
    pub(crate) held_at: u64,
    pub(crate) since: Millis,
    /// The entry that made its tombstone, while it has one.
    pub(crate) departed_at: u64,
    /// Whether that tombstone has a stamp.
    pub(crate) stamped: bool,
    pub(crate) meta: Option<Text>,
    /// These are the last update.
    seq: u64,
    time: Millis,
    pos: Pos,
    has_pos: bool,
    ts: Millis,
    has_ts: bool,
    pub(super) reporters: Reporters,
    changed_at: Millis,
    has_changed: bool,
}

/// The slot of a member of which nothing is known.
pub(super) static UNKNOWN_MEMBER: Slot = Slot::UNKNOWN;

impl Default for Slot {
    fn default() -> Self {
        Slot::UNKNOWN
    }
}

impl Slot {
    const UNKNOWN: Slot = Slot {
        presence: Presence::Unknown,
        place: 0,
        held_at: 0,
        since: 0,
        departed_at: 0,
        stamped: false,
        meta: None,
        seq: 0,
        time: 0,
        pos: [0; 2],
        has_pos: false,
        ts: 0,
        has_ts: false,
        reporters: Reporters::NONE,
        changed_at: 0,
        has_changed: false,
    };

    /// What last decided its state.
    pub(crate) fn last_update(&self) -> LastUpdate {
        LastUpdate {
            seq: self.seq,
            time: self.time,
            stamp: Stamp {
                pos: self.has_pos.then_some(self.pos),
                ts: self.has_ts.then_some(self.ts),
            },
            reporters: self.reporters,
        }
    }

    pub(crate) fn set_last_update(&mut self, update: LastUpdate) {
        let LastUpdate {
            seq,
            time,
            stamp,
            reporters,
        } = update;
        (self.seq, self.time, self.reporters) = (seq, time, reporters);
        (self.has_pos, self.pos) = (stamp.pos.is_some(), stamp.pos.unwrap_or_default());
        (self.has_ts, self.ts) = (stamp.ts.is_some(), stamp.ts.unwrap_or_default());
    }

    /// The earliest possible time of its last join, change or leave. `None`: not known.
    pub(crate) fn changed_at(&self) -> Option<Millis> {
        self.has_changed.then_some(self.changed_at)
    }

    pub(crate) fn set_changed_at(&mut self, at: Option<Millis>) {
        (self.has_changed, self.changed_at) = (at.is_some(), at.unwrap_or_default());
    }

    /// Only snapshots after this entry count as an update of it.
    pub(super) fn covered_after(&self) -> u64 {
        self.seq.max(self.held_at)
    }
}
