//! The presence of people in intervals: first in, last out, how often, how long at least and at most. A fold over
//! [united](super::united) stays. Two questions share it: figures of users, whose intervals are those of a series, and
//! attendance, whose intervals are those of a schedule.
//!
//! It remembers each person, and of each the pieces of time in which the person was there, those that touch as one:
//! 16 bytes each, and as much again only for those that are not exact.

use super::answer::{PresenceFigures, Time};
use super::intervals::{IntervalSet, TimeInterval};
use super::united::{UnitedStay, UserPlace};
use crate::domain::time::Millis;
use std::collections::BTreeMap;

/// The people so far.
#[derive(Default)]
pub(super) struct People {
    each: BTreeMap<UserPlace, PersonPresence>,
    lines: usize,
}

/// What is known of one.
#[derive(Default)]
pub(super) struct PersonPresence {
    visits: BTreeMap<TimeInterval, Visits>,
    /// When the person was surely there.
    sure: IntervalSet,
    /// When the person was there at most; while stays are added, only where that is not the same.
    most: IntervalSet,
}

/// The stays of a person in an interval.
#[derive(Debug, Clone, Copy, Default)]
struct Visits {
    count: u64,
    first_in: Option<Millis>,
    first_in_not_before: Option<Millis>,
    last_out: Option<Millis>,
    last_out_not_before: Option<Millis>,
    /// The person is still there where the log ends.
    goes_on: bool,
}

impl Visits {
    /// Adds a stay. Stays of a person come in the order of their begins.
    fn add(&mut self, stay: &UnitedStay, interval: TimeInterval) {
        self.count += 1;
        let begin = stay.present.from;
        if self.first_in.is_none_or(|first| begin < first) {
            self.first_in = Some(begin.max(interval.from));
            let window = stay.joined_not_before.filter(|_| begin >= interval.from);
            self.first_in_not_before = window.map(|at| at.max(interval.from));
        }
        let end = stay.present.to;
        if self.last_out.is_none_or(|last| end >= last) {
            let cut = end >= interval.to;
            self.goes_on = stay.leave.is_none() && !cut;
            self.last_out = Some(end.min(interval.to));
            let window = stay.left_not_before.filter(|_| end <= interval.to);
            self.last_out_not_before = window.map(|at| at.max(interval.from));
        }
    }
}

impl People {
    /// Adds a stay. `intervals` are those that it may touch.
    pub fn add(&mut self, stay: UnitedStay, intervals: impl IntoIterator<Item = TimeInterval>) {
        let parts: Vec<TimeInterval> = stay.most.within(TimeInterval::ALL).collect();
        // Of a lossy source nobody can say when somebody was not there: a line for everybody would say nothing.
        let possible = |interval: &TimeInterval| {
            !stay.lossy && parts.iter().any(|part| !part.within(*interval).is_empty())
        };
        let touched: Vec<TimeInterval> = intervals
            .into_iter()
            .filter(|interval| stay.present.touches(*interval) || possible(interval))
            .collect();
        if touched.is_empty() {
            return;
        }
        let person = self.each.entry(stay.place.clone()).or_default();
        for interval in touched {
            let visits = person.visits.entry(interval).or_insert_with(|| {
                self.lines += 1;
                Visits::default()
            });
            if stay.present.touches(interval) {
                visits.add(&stay, interval);
            }
            // Only what lies inside an interval is ever asked for.
            let sure = stay.sure.within(interval);
            sure.for_each(|part| person.sure.insert(part));
            if stay.most != stay.sure {
                let most = stay.most.within(interval);
                most.for_each(|part| person.most.insert(part));
            }
        }
    }

    /// How many lines there are.
    pub fn lines(&self) -> usize {
        self.lines
    }

    /// Each person, in bytewise order.
    pub fn each(self) -> impl Iterator<Item = (UserPlace, PersonPresence)> {
        self.each.into_iter().map(|(place, mut person)| {
            person.most.extend(&person.sure);
            (place, person)
        })
    }
}

impl PersonPresence {
    /// The intervals of which there is something to say, in order.
    pub fn intervals(&self) -> impl Iterator<Item = TimeInterval> {
        self.visits.keys().copied()
    }

    /// The figures of an interval.
    pub fn figures(&self, interval: TimeInterval) -> PresenceFigures {
        let visits = self.visits.get(&interval).copied().unwrap_or_default();
        let sure = self.sure.length_within(interval).unwrap_or_default();
        PresenceFigures {
            first_in: visits.first_in.map(Time),
            first_in_not_before: visits.first_in_not_before.map(Time),
            last_out: visits.last_out.filter(|_| !visits.goes_on).map(Time),
            last_out_not_before: visits.last_out_not_before.map(Time),
            stays: visits.count,
            min_ms: sure,
            max_ms: self.most.length_within(interval),
        }
    }

    /// Whether the person is still there where the log ends, before the interval does.
    pub fn goes_on(&self, interval: TimeInterval) -> bool {
        self.visits
            .get(&interval)
            .is_some_and(|visits| visits.goes_on)
    }

    /// When the person was surely there.
    pub fn sure(&self) -> &IntervalSet {
        &self.sure
    }

    /// When the person was there at most.
    pub fn most(&self) -> &IntervalSet {
        &self.most
    }
}
