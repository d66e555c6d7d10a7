//! Which channels are in doubt: entries about them are missing, and no snapshot since then has shown who is there.

use std::collections::HashMap;

/// The channels in doubt, by the hashes of their names.
#[derive(Debug, Default)]
pub(super) struct DoubtedChannels {
    /// How often entries of unknown channels were missing.
    times: u64,
    /// The last time before which a channel was shown again.
    shown: HashMap<u64, u64>,
}

impl DoubtedChannels {
    /// Entries are missing, of any channel.
    pub fn any_missing(&mut self) {
        self.times += 1;
    }

    /// A snapshot shows who is in a channel.
    pub fn shown(&mut self, channel: u64) {
        self.shown.insert(channel, self.times);
    }

    /// Whether no channel can be in doubt.
    pub fn is_none(&self) -> bool {
        self.times == 0
    }

    /// Whether a channel is in doubt.
    pub fn has(&self, channel: u64) -> bool {
        let shown = self.shown.get(&channel).copied().unwrap_or(0);
        shown < self.times
    }
}
