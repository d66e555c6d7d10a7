//! The intervals of a series: of equal length, or local days and parts of them.

use super::calendar::{DAY_MS, Zone};
use super::intervals::TimeInterval;
use crate::domain::time::Millis;

/// Which intervals are asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Series {
    /// The length of each; `None`: one interval for the whole time.
    pub every: Option<Millis>,
    /// Intervals are local days of this zone, or parts of one.
    pub zone: Option<Zone>,
    /// The time asked for.
    pub asked: TimeInterval,
}

impl Series {
    /// The interval around a moment, without what was not asked for.
    pub fn around(&self, at: Millis) -> TimeInterval {
        let whole = match (self.every.map(|every| every.max(1)), self.zone) {
            (None, _) => TimeInterval::ALL,
            (Some(every), Some(zone)) if every % DAY_MS == 0 => {
                let days = every / DAY_MS;
                TimeInterval::new(zone.days_begin(at, days), zone.days_end(at, days))
            }
            (Some(every), Some(zone)) if every < DAY_MS => {
                // Parts are counted from midnight; a day of 23 or 25 hours ends with another part than usual.
                let day = TimeInterval::new(zone.days_begin(at, 1), zone.days_end(at, 1));
                equal(at, day.from, every).within(day)
            }
            (Some(every), _) => equal(at, self.asked.begin().unwrap_or(0), every),
        };
        whole.within(self.asked)
    }

    /// The begin of the first interval at or behind a moment.
    pub fn first_begin(&self, least: Millis) -> Millis {
        let around = self.around(least);
        if self.every.is_none() || around.from >= least {
            return least;
        }
        around.to
    }

    /// The intervals that a time touches, in order.
    pub fn over(self, time: TimeInterval) -> impl Iterator<Item = TimeInterval> {
        let first = Some(self.around(time.from.max(self.asked.from)));
        std::iter::successors(first, move |before| {
            let more = before.to < time.to && before.to < self.asked.to;
            let next = more.then(|| self.around(before.to));
            // At the end of time no day comes after another.
            next.filter(|next| next.to > before.to)
        })
    }
}

/// The interval around a moment, if intervals of equal length are counted from `base` on.
fn equal(at: Millis, base: Millis, every: Millis) -> TimeInterval {
    let steps = at.saturating_sub(base).div_euclid(every);
    let from = steps.saturating_mul(every).saturating_add(base);
    TimeInterval::new(from, from.saturating_add(every))
}
