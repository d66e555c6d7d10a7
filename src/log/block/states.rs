//! The states of some of a block's channels at its begin, so that a question about one channel need not read all earlier
//! blocks. They are parts of a checkpoint, and what these mean is not known here.

use crate::log::codec::header::StatesBody;
use std::collections::BTreeMap;
use std::ops::RangeBounds;

/// The state at the begin of a block, as parts of a checkpoint.
#[derive(Debug, Clone, Default)]
pub struct StartStates {
    /// What belongs to no channel.
    pub trunk: Vec<u8>,
    /// Parts of channels, by hash; `None`: the channel was not known.
    pub channels: BTreeMap<u64, Option<Vec<u8>>>,
}

/// The state of one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelStateParts {
    /// The state that belongs to no channel.
    pub trunk: Vec<u8>,
    /// The channel's part; `None`: it was not known.
    pub channel: Option<Vec<u8>>,
}

impl StartStates {
    /// What a stream has of it: the states of its channels. The first one has the trunk, too.
    pub(super) fn of_stream(&self, channels: impl RangeBounds<u64>, first: bool) -> StatesBody<'_> {
        let channels = self.channels.range(channels);
        let channels = channels.map(|(hash, part)| (hash.to_le_bytes(), part.as_deref()));
        StatesBody {
            trunk: if first { &self.trunk } else { &[] },
            channels: channels.collect(),
        }
    }
}
