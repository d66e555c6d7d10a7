//! What is known of one member: whether it is present, and what last decided that. Data and look-ups only.

use super::entry::Text;
use super::event::ChangeKind;
use super::names::NameId;
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
///
/// Deciding about a member mostly waits for its slot to come from memory, and most members have left. So a slot is one
/// cache line, and what few members have lies elsewhere.
#[derive(Debug, Clone)]
#[repr(align(64))]
pub struct Slot {
    pub(crate) meta: Option<Text>,
    mark: PresenceMark,
    /// The entry and the time of the last update.
    seq: u64,
    time: Millis,
    /// If it is there, it counts, and not the fields below that say the same.
    rare: Option<Box<RareFacts>>,
    /// Its index in the channel's roster while it is present.
    pub(crate) place: u32,
    /// How long after `time` the earliest possible time of its last change is, ms.
    changed: i32,
    reporter: u32,
    kinds: ReporterKinds,
    /// Which of the optional values it has.
    has: u8,
    stamped: bool,
    pub(crate) presence: Presence,
}

/// The last update has a source time, which is `time`.
const HAS_TS: u8 = 1;
/// `changed` is known.
const HAS_CHANGED: u8 = 2;

/// Of a present member, the effective time of its join. Of one that has left, the entry that made its tombstone.
type PresenceMark = u64;

/// What a slot has no room for. Most members have no position, a source time that is that of the update, and a change
/// soon before it; and one observer reports about them.
#[derive(Debug, Clone)]
struct RareFacts {
    stamp: Stamp,
    reporters: Reporters,
    changed_at: Option<Millis>,
    held_at: u64,
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
        meta: None,
        mark: 0,
        seq: 0,
        time: 0,
        rare: None,
        place: 0,
        changed: 0,
        reporter: Reporters::NOBODY,
        kinds: 0,
        has: 0,
        stamped: false,
        presence: Presence::Unknown,
    };

    /// What last decided its state.
    pub(crate) fn last_update(&self) -> LastUpdate {
        let (stamp, reporters) = match self.rare.as_deref() {
            Some(rare) => (rare.stamp, rare.reporters),
            None => {
                let ts = (self.has & HAS_TS != 0).then_some(self.time);
                let reporters = Reporters::unpacked(self.reporter, self.kinds);
                (Stamp { pos: None, ts }, reporters)
            }
        };
        LastUpdate {
            seq: self.seq,
            time: self.time,
            stamp,
            reporters,
        }
    }

    pub(crate) fn set_last_update(&mut self, update: LastUpdate) {
        self.set(update, self.changed_at(), self.held_at());
    }

    /// The earliest possible time of its last join, change or leave. `None`: not known.
    pub(crate) fn changed_at(&self) -> Option<Millis> {
        match self.rare.as_deref() {
            Some(rare) => rare.changed_at,
            None => {
                let at = self.time.wrapping_add(i64::from(self.changed));
                (self.has & HAS_CHANGED != 0).then_some(at)
            }
        }
    }

    pub(crate) fn set_changed_at(&mut self, at: Option<Millis>) {
        self.set_last_change(self.last_update(), at);
    }

    /// Both at once, for an update that is a change.
    pub(crate) fn set_last_change(&mut self, update: LastUpdate, changed_at: Option<Millis>) {
        self.set(update, changed_at, self.held_at());
    }

    /// Snapshots up to this entry do not count as an update of this member.
    pub(crate) fn held_at(&self) -> u64 {
        self.rare.as_deref().map_or(0, |rare| rare.held_at)
    }

    pub(crate) fn set_held_at(&mut self, seq: u64) {
        self.set(self.last_update(), self.changed_at(), seq);
    }

    fn set(&mut self, update: LastUpdate, changed_at: Option<Millis>, held_at: u64) {
        let LastUpdate {
            seq,
            time,
            stamp,
            reporters,
        } = update;
        (self.seq, self.time) = (seq, time);
        let is_plain = stamp.pos.is_none() && stamp.ts.is_none_or(|ts| ts == time) && held_at == 0;
        let changed = changed_at.unwrap_or(time).checked_sub(time);
        let changed = changed.and_then(|step| i32::try_from(step).ok());
        if is_plain
            && let Some(changed) = changed
            && let Some((reporter, kinds)) = reporters.packed()
        {
            let has = |known: bool, bit: u8| if known { bit } else { 0 };
            self.has = has(stamp.ts.is_some(), HAS_TS) | has(changed_at.is_some(), HAS_CHANGED);
            (self.changed, self.rare) = (changed, None);
            (self.reporter, self.kinds) = (reporter, kinds);
            return;
        }
        let rare = RareFacts {
            stamp,
            reporters,
            changed_at,
            held_at,
        };
        match self.rare.as_deref_mut() {
            Some(known) => *known = rare,
            None => self.rare = Some(Box::new(rare)),
        }
    }

    /// The effective time of the join of a present member.
    pub(crate) fn since(&self) -> Option<Millis> {
        (self.presence == Presence::Present).then_some(self.mark as Millis)
    }

    /// It is present since this moment.
    pub(crate) fn join(&mut self, since: Millis) {
        (self.presence, self.mark) = (Presence::Present, since as u64);
    }

    /// The entry that made its tombstone, while it has one.
    pub(crate) fn departed_at(&self) -> Option<u64> {
        (self.presence == Presence::Departed).then_some(self.mark)
    }

    /// Whether its tombstone has a stamp.
    pub(crate) fn is_stamped(&self) -> bool {
        self.stamped
    }

    /// It gets a tombstone from this entry.
    pub(crate) fn depart(&mut self, seq: u64, stamped: bool) {
        (self.presence, self.mark, self.stamped) = (Presence::Departed, seq, stamped);
    }

    /// Only snapshots after this entry count as an update of it.
    pub(super) fn covered_after(&self) -> u64 {
        self.seq.max(self.held_at())
    }
}

