//! `stats`: how many members, the most at once, how long; for a channel and for each of its topics, once or as a
//! series.

use super::answer::{Peak, Stats, Time};
use super::calendar::Zone;
use super::intervals::TimeInterval;
use super::series::Series;
use crate::domain::entry::{Change, Entry, Origin, Payload};
use crate::domain::event::ChangeKind;
use crate::domain::names::{NameId, Names, NumberMap};
use crate::domain::state::State;
use crate::domain::time::Millis;
use crate::limits::STATS_BUCKETS_MAX;
use crate::store::{ScanScope, Store, StoreError, heard_of};
use std::collections::BTreeMap;

/// What is counted.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct StatsFilter {
    /// Only this channel.
    pub channel: Option<String>,
    /// Only this topic.
    pub topic: Option<String>,
    /// From this moment, Unix ms; by default from the channel's first entry.
    pub from: Option<Millis>,
    /// Up to (not including) this moment, Unix ms; by default to the channel's last effective time.
    pub to: Option<Millis>,
    /// One line for each interval of this length, ms.
    pub every_ms: Option<Millis>,
    /// Intervals of whole days are local days of this zone, and shorter ones are parts of such a day.
    pub zone: Option<Zone>,
    /// The answer as of this recording time, Unix ms.
    pub known_at: Option<Millis>,
}

impl StatsFilter {
    /// Only this channel. Default: all.
    #[must_use]
    pub fn channel(mut self, channel: impl Into<String>) -> Self {
        self.channel = Some(channel.into());
        self
    }

    /// Only this topic. Default: all.
    #[must_use]
    pub fn topic(mut self, topic: impl Into<String>) -> Self {
        self.topic = Some(topic.into());
        self
    }

    /// From this moment, Unix ms. Default: from the channel's first entry.
    #[must_use]
    pub fn from(mut self, ms: Millis) -> Self {
        self.from = Some(ms);
        self
    }

    /// Up to (not including) this moment, Unix ms. Default: to the channel's last effective time.
    #[must_use]
    pub fn to(mut self, ms: Millis) -> Self {
        self.to = Some(ms);
        self
    }

    /// One line for each interval of this length, ms. Default: one line for the whole time.
    #[must_use]
    pub fn every_ms(mut self, ms: Millis) -> Self {
        self.every_ms = Some(ms);
        self
    }

    /// Intervals of whole days are local days of this zone, and shorter ones are parts of such a day, counted from
    /// midnight. Default: all intervals are equally long.
    #[must_use]
    pub fn zone(mut self, zone: Zone) -> Self {
        self.zone = Some(zone);
        self
    }

    /// The answer as of this recording time, Unix ms. Default: now.
    #[must_use]
    pub fn known_at(mut self, ms: Millis) -> Self {
        self.known_at = Some(ms);
        self
    }

    /// The intervals that are asked for.
    pub(super) fn series(&self) -> Series {
        Series {
            every: self.every_ms,
            zone: self.zone,
            asked: TimeInterval::between(self.from, self.to),
        }
    }
}

