//! `stats`: how many members, the most at once, how long; for a channel and for each of its topics, once or as a
//! series.

mod counter;
mod filter;

use super::answer::Stats;
use crate::domain::names::{NameId, NameTable, Names, NumberMap};
use crate::domain::rosters::RosterEntry;
use crate::domain::state::State;
use crate::domain::time::Millis;
use crate::store::{RosterReader, ScanScope, Store, StoreError};
use counter::{CountedChange, Counter};
pub use filter::StatsFilter;
use std::collections::BTreeMap;

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
        let mut reader = RosterReader::new(self.scan(&scope)?, 0);
        let mut counting = Counting {
            filter,
            channels: NumberMap::default(),
        };
        let cursor = &mut reader.cursor;
        if let Some(open) = cursor.open.take() {
            counting.begin_at(open.retained_from, &cursor.state, &cursor.names);
        }
        let cursor = reader.for_each(|entries, names| {
            let mut entries = entries.iter();
            entries.try_for_each(|entry| counting.count(entry, names))
        })?;
        let names = &cursor.names;
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
    fn channel(&mut self, name: NameId, names: &NameTable) -> &mut CountedChannel {
        let wanted = self.filter.channel.as_ref();
        self.channels.entry(name).or_insert_with(|| CountedChannel {
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

    fn count(&mut self, entry: &RosterEntry, names: &NameTable) -> Result<(), StoreError> {
        let (channel, moment, change) = match *entry {
            RosterEntry::Change {
                member,
                kind,
                is_applied,
                is_inferred,
                effective_at,
            } => {
                let key = names.key(member);
                let change = is_applied.then_some((key, kind, is_inferred));
                (key.channel, effective_at, change)
            }
            RosterEntry::Snapshot {
                channel,
                effective_at,
            } => (channel, effective_at, None),
            RosterEntry::Named(channel) => {
                self.channel(channel, names);
                return Ok(());
            }
        };
        let filter = self.filter;
        let counted = self.channel(channel, names);
        counted.last = counted.last.max(moment);
        if !counted.is_wanted {
            return Ok(());
        }
        let retained = counted.retained;
        let new = || Counter::new(filter, moment, retained);
        let whole = counted.whole.get_or_insert_with(new);
        if let Some((key, kind, is_inferred)) = change {
            let change = CountedChange {
                at: moment,
                user: key.user,
                kind,
                is_inferred,
            };
            whole.take(&change, filter)?;
            let topic = counted.topics.entry(key.topic).or_insert_with(new);
            topic.take(&change, filter)?;
        }
        Ok(())
    }
}
