//! The types of simulated lines: what a line reports, by the numbers of the world, before it is written as text.

use super::world::{Person, Position, World};
use crate::domain::event::Connection;
use crate::domain::time::Millis;

/// One line, before it is written as text.
#[derive(Debug, Clone)]
pub(super) struct SimLine {
    pub observer: usize,
    /// When the store records it.
    pub recorded: Millis,
    /// The source's time; for lines that the observer itself makes, the observer's time.
    pub stamp: Option<Millis>,
    /// Unique for each occurrence.
    pub id: usize,
    pub said: SimPayload,
}

/// What a line reports.
#[derive(Debug, Clone)]
pub(super) enum SimPayload {
    /// Live changes; several of them make a `diff`.
    Changes {
        of: Vec<Position>,
        bare: bool,
    },
    /// The live changes of an interval, in one line.
    Interval {
        of: Vec<Position>,
        /// A join carries no metadata; another list of the same line does.
        apart: bool,
    },
    Snapshot(SimListing),
    Begin {
        sync: usize,
        channel: usize,
        read: Position,
    },
    Page {
        sync: usize,
        shown: SimListing,
    },
    End {
        sync: usize,
        channel: usize,
        read: Position,
    },
    /// A live event by which a source with a resumed session reports a member that joined or left unnoticed.
    Difference {
        who: Person,
        present: bool,
        /// The position that it shows.
        read: Position,
    },
    Link {
        event: SimLink,
        /// The channel that the line names; `None`: all channels.
        channel: Option<usize>,
    },
    Token(SimToken),
    /// An event of the observer's connection, as a server sees it.
    Connection(Connection),
}

impl SimPayload {
    /// The channel of the line.
    pub fn channel(&self, world: &World) -> Option<usize> {
        match self {
            SimPayload::Changes { of, .. } | SimPayload::Interval { of, .. } => {
                let change = world.change(*of.first()?)?;
                Some(world.member(change.who)?.channel)
            }
            SimPayload::Snapshot(shown) | SimPayload::Page { shown, .. } => Some(shown.channel),
            SimPayload::Begin { channel, .. } | SimPayload::End { channel, .. } => Some(*channel),
            SimPayload::Difference { who, .. } => Some(world.member(*who)?.channel),
            SimPayload::Link { .. } | SimPayload::Token(_) | SimPayload::Connection(_) => None,
        }
    }
}

/// A link event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SimLink {
    Up,
    /// The link is up and the session was resumed: differences follow instead of a snapshot.
    Resumed,
    /// The link is up, and all differences have been sent.
    Synced,
    Down,
    /// The link is down because the token expired.
    Expired,
    /// The link is down, and the session is lost as well.
    Failed,
    /// A link event of another service. It says nothing about these channels.
    Elsewhere,
}

/// A token event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SimToken {
    WillExpire,
    Expired,
    Renewed,
}

/// What a snapshot, or one page of it, shows.
#[derive(Debug, Clone)]
pub(super) struct SimListing {
    pub channel: usize,
    /// The position that it shows.
    pub read: Position,
    pub listed: Vec<Person>,
    /// Members that it shows to be absent, because it does not list them.
    pub absent: Vec<Person>,
    /// The number of publishers of each topic that has a total.
    pub totals: Vec<(usize, usize)>,
    pub extent: Extent,
    /// Without metadata.
    pub bare: bool,
}

/// How much of its channel a snapshot shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    Whole,
    /// Not everything; what is missing is not named.
    Part,
    /// Some topics are left out.
    TopicsLeftOut,
    /// Some publishers of one topic are left out.
    PublishersLeftOut,
}

/// A line in transit.
#[derive(Debug, Clone)]
pub(super) struct SentLine {
    pub at: Millis,
    /// Orders the lines of one moment.
    pub order: (Position, u8),
    pub stamp: Millis,
    pub id: usize,
    pub said: SimPayload,
}
