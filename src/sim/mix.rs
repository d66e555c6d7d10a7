//! A mix: what a source does wrong, and how the guide says that such a source is to be taken in. It is data: `link`
//! reads what the source does, `run` how it is ingested, `score` what must hold. Which ones there are says `mixes`.

use crate::domain::entry::Rules;
use crate::domain::time::Millis;

/// A kind of source, and the options that it needs.
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

/// In whose shape lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FeedShape {
    Own,
    /// One of them, as the seed has it.
    Either,
}

/// What a source tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Events {
    /// The publishers of topics.
    Topics,
    /// Who is in a channel, as Agora's presence service has it.
    Presence {
        /// For a part of the time it tells once an interval.
        intervals: bool,
    },
}

/// What becomes of the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LinkKind {
    /// It holds.
    Steady,
    /// It is lost now and then, and link lines say so.
    Told,
    /// It is lost now and then, and nothing says so: after it the source begins with a snapshot.
    Silent,
    /// Each channel has a link of its own, as with a client like agora-rtm.
    Client(Reconnection),
    /// It is the observer's connection to the store: a server sees it come up and break off, and after it a new source
    /// begins with a snapshot.
    Served,
}

/// How a client like agora-rtm comes back after its link was lost. Rates are per mille, times ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reconnection {
    /// How many of the observers ever resume a session.
    pub resuming: usize,
    /// Links that come back with the session resumed: the client tells differences. The other ones come back with a
    /// new session, and a snapshot.
    pub resumed: u32,
    /// Feeds in which all channels share a link, and no link line names any.
    pub shared: u32,
    /// Feeds in which the client was connected before the first line was forwarded.
    pub unnamed: u32,
    /// Resumed links that fall again before all is told.
    pub falls_again: u32,
    /// Resumed links of which the source says when all has been told.
    pub synced: u32,
    /// How late a loss may be noticed.
    pub noticed_ms: Millis,
    /// How long the link may be up.
    pub up_ms: Millis,
    /// How long it may be down after the loss was noticed.
    pub down_ms: Millis,
}

/// What the source says of the place of a line in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stamps {
    /// Nothing: the time is that of the recording.
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
    /// How many channels; 0: one or two, as the seed has it.
    pub channels: usize,
    pub link: LinkKind,
    pub stamps: Stamps,
    /// To what its times are cut.
    pub grain_ms: Millis,
    /// Between two changes, about.
    pub pace_ms: Millis,
    /// A user may be there several times.
    pub connections: bool,
    /// How long it may take to notice a change.
    pub notice_ms: Millis,
    /// How much later than it is read a snapshot may be stamped.
    pub stamped_late_ms: Millis,
    /// How long a line may be on its way.
    pub latency_ms: Millis,
    /// How far the clocks of observers and of the recording may be off.
    pub clocks_off_ms: Millis,
    /// Live events that are lost though the link is up.
    pub lost: u32,
    /// Lines that come much later than others that were sent behind them.
    pub late: u32,
    /// Lines that come twice, the second time perhaps much later.
    pub twice: u32,
    /// Lines bear an id.
    pub ids: bool,
    /// Snapshots that do not show everything.
    pub incomplete: u32,
    /// Snapshots that come in pages.
    pub paged: u32,
    /// Snapshots that live events overtake.
    pub overtaken: u32,
    /// Stretches of watching in which snapshots come though the link was up.
    pub refreshed: u32,
    /// Live events that come together in a `diff`.
    pub together: u32,
    /// Lines without metadata.
    pub bare: u32,
    /// Links that are lost because the token has expired.
    pub expired: u32,
    /// Lines at which the observer's connection to the store breaks off, and then goes on where it was. Not for a
    /// source that can lose its own link meanwhile and says nothing: where link entries tell of some gaps they must
    /// tell of all.
    pub resumed: u32,
}

impl Mix {
    /// Whether the lines of a seed are of Agora's shape.
    pub(super) fn speaks_agora(&self, seed: u64) -> bool {
        self.source.shape == FeedShape::Either && seed.is_multiple_of(2)
    }

    /// Whether a server hears its observers, and sees their connections.
    pub(super) fn is_served(&self) -> bool {
        self.source.link == LinkKind::Served || self.source.resumed > 0
    }

    /// A moment as the source stamps it.
    pub(super) fn stamped(&self, at: Millis) -> Millis {
        at - at.rem_euclid(self.source.grain_ms)
    }

    /// How far its times may lie behind the truth.
    pub(super) fn blur_ms(&self) -> Millis {
        match self.source.events {
            Events::Topics => self.rules.slack_ms,
            // What was noticed late bears a window of its own.
            Events::Presence { .. } => 0,
        }
    }
}
