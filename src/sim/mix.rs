//! A mix: the faults of a source, and the options that the guide recommends for ingesting it. A mix is data: `link`
//! reads what the source does, `run` how it is ingested, `score` what must hold. `mixes` lists all mixes.

use crate::domain::entry::Rules;
use crate::domain::time::Millis;

/// A kind of source, and the options for ingesting it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mix {
    /// Its name, for `--mix`.
    pub name: &'static str,
    /// What the source does, in a sentence.
    pub about: &'static str,
    /// What the source does.
    pub(super) source: SourceModel,
    /// How it is ingested.
    pub rules: Rules,
}

/// The shape in which lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FeedShape {
    Own,
    /// Rollbook's own shape or Agora's; the seed decides.
    Either,
}

/// What a source reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Events {
    /// The publishers of topics.
    Topics,
    /// The users who are present in a channel, as Agora's presence service reports them.
    Presence {
        /// For a part of the time the service reports once an interval.
        intervals: bool,
    },
}

/// How the link behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LinkKind {
    /// It holds.
    Steady,
    /// It is lost now and then, and link lines report it.
    Told,
    /// It is lost now and then, and no line reports it. When it is back, the source begins with a snapshot.
    Silent,
    /// Each channel has a link of its own, as with a client like agora-rtm.
    Client(Reconnection),
    /// The observer's connection to the store. A server sees it come up and break off. After a new connection the
    /// source begins with a snapshot.
    Served,
}

/// How a client like agora-rtm comes back after its link was lost. Rates are per mille, times ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reconnection {
    /// The number of observers that can resume a session.
    pub resuming: usize,
    /// Links that come back with a resumed session: the client sends differences. All other links come back with a
    /// new session and a snapshot.
    pub resumed: u32,
    /// Feeds in which all channels share one link, and no link line names a channel.
    pub shared: u32,
    /// Feeds in which the client was connected before the first line was forwarded.
    pub unnamed: u32,
    /// Resumed links that are lost again before all differences have been sent.
    pub falls_again: u32,
    /// Resumed links whose source reports when all differences have been sent.
    pub synced: u32,
    /// How late a loss may be noticed.
    pub noticed_ms: Millis,
    /// The longest time for which the link is up.
    pub up_ms: Millis,
    /// The longest time for which it is down after the loss was noticed.
    pub down_ms: Millis,
}

/// What a line carries about its place in the source's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stamps {
    /// Nothing; the time of recording counts.
    None,
    Times,
    TimesAndPositions,
}

/// What a source does. Rates are per mille, times ms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct SourceModel {
    pub shape: FeedShape,
    pub events: Events,
    pub observers: usize,
    /// The number of channels; 0: one or two, the seed decides.
    pub channels: usize,
    pub link: LinkKind,
    pub stamps: Stamps,
    /// The unit to which its times are truncated.
    pub grain_ms: Millis,
    /// The average time between two changes.
    pub pace_ms: Millis,
    /// A user may be present on several connections.
    pub connections: bool,
    /// How late the source may notice a change.
    pub notice_ms: Millis,
    /// How much later than its reading a snapshot may be stamped.
    pub stamped_late_ms: Millis,
    /// The longest time that a line is in transit.
    pub latency_ms: Millis,
    /// How far the clocks of the observers and of the store may be off.
    pub clocks_off_ms: Millis,
    /// Live events that are lost though the link is up.
    pub lost: u32,
    /// Lines that arrive much later than lines that were sent after them.
    pub late: u32,
    /// Lines that arrive twice, the second time perhaps much later.
    pub twice: u32,
    /// Lines carry an id.
    pub ids: bool,
    /// Snapshots that do not show everything.
    pub incomplete: u32,
    /// Snapshots that come in pages.
    pub paged: u32,
    /// Snapshots that live events overtake.
    pub overtaken: u32,
    /// How often another snapshot follows though the link was up all the time.
    pub refreshed: u32,
    /// Live events that come together in a `diff`.
    pub together: u32,
    /// Lines without metadata.
    pub bare: u32,
    /// Links that are lost because the token has expired.
    pub expired: u32,
    /// Lines at which the observer's connection to the store breaks off and then continues where it was. Not for a
    /// source that can lose its own link meanwhile without reporting it: if link entries report some gaps, they must
    /// report all of them.
    pub resumed: u32,
}

impl Mix {
    /// Whether the lines of a seed have Agora's shape.
    pub(super) fn speaks_agora(&self, seed: u64) -> bool {
        self.source.shape == FeedShape::Either && seed.is_multiple_of(2)
    }

    /// Whether observers send to a server, which sees their connections.
    pub(super) fn is_served(&self) -> bool {
        self.source.link == LinkKind::Served || self.source.resumed > 0
    }

    /// The source's time stamp for a moment.
    pub(super) fn stamped(&self, at: Millis) -> Millis {
        at - at.rem_euclid(self.source.grain_ms)
    }

    /// How far the source's times may lie behind the truth.
    pub(super) fn blur_ms(&self) -> Millis {
        match self.source.events {
            Events::Topics => self.rules.slack_ms,
            // A change that was noticed late has its own window.
            Events::Presence { .. } => 0,
        }
    }
}
