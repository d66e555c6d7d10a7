//! `stats` by user: the presence of each user in a channel and in each of its topics, once or as a series.

use super::answer::{Time, UserStats};
use super::intervals::TimeInterval;
use super::people::People;
use super::series::Series;
use super::stats::StatsFilter;
use super::stays::StayScope;
use super::united::{Scale, StayUnion, UnitedStay};
use crate::domain::time::Millis;
use crate::limits::{PEOPLE_LINES_MAX, STATS_BUCKETS_MAX};
use crate::store::{Store, StoreError};

impl Store {
    /// The presence of each user: first of the channels, in bytewise order, as a whole, then in their topics; with
    /// `every_ms`, the intervals of each user in order, without those in which the user was not there.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use rollbook::Event;
    /// let store = rollbook::Store::in_memory(rollbook::Options::default())?;
    /// store.record(&[
    ///     Event::join("room", "chat", "tony").at(1_000),
    ///     Event::join("room", "screen", "tony").at(2_000),
    ///     Event::leave("room", "chat", "tony").at(4_000),
    ///     Event::leave("room", "screen", "tony").at(5_000),
    /// ])?;
    /// let users = store.stats_by_user(&Default::default())?;
    /// // In two topics, and still there only once.
    /// assert_eq!((users[0].presence.stays, users[0].presence.min_ms), (1, 4_000));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`stats`](Store::stats). [`StoreError::TooManyBuckets`] also if there are too many lines.
    pub fn stats_by_user(&self, filter: &StatsFilter) -> Result<Vec<UserStats>, StoreError> {
        self.expect_end(filter.to)?;
        let mut stays = self.stays(StayScope {
            channel: filter.channel.clone(),
            topic: filter.topic.clone(),
            known_at: filter.known_at,
            ..StayScope::default()
        })?;
        let series = filter.series();
        let missing = |least: &Millis| filter.from.is_none_or(|from| from < *least);
        let retained_from = stays.retained_from.filter(missing);
        let mut users = UserFold {
            series,
            counted_from: retained_from.map(|least| series.first_begin(least)),
            people: People::default(),
        };
        let mut unions = [Scale::Channel, Scale::Topic].map(StayUnion::new);
        loop {
            let step = stays.step()?;
            for union in &mut unions {
                union.take(step.as_ref(), stays.names());
                while let Some(stay) = union.pop() {
                    users.add(stay)?;
                }
            }
            if step.is_none() {
                break;
            }
        }
        let people = users.people.each().filter(|(place, _)| {
            // The channel as a whole is not asked for where one topic is.
            filter.topic.is_none() || place.topic.is_some()
        });
        let retained_from = retained_from.map(Time);
        let lines = people.flat_map(|(place, person)| {
            let intervals: Vec<TimeInterval> = person.intervals().collect();
            intervals.into_iter().map(move |interval| UserStats {
                channel: place.channel.clone(),
                topic: place.topic.clone(),
                user: place.user.clone(),
                starts_at: interval.begin().map(Time),
                ends_at: interval.end().map(Time),
                presence: person.figures(interval),
                retained_from,
            })
        });
        Ok(lines.collect())
    }
}

/// Collects the users.
struct UserFold {
    series: Series,
    /// What was pruned before this is not counted.
    counted_from: Option<Millis>,
    people: People,
}

impl UserFold {
    fn add(&mut self, stay: UnitedStay) -> Result<(), StoreError> {
        let asked = self.series.asked;
        // An unknown begin reaches back to where the answer begins, and no further than it.
        let most = stay
            .most
            .within(asked)
            .filter(|part| part.length().is_some());
        let around = most.fold(stay.present, TimeInterval::hull);
        let around = TimeInterval::new(
            around.from.max(self.counted_from.unwrap_or(Millis::MIN)),
            around.to,
        );
        let intervals: Vec<TimeInterval> = match self.series.every {
            None => vec![self.counted(asked)],
            Some(_) => self
                .series
                .over(around)
                .take(STATS_BUCKETS_MAX + 1)
                .collect(),
        };
        if intervals.len() > STATS_BUCKETS_MAX {
            return Err(StoreError::TooManyBuckets);
        }
        self.people.add(stay, intervals);
        if self.people.lines() > PEOPLE_LINES_MAX {
            return Err(StoreError::TooManyBuckets);
        }
        Ok(())
    }

    fn counted(&self, interval: TimeInterval) -> TimeInterval {
        TimeInterval::new(
            interval
                .from
                .max(self.counted_from.unwrap_or(interval.from)),
            interval.to,
        )
    }
}
