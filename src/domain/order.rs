//! Which of two reports about a member is newer: by the source's own positions, else by its times, else unknown.

use super::time::Millis;

/// The source's own order: `[serial, index]`.
pub type Pos = [i64; 2];

/// The place of a message in its source's order, as reported. Both parts may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stamp {
    /// The source's own position.
    pub pos: Option<Pos>,
    /// The source's time, Unix ms.
    pub ts: Option<Millis>,
}

impl Stamp {
    /// No position and no time.
    pub const NONE: Stamp = Stamp {
        pos: None,
        ts: None,
    };

    /// This stamp, with missing parts taken from `line`: a member's own `pos` does not displace the line's `ts`.
    #[must_use]
    pub fn or(self, line: Stamp) -> Stamp {
        Stamp {
            pos: self.pos.or(line.pos),
            ts: self.ts.or(line.ts),
        }
    }

    /// This stamp, accepted though it may be a little older than `before`. Forgiven lateness must not add up: where
    /// times decide, the newer of both times is kept.
    #[must_use]
    pub fn since(self, before: Stamp) -> Stamp {
        let by_time = self.pos.is_none() || before.pos.is_none();
        let ts = if by_time && self.ts.is_some() {
            self.ts.max(before.ts)
        } else {
            self.ts
        };
        Stamp { ts, ..self }
    }

    /// Whether both have a source time, and it is the same.
    #[must_use]
    pub fn is_at_time_of(self, other: Stamp) -> bool {
        self.ts.is_some() && self.ts == other.ts
    }

    /// Whether both parts are missing.
    #[must_use]
    pub fn is_none(self) -> bool {
        self == Stamp::NONE
    }

    /// Compares the stamp of a newcomer with the stamp `known`.
    /// Up to `tolerance_ms` of lateness counts as the same time.
    #[must_use]
    pub fn against(self, known: Stamp, tolerance_ms: i64) -> Order {
        use std::cmp::Ordering::{Equal, Greater, Less};
        if let (Some(new), Some(old)) = (self.pos, known.pos) {
            return match new.cmp(&old) {
                Less => Order::Older,
                Equal => Order::SameMessage,
                Greater => Order::Newer,
            };
        }
        if let (Some(new), Some(old)) = (self.ts, known.ts) {
            return match new.cmp(&old) {
                Equal => Order::SameTime,
                Greater => Order::Newer,
                Less if new.saturating_add(tolerance_ms) >= old => Order::Forgiven,
                Less => Order::Older,
            };
        }
        Order::Unknown
    }
}

/// The outcome of [`Stamp::against`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The newcomer is older: it is stale.
    Older,
    /// The same position: the same message again.
    SameMessage,
    /// The same source time: the newcomer wins.
    SameTime,
    /// Older, but within the tolerance: the newcomer wins.
    Forgiven,
    /// The newcomer is newer.
    Newer,
    /// Nothing to compare: the newcomer wins.
    Unknown,
}

impl Order {
    /// Whether the newcomer is provably newer.
    #[must_use]
    pub fn is_newer(self) -> bool {
        self == Order::Newer
    }
}
