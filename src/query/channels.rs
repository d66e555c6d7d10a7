//! `channels`: what channels there are.

use super::answer::{ChannelAnswer, Time};
use super::coverage_answer;
use crate::domain::names::NumberMap;
use crate::store::{Store, StoreError};

impl Store {
    /// The channels that the log has heard of, bytewise.
    ///
    /// # Errors
    /// Where the log cannot be read.
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
                    let told = tally.entries > 0;
                    ChannelAnswer {
                        channel: names.text(name).to_owned(),
                        topics: topics.len() as u64,
                        present_now: channel.roster().len() as u64,
                        entries: tally.entries,
                        first_at: told.then_some(Time(tally.first_at)),
                        last_at: told.then_some(Time(tally.last_at)),
                        coverage: coverage_answer(state.coverage(name)),
                    }
                })
                .collect();
            channels.sort_by(|a, b| a.channel.cmp(&b.channel));
            channels
        })
    }
}
