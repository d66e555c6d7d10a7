//! What the header of a block says of its channels, besides their names: so that a question opens few blocks. Channels are known
//! by their hashes. Formats before the third do not say it.

use super::envelope::BlockError;
use super::filter::ChannelFilter;
use crate::domain::time::Millis;
use crate::log::codec::header::BlockChannelsBody;
use crate::log::frame::FrameError;

/// What a block says of its channels.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct BlockChannels {
    /// Those whose states at its begin it has, sorted.
    pub stated: Vec<u64>,
    /// Those that reach back farthest, sorted, each with the earliest moment in its entries.
    pub far: Vec<(u64, Millis)>,
    /// All of them, where they are too many to be named.
    pub filter: ChannelFilter,
}

impl BlockChannels {
    /// Whether the block has the state of a channel at its begin.
    pub fn has_state(&self, channel: u64) -> bool {
        self.stated.binary_search(&channel).is_ok()
    }

    /// The earliest moment in a channel's entries, if it reaches back farther than most.
    pub fn far(&self, channel: u64) -> Option<Millis> {
        let at = self.far.binary_search_by_key(&channel, |&(far, _)| far);
        self.far.get(at.ok()?).map(|&(_, moment)| moment)
    }

    pub fn body(&self) -> BlockChannelsBody {
        let stated = self.stated.iter().map(|channel| channel.to_le_bytes());
        let far = self
            .far
            .iter()
            .map(|(channel, at)| (channel.to_le_bytes(), *at));
        BlockChannelsBody {
            stated: stated.collect(),
            far: far.collect(),
            filter: self.filter.bytes().to_vec(),
        }
    }

    pub fn of_body(body: BlockChannelsBody) -> Result<BlockChannels, BlockError> {
        let stated = body.stated.0.into_iter().map(u64::from_le_bytes);
        let far = body.far.0.into_iter();
        let channels = BlockChannels {
            stated: stated.collect(),
            far: far
                .map(|(channel, at)| (u64::from_le_bytes(channel), at))
                .collect(),
            filter: ChannelFilter::from_bytes(body.filter),
        };
        let sorted = channels.stated.is_sorted_by(|a, b| a < b)
            && channels.far.is_sorted_by(|a, b| a.0 < b.0);
        match sorted {
            true => Ok(channels),
            false => Err(FrameError::Disagree("the block's channels").into()),
        }
    }
}
