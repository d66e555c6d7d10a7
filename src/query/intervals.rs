//! Intervals of time, and sets of them: what a union of stays is made of. Pure.

use crate::domain::time::Millis;

/// The time from a moment up to, and not including, another. `Millis::MIN` and `Millis::MAX` are no moments: nobody
/// knows where it begins or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TimeInterval {
    pub from: Millis,
    pub to: Millis,
}

impl TimeInterval {
    /// All time.
    pub const ALL: TimeInterval = TimeInterval {
        from: Millis::MIN,
        to: Millis::MAX,
    };

    /// From a moment to another; empty where that is not a later one.
    pub fn new(from: Millis, to: Millis) -> TimeInterval {
        let to = to.max(from);
        TimeInterval { from, to }
    }

    /// Between two bounds, of which each may be missing.
    pub fn between(from: Option<Millis>, to: Option<Millis>) -> TimeInterval {
        TimeInterval::new(from.unwrap_or(Millis::MIN), to.unwrap_or(Millis::MAX))
    }

    pub fn is_empty(self) -> bool {
        self.from >= self.to
    }

    /// The part inside another one.
    pub fn within(self, other: TimeInterval) -> TimeInterval {
        TimeInterval::new(self.from.max(other.from), self.to.min(other.to))
    }

    /// The smallest interval around both; of the other one an empty one adds nothing.
    pub fn hull(self, other: TimeInterval) -> TimeInterval {
        if other.is_empty() {
            return self;
        }
        TimeInterval::new(self.from.min(other.from), self.to.max(other.to))
    }

    /// Its length, ms; `None` if nobody knows where it begins or ends.
    pub fn length(self) -> Option<Millis> {
        let bounded = self.from > Millis::MIN && self.to < Millis::MAX;
        (bounded || self.is_empty()).then(|| self.to.saturating_sub(self.from))
    }

    /// Whether somebody who was there in this time was there in another. Who came and went at one moment was there.
    pub fn touches(self, other: TimeInterval) -> bool {
        self.from < other.to && (self.to > other.from || self.from >= other.from)
    }

    /// The moment where it begins; `None` if nobody knows.
    pub fn begin(self) -> Option<Millis> {
        (self.from > Millis::MIN).then_some(self.from)
    }

    /// The moment where it ends; `None` if nobody knows.
    pub fn end(self) -> Option<Millis> {
        (self.to < Millis::MAX).then_some(self.to)
    }
}

/// Intervals that neither overlap nor touch, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct IntervalSet(Vec<TimeInterval>);

impl IntervalSet {
    /// Adds an interval; those that it overlaps or touches become one with it. Later ones cost least.
    pub fn insert(&mut self, added: TimeInterval) {
        if added.is_empty() {
            return;
        }
        let first = self.0.partition_point(|part| part.to < added.from);
        let behind = self.0.partition_point(|part| part.from <= added.to);
        let merged = self.0.get(first..behind).unwrap_or_default();
        let merged = merged.iter().fold(added, |whole, part| whole.hull(*part));
        self.0.splice(first..behind.max(first), [merged]);
    }

    /// Adds all intervals of another set.
    pub fn extend(&mut self, other: &IntervalSet) {
        other.0.iter().for_each(|part| self.insert(*part));
    }

    /// Its parts inside an interval, in order.
    pub fn within(&self, bounds: TimeInterval) -> impl DoubleEndedIterator<Item = TimeInterval> {
        let first = self.0.partition_point(|part| part.to <= bounds.from);
        let behind = self.0.partition_point(|part| part.from < bounds.to);
        let parts = self.0.get(first..behind.max(first)).unwrap_or_default();
        parts.iter().map(move |part| part.within(bounds))
    }

    /// The length of all its parts inside an interval, ms; `None` if nobody knows where one begins or ends.
    pub fn length_within(&self, bounds: TimeInterval) -> Option<Millis> {
        let mut lengths = self.within(bounds).map(TimeInterval::length);
        lengths.try_fold(0, |sum: Millis, length| Some(sum.saturating_add(length?)))
    }
}
