//! What `stats` counts.

use crate::domain::time::Millis;
use crate::query::calendar::Zone;
use crate::query::intervals::TimeInterval;
use crate::query::series::Series;

/// What is counted.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct StatsFilter {
    /// Only this channel.
    pub channel: Option<String>,
    /// Only this topic.
    pub topic: Option<String>,
    /// From this moment, Unix ms; by default from the channel's first entry.
    pub from: Option<Millis>,
    /// Up to (not including) this moment, Unix ms; by default to the channel's last effective time.
    pub to: Option<Millis>,
    /// One line for each interval of this length, ms.
    pub every_ms: Option<Millis>,
    /// Intervals of whole days are local days of this zone, and shorter ones are parts of such a day.
    pub zone: Option<Zone>,
    /// The answer as of this recording time, Unix ms.
    pub known_at: Option<Millis>,
}

impl StatsFilter {
    /// Only this channel. Default: all.
    #[must_use]
    pub fn channel(mut self, channel: impl Into<String>) -> Self {
        self.channel = Some(channel.into());
        self
    }

    /// Only this topic. Default: all.
    #[must_use]
    pub fn topic(mut self, topic: impl Into<String>) -> Self {
        self.topic = Some(topic.into());
        self
    }

    /// From this moment, Unix ms. Default: from the channel's first entry.
    #[must_use]
    pub fn from(mut self, ms: Millis) -> Self {
        self.from = Some(ms);
        self
    }

    /// Up to (not including) this moment, Unix ms. Default: to the channel's last effective time.
    #[must_use]
    pub fn to(mut self, ms: Millis) -> Self {
        self.to = Some(ms);
        self
    }

    /// One line for each interval of this length, ms. Default: one line for the whole time.
    #[must_use]
    pub fn every_ms(mut self, ms: Millis) -> Self {
        self.every_ms = Some(ms);
        self
    }

    /// Intervals of whole days are local days of this zone, and shorter ones are parts of such a day, counted from
    /// midnight. Default: all intervals are equally long.
    #[must_use]
    pub fn zone(mut self, zone: Zone) -> Self {
        self.zone = Some(zone);
        self
    }

    /// The answer as of this recording time, Unix ms. Default: now.
    #[must_use]
    pub fn known_at(mut self, ms: Millis) -> Self {
        self.known_at = Some(ms);
        self
    }

    /// The intervals that are asked for.
    pub(in crate::query) fn series(&self) -> Series {
        Series {
            every: self.every_ms,
            zone: self.zone,
            asked: TimeInterval::between(self.from, self.to),
        }
    }
}