impl Store {
    /// The figures of the channels, in bytewise order: first of the channel as a whole, then of its topics; with
    /// `every_ms`, the intervals of each in order.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let store = rollbook::Store::in_memory(rollbook::Options::default())?;
    /// # let file = tempfile::NamedTempFile::new()?;
    /// # std::fs::write(file.path(), concat!(
    /// #     r#"{"t":"snapshot","channel":"room","topics":{"chat":[{"user":"tony"}]},"ts":1000}"#, "\n",
    /// #     r#"{"t":"link","state":"down","ts":2000}"#, "\n",
    /// #     r#"{"t":"link","state":"up","ts":8000}"#, "\n",
    /// #     r#"{"t":"snapshot","channel":"room","topics":{"chat":[{"user":"lily"}]},"ts":9000}"#, "\n",
    /// #     "nonsense\n",
    /// # ))?;
    /// # let source = rollbook::ingest::Source::open(file.path())?;
    /// # rollbook::ingest::ingest(&store, source, &Default::default(), &mut ())?;
    /// let stats = store.stats(&Default::default())?;
    /// assert_eq!((stats[0].topic.as_deref(), stats[0].distinct_users), (None, 2));
    /// assert_eq!(stats[1].topic.as_deref(), Some("chat"));
    /// assert_eq!(stats[1].presence_ms, 8_000);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`StoreError::NoSuchChannel`] if the log does not know the channel; [`StoreError::TooManyBuckets`];
    /// [`StoreError::PastRetention`] if the whole time was pruned. A time of which only the begin was pruned is counted
    /// from where the store begins (`retained_from`), and a series from its first interval behind that.
    pub fn stats(&self, filter: &StatsFilter) -> Result<Vec<Stats>, StoreError> {
        let scope = ScanScope {
            channel: filter.channel.as_deref(),
            known_at: filter.known_at,
            ..ScanScope::default()
        };
        self.expect_end(filter.to)?;
        let (mut cursor, mut frames) = self.scan(&scope)?;
        let mut counting = Counting {
            filter,
            counters: NumberMap::default(),
            retained: NumberMap::default(),
        };
        if let Some(open) = cursor.open.take() {
            counting.begin_at(open.retained_from, &cursor.state, &cursor.names);
        }
        while let Some(mut frame) = frames.next(&mut cursor)? {
            while let Some(commit) = frame.next_commit(&mut cursor)? {
                for entry in commit.entries {
                    counting.count(entry, &cursor.names)?;
                    cursor.apply_entry(entry);
                }
            }
        }
        let (state, names) = (&cursor.state, &cursor.names);
        if let Some(channel) = &filter.channel {
            heard_of(channel, state, names)?;
        }
        if filter.every_ms.is_none() {
            // A channel that never had a member has its line, too.
            for (name, channel) in state.channels() {
                if is_wanted(names.text(name), filter) {
                    counting.counter(name, None, channel.effective_at());
                }
            }
        }
        let mut answers: BTreeMap<(String, Option<String>), Vec<Stats>> = BTreeMap::new();
        for (channel, counters) in counting.counters {
            let last = state
                .channel(channel)
                .map_or(Millis::MIN, |channel| channel.effective_at());
            for (topic, counter) in counters {
                let topic = topic.map(|topic| names.text(topic).to_owned());
                if filter.topic.is_some() && filter.topic != topic {
                    continue;
                }
                let channel = names.text(channel).to_owned();
                let stats = counter.finish(&channel, topic.as_deref(), last, filter)?;
                answers.insert((channel, topic), stats);
            }
        }
        Ok(answers.into_values().flatten().collect())
    }
}

struct Counting<'a> {
    filter: &'a StatsFilter,
    /// By channel; `None`: the channel as a whole.
    counters: NumberMap<NameId, NumberMap<Option<NameId>, Counter>>,
    /// The channels of which earlier entries were pruned, and from when on none was.
    retained: NumberMap<NameId, Millis>,
}

impl Counting<'_> {
    fn counter(
        &mut self,
        channel: NameId,
        topic: Option<NameId>,
        first_at: Millis,
    ) -> &mut Counter {
        let counters = self.counters.entry(channel).or_default();
        let retained = self.retained.get(&channel).copied();
        let new = || Counter::new(self.filter, first_at, retained);
        counters.entry(topic).or_insert_with(new)
    }

    /// Begins with the members at the place where the store begins. `from` is the moment from which on nothing was
    /// pruned.
    fn begin_at(&mut self, from: Millis, state: &State, names: &Names) {
        for (name, channel) in state.channels() {
            if !is_wanted(names.text(name), self.filter) {
                continue;
            }
            self.retained.insert(name, from);
            if channel.effective_seq() > 0 {
                self.counter(name, None, from);
            }
            for &member in channel.roster() {
                let key = names.key(member);
                self.counter(name, None, from).begin_with(key.user);
                self.counter(name, Some(key.topic), from)
                    .begin_with(key.user);
            }
        }
    }

    fn count(&mut self, entry: &Entry, names: &Names) -> Result<(), StoreError> {
        let channel = match &entry.payload {
            Payload::Change(change) => names.key(change.member).channel,
            Payload::Snapshot(snapshot) => snapshot.channel,
            // Their times come from another clock.
            Payload::Link(_) | Payload::Token(_) => return Ok(()),
        };
        if !is_wanted(names.text(channel), self.filter) {
            return Ok(());
        }
        let (filter, moment) = (self.filter, entry.effective_at);
        let whole = self.counter(channel, None, moment);
        let Payload::Change(change) = &entry.payload else {
            return Ok(());
        };
        if change.is_applied() {
            let key = names.key(change.member);
            whole.take(moment, change, key.user, filter)?;
            let of_topic = self.counter(channel, Some(key.topic), moment);
            of_topic.take(moment, change, key.user, filter)?;
        }
        Ok(())
    }
}

