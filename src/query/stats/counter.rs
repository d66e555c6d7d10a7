//! Counts one channel or topic through time, interval by interval. Which changes are counted is decided in `stats`.

use super::filter::StatsFilter;
use crate::domain::event::ChangeKind;
use crate::domain::names::{NameId, NumberMap};
use crate::domain::time::Millis;
use crate::limits::STATS_BUCKETS_MAX;
use crate::query::answer::{Peak, Stats, Time};
use crate::store::StoreError;

/// The figures of one interval.
#[derive(Debug, Clone, Default)]
struct IntervalFigures {
    users: u64,
    /// The users present at the interval's start have been counted.
    seeded: bool,
    joins: u64,
    leaves: u64,
    inferred_joins: u64,
    inferred_leaves: u64,
    peak: Option<(u64, Millis)>,
    presence_ms: Millis,
}

/// A change that is counted.
pub(super) struct CountedChange {
    pub at: Millis,
    pub user: NameId,
    pub kind: ChangeKind,
    pub is_inferred: bool,
}

/// What is known of a user.
#[derive(Debug, Clone, Copy, Default)]
struct CountedUser {
    /// The stays that go on.
    stays: u32,
    /// The user counts in the current interval.
    counted: bool,
}

/// Counts one channel or topic through time.
pub(super) struct Counter {
    /// The start and the end of the current interval.
    from: Millis,
    to: Millis,
    figures: IntervalFigures,
    done: Vec<(Millis, Millis, IntervalFigures)>,
    /// The users who are present, or were in the current interval.
    users: NumberMap<NameId, CountedUser>,
    count: u64,
    /// The moment of the last change; the time after it has not been counted yet.
    at: Millis,
    /// What was asked for begins before this, and is retained from it on only.
    retained: Option<Millis>,
}

impl Counter {
    pub fn new(filter: &StatsFilter, first_at: Millis, retained: Option<Millis>) -> Counter {
        let series = filter.series();
        let asked = match (filter.from, filter.every_ms) {
            (Some(from), _) => from,
            (None, Some(_)) => series.around(first_at).from,
            (None, None) => first_at,
        };
        let missing = filter
            .from
            .is_none_or(|from| retained.is_some_and(|least| from < least));
        let retained = retained.filter(|_| missing);
        let from = retained.map_or(asked, |least| series.first_begin(least));
        let to = stretch_end(from, filter);
        let (figures, users, done) = Default::default();
        Counter {
            from,
            to,
            figures,
            done,
            users,
            count: 0,
            at: Millis::MIN,
            retained,
        }
    }

    /// A stay that had begun before anything is counted.
    pub fn begin_with(&mut self, user: NameId) {
        self.count += 1;
        self.users.entry(user).or_default().stays += 1;
    }

    pub fn take(&mut self, change: &CountedChange, filter: &StatsFilter) -> Result<(), StoreError> {
        let CountedChange {
            at,
            user,
            kind,
            is_inferred,
        } = *change;
        if at > self.at {
            self.pass_to(at, filter)?;
        }
        let within = at >= self.from && at < self.to;
        let figures = &mut self.figures;
        match kind {
            ChangeKind::Join => {
                self.count += 1;
                let user = self.users.entry(user).or_default();
                user.stays += 1;
                if within {
                    figures.users += u64::from(!user.counted);
                    user.counted = true;
                    *if is_inferred {
                        &mut figures.inferred_joins
                    } else {
                        &mut figures.joins
                    } += 1;
                }
            }
            ChangeKind::Leave => {
                self.count = self.count.saturating_sub(1);
                if let Some(known) = self.users.get_mut(&user) {
                    known.stays = known.stays.saturating_sub(1);
                    if known.stays == 0 && !known.counted {
                        self.users.remove(&user);
                    }
                }
                if within {
                    *if is_inferred {
                        &mut figures.inferred_leaves
                    } else {
                        &mut figures.leaves
                    } += 1;
                }
            }
            ChangeKind::Update => {}
        }
        Ok(())
    }

    /// Counts the presence from the last change up to `at`, a later moment.
    fn pass_to(&mut self, at: Millis, filter: &StatsFilter) -> Result<(), StoreError> {
        loop {
            let (begin, end) = (self.at.max(self.from), at.min(self.to));
            if begin < end {
                let count = Millis::try_from(self.count).unwrap_or(Millis::MAX);
                self.figures.presence_ms += count.saturating_mul(end - begin);
                if self.count > 0 && self.figures.peak.is_none_or(|(most, _)| self.count > most) {
                    self.figures.peak = Some((self.count, begin));
                }
                if !self.figures.seeded {
                    self.seed();
                }
            }
            let over = filter.to.is_some_and(|to| to <= self.to);
            if at < self.to || filter.every_ms.is_none() || over {
                break;
            }
            self.close(filter)?;
        }
        self.at = at;
        Ok(())
    }

    /// Counts the users who are present. Of the others, only those who were here in this interval are known.
    fn seed(&mut self) {
        let present = self.users.values_mut();
        for user in present.filter(|user| user.stays > 0 && !user.counted) {
            user.counted = true;
            self.figures.users += 1;
        }
        self.figures.seeded = true;
    }

    fn close(&mut self, filter: &StatsFilter) -> Result<(), StoreError> {
        let figures = std::mem::take(&mut self.figures);
        self.users.retain(|_, user| user.stays > 0);
        self.users.values_mut().for_each(|it| it.counted = false);
        self.done.push((self.from, self.to, figures));
        if self.done.len() > STATS_BUCKETS_MAX {
            return Err(StoreError::TooManyBuckets);
        }
        self.from = self.to;
        self.to = stretch_end(self.from, filter);
        Ok(())
    }

    pub fn finish(
        mut self,
        channel: &str,
        topic: Option<&str>,
        last: Millis,
        filter: &StatsFilter,
    ) -> Result<Vec<Stats>, StoreError> {
        let end = filter.to.unwrap_or(last).min(last);
        // Includes the last moment, although it has no duration.
        self.pass_to(end.max(self.at).saturating_add(1), filter)?;
        self.figures.presence_ms -= self.overrun(end);
        if self.from <= last && self.from < self.to || self.done.is_empty() {
            let figures = std::mem::take(&mut self.figures);
            self.done.push((self.from, self.to, figures));
        }
        let present_now = self.count;
        let series = filter.every_ms.is_some();
        let retained_from = self.retained.map(Time);
        let stats = self.done.into_iter().map(|(from, to, figures)| Stats {
            channel: channel.to_owned(),
            topic: topic.map(str::to_owned),
            distinct_users: figures.users,
            joins: figures.joins,
            leaves: figures.leaves,
            inferred_joins: figures.inferred_joins,
            inferred_leaves: figures.inferred_leaves,
            peak: figures.peak.map(|(count, at)| Peak {
                count,
                at: Time(at),
            }),
            presence_ms: figures.presence_ms,
            present_now,
            from: series.then_some(Time(from)),
            to: series.then_some(Time(to)),
            retained_from,
        });
        Ok(stats.collect())
    }

    /// The presence that [`finish`](Self::finish) counted after the end in order to include the last moment.
    fn overrun(&self, end: Millis) -> Millis {
        let counted_to = self.at.min(self.to);
        let behind = counted_to.saturating_sub(end.max(self.from)).max(0);
        behind.saturating_mul(Millis::try_from(self.count).unwrap_or(Millis::MAX))
    }
}

/// The end of the interval that begins at a moment.
fn stretch_end(from: Millis, filter: &StatsFilter) -> Millis {
    filter.series().around(from).to.max(from)
}
