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
use crate::store::{ScanScope, Store, StoreError};
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
            textless: true,
            ..ScanScope::default()
        };
        self.expect_end(filter.to)?;
        let (mut cursor, mut frames) = self.scan(&scope)?;
        let mut counting = Counting {
            filter,
            channels: NumberMap::default(),
        };
        if let Some(open) = cursor.open.take() {
            counting.begin_at(open.retained_from, &cursor.state, &cursor.names);
        }
        while let Some(mut frame) = frames.next(&mut cursor)? {
            while let Some(commit) = frame.next_commit(&mut cursor)? {
                for entry in commit.entries {
                    counting.count(entry, &cursor.names)?;
                    cursor.pass_entry(entry);
                }
            }
        }
        let names = &cursor.names;
        // Of some, only pages are known.
        for (name, _) in cursor.state.channels() {
            counting.channel(name, names);
        }
        if let Some(channel) = &filter.channel {
            let known = names.find(channel);
            let known = known.filter(|name| counting.channels.contains_key(name));
            known.ok_or_else(|| StoreError::NoSuchChannel(channel.clone()))?;
        }
        let mut answers: BTreeMap<(String, Option<String>), Vec<Stats>> = BTreeMap::new();
        for (name, counted) in counting.channels {
            let last = counted.last;
            for (topic, counter) in counted.counters(filter) {
                let topic = topic.map(|topic| names.text(topic).to_owned());
                if filter.topic.is_some() && filter.topic != topic {
                    continue;
                }
                let channel = names.text(name).to_owned();
                let stats = counter.finish(&channel, topic.as_deref(), last, filter)?;
                answers.insert((channel, topic), stats);
            }
        }
        Ok(answers.into_values().flatten().collect())
    }
}

/// Counts the channels that the log knows. No state is needed for it: an entry says whether it changed the roster.
struct Counting<'a> {
    filter: &'a StatsFilter,
    channels: NumberMap<NameId, CountedChannel>,
}

/// What is counted of a channel.
struct CountedChannel {
    is_wanted: bool,
    /// Its last effective time.
    last: Millis,
    /// Earlier entries were pruned: from when on none was.
    retained: Option<Millis>,
    /// Since its first entry.
    whole: Option<Counter>,
    topics: NumberMap<NameId, Counter>,
}

impl CountedChannel {
    /// The figures of the channel as a whole, and of its topics. A channel that never had a member has a line, too.
    fn counters(self, filter: &StatsFilter) -> impl Iterator<Item = (Option<NameId>, Counter)> {
        let (last, retained) = (self.last, self.retained);
        let has_line = self.is_wanted && filter.every_ms.is_none();
        let never = || has_line.then(|| Counter::new(filter, last, retained));
        let whole = self.whole.or_else(never);
        let topics = self.topics.into_iter();
        let topics = topics.map(|(topic, counter)| (Some(topic), counter));
        let whole = whole.map(|whole| (None, whole));
        whole.into_iter().chain(topics)
    }
}

impl Counting<'_> {
    fn channel(&mut self, name: NameId, names: &Names) -> &mut CountedChannel {
        let wanted = self.filter.channel.as_ref();
        let known = self.channels.entry(name);
        known.or_insert_with(|| CountedChannel {
            is_wanted: wanted.is_none_or(|wanted| wanted == names.text(name)),
            last: Millis::MIN,
            retained: None,
            whole: None,
            topics: NumberMap::default(),
        })
    }

    /// Begins with the members at the place where the store begins. `from` is the moment from which on nothing was
    /// pruned.
    fn begin_at(&mut self, from: Millis, state: &State, names: &Names) {
        let filter = self.filter;
        for (name, channel) in state.channels() {
            let counted = self.channel(name, names);
            counted.last = channel.effective_at();
            counted.retained = Some(from);
            if !counted.is_wanted {
                continue;
            }
            let new = || Counter::new(filter, from, Some(from));
            if channel.effective_seq() > 0 || !channel.roster().is_empty() {
                counted.whole = Some(new());
            }
            for &member in channel.roster() {
                let key = names.key(member);
                let topic = counted.topics.entry(key.topic).or_insert_with(new);
                topic.begin_with(key.user);
                if let Some(whole) = &mut counted.whole {
                    whole.begin_with(key.user);
                }
            }
        }
    }

    fn count(&mut self, entry: &Entry, names: &Names) -> Result<(), StoreError> {
        let (channel, change) = match &entry.payload {
            Payload::Change(change) => {
                let key = names.key(change.member);
                (key.channel, Some((change, key)))
            }
            Payload::Snapshot(snapshot) => (snapshot.channel, None),
            // Their times come from another clock.
            Payload::Link(link) => {
                let gaps = link.gaps.iter().map(|gap| gap.channel);
                for channel in link.channel.into_iter().chain(gaps) {
                    self.channel(channel, names);
                }
                return Ok(());
            }
            Payload::Token(token) => {
                if let Some(channel) = token.channel {
                    self.channel(channel, names);
                }
                return Ok(());
            }
        };
        let (filter, moment) = (self.filter, entry.effective_at);
        let counted = self.channel(channel, names);
        counted.last = counted.last.max(moment);
        if !counted.is_wanted {
            return Ok(());
        }
        let retained = counted.retained;
        let new = || Counter::new(filter, moment, retained);
        let whole = counted.whole.get_or_insert_with(new);
        if let Some((change, key)) = change.filter(|(change, _)| change.is_applied()) {
            whole.take(moment, change, key.user, filter)?;
            let topic = counted.topics.entry(key.topic).or_insert_with(new);
            topic.take(moment, change, key.user, filter)?;
        }
        Ok(())
    }
}

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

/// What is known of a user.
#[derive(Debug, Clone, Copy, Default)]
struct CountedUser {
    /// The stays that go on.
    stays: u64,
    /// The user counts in the current interval.
    counted: bool,
}

/// Counts one channel or topic through time.
struct Counter {
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
    fn begin_with(&mut self, user: NameId) {
        self.count += 1;
        self.users.entry(user).or_default().stays += 1;
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
                let user = self.users.entry(user).or_default();
                user.stays += 1;
                if within {
                    figures.users += u64::from(!user.counted);
                    user.counted = true;
                    *if observed {
                        &mut figures.joins
                    } else {
                        &mut figures.inferred_joins
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
