//! `channels`: the channels of the store.

use super::answer::{ChannelAnswer, Time};
use super::coverage_answer;
use crate::domain::names::NumberMap;
use crate::store::{Store, StoreError};

impl Store {
    /// The channels that the log knows, in bytewise order.
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
    /// let channels = store.channels()?;
    /// assert_eq!((channels[0].channel.as_str(), channels[0].present_now), ("room", 1));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn channels(&self) -> Result<Vec<ChannelAnswer>, StoreError> {
        self.as_of(None, None, |state, names| {
            let mut channels: Vec<ChannelAnswer> = state
                .channels()
                .map(|(name, channel)| {
                    let mut topics = NumberMap::default();
                    for &member in channel.roster() {
                        topics.insert(names.key(member).topic, ());
                    }
                    let tally = channel.tally();
                    let has_entries = tally.entries > 0;
                    ChannelAnswer {
                        channel: names.text(name).to_owned(),
                        topics: topics.len() as u64,
                        present_now: channel.roster().len() as u64,
                        entries: tally.entries,
                        first_at: has_entries.then_some(Time(tally.first_at)),
                        last_at: has_entries.then_some(Time(tally.last_at)),
                        coverage: coverage_answer(state.coverage(name)),
                    }
                })
                .collect();
            channels.sort_by(|a, b| a.channel.cmp(&b.channel));
            channels
        })
    }
}
