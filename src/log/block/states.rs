//! The states of a block's channels at its begin, so that a question about one channel need not read earlier blocks. They
//! are parts of a checkpoint, and what these mean is not known here.

use crate::log::codec::header::StatesBody;
use std::collections::BTreeMap;
use std::ops::Bound;

/// The state at the begin of a block, as parts of a checkpoint: the trunk, and the parts of the block's channels by hash. A
/// channel that is missing was not known.
#[derive(Debug, Clone, Default)]
pub struct StartStates {
    /// What belongs to no channel.
    pub trunk: Vec<u8>,
    /// The channels.
    pub channels: BTreeMap<u64, Vec<u8>>,
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
    /// Bytes of all of them.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let channels = self.channels.values().map(Vec::len);
        self.trunk.len() + channels.sum::<usize>()
    }

    /// The states of the channels of a stream that begins at one hash, and ends before another. The first stream has the
    /// trunk.
    pub(super) fn of_stream(&self, from: Option<u64>, end: Option<u64>) -> StatesBody {
        let Some(from) = from else {
            return StatesBody {
                trunk: self.trunk.clone(),
                ..StatesBody::default()
            };
        };
        let end = end.map_or(Bound::Unbounded, Bound::Excluded);
        let channels = self.channels.range((Bound::Included(from), end));
        let channels = channels.map(|(hash, part)| (hash.to_le_bytes(), Some(part.clone())));
        StatesBody {
            trunk: Vec::new(),
            channels: channels.collect(),
        }
    }
}