/// For each kind of change two bits: nobody, the one reporter, or several.
type ReporterKinds = u8;

impl Reporters {
    /// The one observer among them, and for which kinds; `None` if there are several such.
    fn packed(self) -> Option<(u32, ReporterKinds)> {
        let (mut reporter, mut kinds) = (Self::NOBODY, 0);
        for by in self.by_kind {
            let kind = match by {
                Self::NOBODY => 0,
                Self::SEVERAL => 2,
                _ if reporter == Self::NOBODY || reporter == by => {
                    reporter = by;
                    1
                }
                _ => return None,
            };
            kinds = kinds << 2 | kind;
        }
        Some((reporter, kinds))
    }

    fn unpacked(reporter: u32, kinds: ReporterKinds) -> Reporters {
        let by_kind = [kinds >> 4, kinds >> 2, kinds].map(|kind| match kind & 3 {
            0 => Self::NOBODY,
            1 => reporter,
            _ => Self::SEVERAL,
        });
        Reporters { by_kind }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_one_cache_line() {
        assert_eq!(size_of::<Slot>(), 64);
    }

    #[test]
    fn a_slot_keeps_what_it_is_given() {
        let kinds = [Reporters::NOBODY, Reporters::SEVERAL, 0, 7];
        let by_kinds = kinds.into_iter().flat_map(|join| {
            let of_join = kinds.into_iter().map(move |leave| [join, 7, leave]);
            of_join.chain([[join, Reporters::NOBODY, Reporters::NOBODY]])
        });
        let moments = [
            None,
            Some(0),
            Some(-1),
            Some(5),
            Some(i64::MIN),
            Some(i64::MAX),
        ];
        let mut slot = Slot::default();
        for by_kind in by_kinds {
            for (time, ts) in moments.iter().flat_map(|&ts| [(5, ts), (i64::MAX, ts)]) {
                for (pos, changed_at) in moments
                    .iter()
                    .flat_map(|&at| [(None, at), (Some([1, 2]), at)])
                {
                    let update = LastUpdate {
                        seq: 3,
                        time,
                        stamp: Stamp { pos, ts },
                        reporters: Reporters { by_kind },
                    };
                    for held_at in [0, 9] {
                        slot.set_last_update(update);
                        slot.set_changed_at(changed_at);
                        slot.set_held_at(held_at);
                        assert_eq!(slot.last_update(), update);
                        assert_eq!((slot.changed_at(), slot.held_at()), (changed_at, held_at));
                    }
                }
            }
        }
    }
}
