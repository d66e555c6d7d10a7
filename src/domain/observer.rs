//! What is known of one observer across all channels: its links, its ingest connection, and its last messages. How it
//! watches one channel is in `watch`.

use super::interval::ObservedInterval;
use super::names::{NameId, NumberMap};
use super::time::Millis;

/// What is known of one observer across all channels.
#[derive(Debug, Clone, Default)]
pub struct Observer {
    /// The channels that it has reported about, or that a link line of it has named.
    pub(crate) channels: NumberMap<NameId, ChannelLink>,
    /// It sends link lines.
    pub(crate) linked: bool,
    /// The entry at which its link as a whole came up; `None` while that link is not up.
    pub(crate) up_at: Option<u64>,
    /// Its last message about any channel.
    pub(crate) proof: Option<Proof>,
    /// Its last message about any of the channels that share one link.
    pub(crate) shared: Option<Proof>,
    /// Its ingest connection, from its first start to its clean end.
    pub(crate) connection: Option<Connected>,
    /// Channels for which its source is sending differences.
    pub(crate) collecting: NumberMap<NameId, ()>,
}

impl Observer {
    /// Whether its ingest connection is up.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.connection.is_some_and(|connection| !connection.lost)
    }

    /// The largest time of its messages so far, Unix ms.
    #[must_use]
    pub fn last_proof(&self) -> Option<Millis> {
        self.proof.map(|proof| proof.time)
    }

    /// Whether a link line has named the channel. The channel then has a link of its own, and messages about other
    /// channels prove nothing about it.
    pub(crate) fn has_own_link(&self, channel: NameId) -> bool {
        self.channels.get(&channel).is_some_and(|link| link.own)
    }

    /// Records that a link line named a channel. Its messages no longer count for the channels that share a link.
    pub(crate) fn give_own_link(&mut self, channel: NameId) {
        let link = self.channels.entry(channel).or_default();
        if !std::mem::replace(&mut link.own, true) && link.proof.is_some() {
            self.share_proofs();
        }
    }

    /// Computes the last message about any of the channels that share one link.
    pub(crate) fn share_proofs(&mut self) {
        let sharing = self.channels.values().filter(|link| !link.own);
        self.shared = sharing.filter_map(|link| link.proof).reduce(|a, b| Proof {
            seq: a.seq.max(b.seq),
            time: a.time.max(b.time),
        });
    }

    /// Records the time of a message about a channel.
    pub(crate) fn hear(&mut self, channel: NameId, seq: u64, time: Millis) {
        let later = |proof: Option<Proof>| Proof {
            seq,
            time: proof.map_or(time, |proof| proof.time.max(time)),
        };
        let link = self.channels.entry(channel).or_default();
        link.proof = Some(later(link.proof));
        if !link.own {
            self.shared = Some(later(self.shared));
        }
        self.proof = Some(later(self.proof));
    }

    /// The proof of an interval of one of its channels that a link line ends: any message over the same link since
    /// the interval began counts.
    pub(crate) fn proof_over_link(
        &self,
        channel: NameId,
        stretch: ObservedInterval,
        own_link: bool,
    ) -> Option<Millis> {
        let of_link = if own_link {
            self.channels.get(&channel).and_then(|link| link.proof)
        } else {
            self.shared
        };
        let of_link = of_link.filter(|proof| proof.seq >= stretch.from_seq);
        stretch.proof.max(of_link.map(|proof| proof.time))
    }
}

/// The last message of some kind: its entry, and the largest time so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Proof {
    pub(crate) seq: u64,
    pub(crate) time: Millis,
}

/// How an observer receives one channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ChannelLink {
    /// A link line has named the channel, so it has its own link. All other channels of the observer share one.
    pub(crate) own: bool,
    /// The last message about it.
    pub(crate) proof: Option<Proof>,
}

/// An ingest connection, or several over which one feed continued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Connected {
    /// The entry at which it came up.
    pub(crate) since: u64,
    /// The time of that entry.
    pub(crate) at: Millis,
    /// It is down, and the feed has not resumed yet.
    pub(crate) lost: bool,
}
