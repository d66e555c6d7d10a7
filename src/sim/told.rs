//! The vocabulary of the link: what a line says, by numbers of the world; nothing of how it is written.

use super::world::{Person, Position, World};
use crate::domain::event::Connection;
use crate::domain::time::Millis;

/// One line, before it is written down.
#[derive(Debug, Clone)]
pub(super) struct SimLine {
    pub observer: usize,
    /// When the store records it.
    pub recorded: Millis,
    /// The source's time, or the observer's for what it says itself.
    pub stamp: Option<Millis>,
    /// Unique to the occurrence.
    pub id: usize,
    pub said: SimPayload,
}

/// What a line says.
#[derive(Debug, Clone)]
pub(super) enum SimPayload {
    /// Live changes, more than one in a `diff`.
    Changes {
        of: Vec<Position>,
        bare: bool,
    },
    /// Live changes of an interval, in one line.
    Interval {
        of: Vec<Position>,
        /// A join tells nothing of metadata, but another list of the line does.
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
    /// What a source that resumed its session tells, as live, of one it had not known to be there or gone.
    Difference {
        who: Person,
        present: bool,
        /// As of which position.
        read: Position,
    },
    Link {
        event: SimLink,
        /// The channel that it names; `None`: all of them.
        channel: Option<usize>,
    },
    Token(SimToken),
    /// What a server sees of the observer's connection to it.
    Connection(Connection),
}

impl SimPayload {
    /// The channel that it is about.
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

/// What is said of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SimLink {
    Up,
    /// It is up, the session was resumed: differences follow instead of a snapshot.
    Resumed,
    /// It is up, and all differences have been told.
    Synced,
    Down,
    /// It is down because the token expired.
    Expired,
    /// The session is lost as well.
    Failed,
    /// Something became of the link of another service, which says nothing of these channels.
    Elsewhere,
}

/// What is said of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SimToken {
    WillExpire,
    Expired,
    Renewed,
}

/// What a snapshot, or a page of it, shows.
#[derive(Debug, Clone)]
pub(super) struct SimListing {
    pub channel: usize,
    /// As of which position.
    pub read: Position,
    pub listed: Vec<Person>,
    /// Whom it shows to be absent, being not listed.
    pub absent: Vec<Person>,
    /// How many publishers each topic has that is counted.
    pub totals: Vec<(usize, usize)>,
    pub extent: Extent,
    /// Without metadata.
    pub bare: bool,
}

/// How much of its channel a snapshot shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    Whole,
    /// It does not show everything, and says no more than that.
    Part,
    /// Not every topic.
    TopicsLeftOut,
    /// Not everybody of one topic.
    PublishersLeftOut,
}

/// A line on its way.
#[derive(Debug, Clone)]
pub(super) struct SentLine {
    pub at: Millis,
    /// Among those of the same moment.
    pub order: (Position, u8),
    pub stamp: Millis,
    pub id: usize,
    pub said: SimPayload,
}
