//! What is known of one member: whether it is present, and what last decided that. Data and look-ups only.

use super::entry::Text;
use super::event::ChangeKind;
use super::names::{MemberId, NameId};
use super::order::Stamp;
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
#[derive(Debug, Clone)]
pub struct Slot {
    pub(crate) presence: Presence,
    /// Its index in the channel's roster while it is present.
    pub(crate) place: u32,
    pub(crate) last_update: LastUpdate,
    /// Snapshots up to this entry do not count as an update of this member.
    pub(crate) held_at: u64,
    pub(crate) since: Millis,
    /// The earliest possible time of its last join, change or leave. `None`: not known.
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

/// The slot of a member, created if there is none.
pub(super) fn slot_mut(slots: &mut Vec<Slot>, member: MemberId) -> &mut Slot {
    let at = member.0 as usize;
    if at >= slots.len() {
        slots.resize_with(at + 1, Slot::default);
    }
    #[allow(clippy::indexing_slicing)] // grown just above
    &mut slots[at]
}
