//! Which channels a block has, where they are too many to be named in its header: a Bloom filter. It may say yes of a channel
//! that the block does not have, for about one in a hundred, and never no of one that it has.

/// Bits for each channel, and how many of them are set for one.
const BITS: usize = 10;
const PROBES: u64 = 7;

/// A set of channels, by their hashes. An empty one has all of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct ChannelFilter(Vec<u8>);

impl ChannelFilter {
    pub fn of(channels: impl ExactSizeIterator<Item = u64>) -> ChannelFilter {
        let mut filter = ChannelFilter(vec![0; (channels.len() * BITS).div_ceil(8).max(1)]);
        for channel in channels {
            for bit in filter.bits(channel) {
                if let Some(byte) = filter.0.get_mut(bit / 8) {
                    *byte |= 1 << (bit % 8);
                }
            }
        }
        filter
    }

    /// A filter that was stored.
    pub fn from_bytes(bytes: Vec<u8>) -> ChannelFilter {
        ChannelFilter(bytes)
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether the channel may be in the set.
    pub fn may_have(&self, channel: u64) -> bool {
        let is_set = |bit: usize| {
            self.0
                .get(bit / 8)
                .is_some_and(|byte| byte & 1 << (bit % 8) != 0)
        };
        self.0.is_empty() || self.bits(channel).all(is_set)
    }

    /// The bits of a channel. Its hash is of BLAKE3, so any bits of it will do.
    fn bits(&self, channel: u64) -> impl Iterator<Item = usize> + use<> {
        let all = (self.0.len() as u64 * 8).max(1);
        let (first, step) = (channel & 0xFFFF_FFFF, channel >> 32 | 1);
        (0..PROBES).map(move |probe| ((first + probe * step) % all) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_what_was_put_in_and_little_else() {
        let channel = |n: u64| n.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ n << 17;
        let filter = ChannelFilter::of((0..5_000).map(channel).collect::<Vec<_>>().into_iter());
        assert!((0..5_000).all(|n| filter.may_have(channel(n))));
        let others = (5_000..25_000)
            .filter(|&n| filter.may_have(channel(n)))
            .count();
        assert!(others < 600, "{others} of 20,000");
        assert!(ChannelFilter::default().may_have(7), "an empty one has all");
    }
}