fn is_wanted(channel: &str, filter: &StatsFilter) -> bool {
    let wanted = filter.channel.as_ref();
    wanted.is_none_or(|wanted| wanted == channel)
}

/// The figures of one interval.
#[derive(Debug, Clone, Default)]
struct IntervalFigures {
    users: NumberMap<NameId, ()>,
    /// The members present at the interval's start have been added to the users.
    seeded: bool,
    joins: u64,
    leaves: u64,
    inferred_joins: u64,
    inferred_leaves: u64,
    peak: Option<(u64, Millis)>,
    presence_ms: Millis,
}

/// Counts one channel or topic through time.
struct Counter {
    /// The start and the end of the current interval.
    from: Millis,
    to: Millis,
    figures: IntervalFigures,
    done: Vec<(Millis, Millis, IntervalFigures)>,
    /// How many stays each user has.
    present: NumberMap<NameId, u64>,
    count: u64,
    /// The moment of the last change; the time after it has not been counted yet.
    at: Millis,
    /// What was asked for begins before this, and is retained from it on only.
    retained: Option<Millis>,
}

impl Counter {
    fn new(filter: &StatsFilter, first_at: Millis, retained: Option<Millis>) -> Counter {
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
        let (figures, present, done) = Default::default();
        Counter {
            from,
            to,
            figures,
            done,
            present,
            count: 0,
            at: Millis::MIN,
            retained,
        }
    }

    /// A stay that had begun before anything is counted.
    fn begin_with(&mut self, user: NameId) {
        self.count += 1;
        *self.present.entry(user).or_default() += 1;
    }

    fn take(
        &mut self,
        at: Millis,
        change: &Change,
        user: NameId,
        filter: &StatsFilter,
    ) -> Result<(), StoreError> {
        if at > self.at {
            self.pass_to(at, filter)?;
        }
        let within = at >= self.from && at < self.to;
        let observed = change.origin == Origin::Observed;
        let figures = &mut self.figures;
        match change.kind {
            ChangeKind::Join => {
                self.count += 1;
                *self.present.entry(user).or_default() += 1;
                if within {
                    figures.users.insert(user, ());
                    *if observed {
                        &mut figures.joins
                    } else {
                        &mut figures.inferred_joins
                    } += 1;
                }
            }
            ChangeKind::Leave => {
                self.count = self.count.saturating_sub(1);
                if let Some(stays) = self.present.get_mut(&user) {
                    *stays -= 1;
                    if *stays == 0 {
                        self.present.remove(&user);
                    }
                }
                if within {
                    *if observed {
                        &mut figures.leaves
                    } else {
                        &mut figures.inferred_leaves
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
                    let present = self.present.keys().map(|&user| (user, ()));
                    self.figures.users.extend(present);
                    self.figures.seeded = true;
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

    fn close(&mut self, filter: &StatsFilter) -> Result<(), StoreError> {
        let figures = std::mem::take(&mut self.figures);
        self.done.push((self.from, self.to, figures));
        if self.done.len() > STATS_BUCKETS_MAX {
            return Err(StoreError::TooManyBuckets);
        }
        self.from = self.to;
        self.to = stretch_end(self.from, filter);
        Ok(())
    }

    fn finish(
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
            distinct_users: figures.users.len() as u64,
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
