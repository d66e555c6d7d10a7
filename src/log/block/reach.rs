//! How far back the entries of each channel of a block reach: a question about a moment reads no later entries but those that
//! speak of it. A channel of which little is heard reaches far back, and must not make questions about others read it.

use crate::domain::entry::{Entry, Payload};
use crate::domain::names::Names;
use crate::domain::time::Millis;
use crate::log::frame::{channel_hash, reach_itself};
use std::collections::{BTreeMap, HashMap};
use std::ops::RangeBounds;

/// So many channels have a moment of their own in the header of a block.
const FAR_MAX: usize = 256;

/// The earliest moments in the entries so far.
#[derive(Debug)]
pub(super) struct Reaches {
    /// By the channel's hash.
    channels: HashMap<u64, Millis>,
    /// In entries of no single channel.
    others: Millis,
}

/// The earliest moments in the entries of a block.
pub(super) struct BlockReach {
    /// The channels that reach back farthest, sorted by their hashes.
    pub far: Vec<(u64, Millis)>,
    /// The other channels.
    near: BTreeMap<u64, Millis>,
    others: Millis,
}

impl Default for Reaches {
    fn default() -> Self {
        Reaches {
            channels: HashMap::new(),
            others: Millis::MAX,
        }
    }
}

impl Reaches {
    /// Notes an entry of a channel. A link has none, but each gap that it opens or ends is of one.
    pub fn note(&mut self, entry: &Entry, channel: Option<u64>, names: &Names) {
        let moment = reach_itself(entry);
        match channel {
            Some(channel) => self.of_channel(channel, moment),
            None => self.others = moment.min(self.others),
        }
        if let Payload::Link(link) = &entry.payload {
            for gap in &link.gaps {
                self.of_channel(channel_hash(names.text(gap.channel)), gap.at);
            }
        }
    }

    fn of_channel(&mut self, channel: u64, moment: Millis) {
        let known = self.channels.entry(channel).or_insert(moment);
        *known = moment.min(*known);
    }

    pub fn finish(self) -> BlockReach {
        let mut far: Vec<(u64, Millis)> = self.channels.into_iter().collect();
        far.sort_unstable_by_key(|&(channel, moment)| (moment, channel));
        let near = far.split_off(far.len().min(FAR_MAX));
        far.sort_unstable();
        BlockReach {
            far,
            near: near.into_iter().collect(),
            others: self.others,
        }
    }
}

impl BlockReach {
    /// The earliest moment in a stream's entries, but for those of channels that have one of their own in the header. `first`:
    /// it also has the entries of no single channel.
    pub fn of_stream(&self, channels: impl RangeBounds<u64>, first: bool) -> Millis {
        let near = self.near.range(channels).map(|(_, &moment)| moment).min();
        let near = near.unwrap_or(Millis::MAX);
        if first { near.min(self.others) } else { near }
    }
}
