//! The log, played again: recorded history as the lines of a feed.

mod agora;

use crate::domain::time::Millis;
use crate::store::{Scope, Store, StoreError};

/// Which part of the log is played.
#[derive(Debug, Clone, Default)]
pub struct ReplayFilter {
    /// Only this channel.
    pub channel: Option<String>,
    /// Entries in effect at or after this moment, Unix ms.
    pub from: Option<Millis>,
    /// Entries in effect before this moment, Unix ms.
    pub to: Option<Millis>,
}

impl Store {
    /// Gives the observed events as lines in the shape of Agora's JavaScript SDK (contract 2.1, 2.3), snapshots
    /// whole, to `each`; stops when that returns `false`. Ingested again with the same options they give the same
    /// history, but for the times of recording and what derives from them.
    ///
    /// ```
    /// # fn main() -> Result<(), rollbook::StoreError> {
    /// let store = rollbook::Store::in_memory(rollbook::Options::default())?;
    /// let mut lines = Vec::new();
    /// store.replay_agora(&Default::default(), |line| {
    ///     lines.push(line.to_owned());
    ///     true
    /// })?;
    /// assert!(lines.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`StoreError::NoSuchChannel`] where the log has never heard of the channel.
    pub fn replay_agora(
        &self,
        filter: &ReplayFilter,
        each: impl FnMut(&str) -> bool,
    ) -> Result<(), StoreError> {
        if let Some(channel) = &filter.channel {
            self.expect_channel(channel)?;
        }
        let scope = Scope {
            channel: filter.channel.as_deref(),
            ..Scope::default()
        };
        self.visit(&scope, &mut agora::Player::new(filter, each))
            .map(drop)
    }
}
