//! What a source said, before anything is thought about it: one line of a feed, its text borrowed from the line.
//!
//! The shapes that say it (Agora's, Rollbook's own) are `feed`'s business; what follows from it is `decide`'s.

use super::order::Stamp;
use super::time::Millis;
use std::borrow::Cow;

/// Text borrowed from a line, owned where the line escapes it.
pub type Str<'a> = Cow<'a, str>;

/// One line of a feed.
#[derive(Debug, Clone, PartialEq)]
pub struct Event<'a> {
    /// Who watched.
    pub observer: Str<'a>,
    /// The observer's own user, if the line names one. No snapshot infers that this user left.
    pub self_user: Option<Str<'a>>,
    /// What names the occurrence, for safe retries.
    pub id: Option<Str<'a>>,
    /// The line's place in the source's order.
    pub stamp: Stamp,
    /// What it says.
    pub payload: EventPayload<'a>,
}

/// What a line says.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum EventPayload<'a> {
    /// Live changes of members of one channel, in the order in which they are to be taken.
    Changes {
        /// The channel.
        channel: Str<'a>,
        /// The changes. A `diff` lists its leaves, then its joins.
        changes: Vec<ReportedChange<'a>>,
        /// Applied together ([guide](crate::guide::semantics#own-format), `diff`): leaves before joins, each sorted;
        /// a present member in both is one update.
        together: bool,
        /// How many members the source counts after them (Agora's presence intervals). Where the roster's size
        /// differs, something was missed.
        occupancy: Option<u64>,
    },
    /// The whole of a channel, or the part of it that the line shows.
    Snapshot {
        /// The channel.
        channel: Str<'a>,
        /// What it lists.
        shown: ReportedListing<'a>,
    },
    /// A paged snapshot begins.
    SnapshotBegin {
        /// The channel.
        channel: Str<'a>,
        /// The name of the paged snapshot.
        sync: Str<'a>,
        /// The pages will not show the whole channel.
        incomplete: bool,
    },
    /// One page of it.
    SnapshotPage {
        /// The channel.
        channel: Str<'a>,
        /// The name of the paged snapshot.
        sync: Str<'a>,
        /// What the page lists.
        shown: ReportedListing<'a>,
    },
    /// The paged snapshot ends, and takes effect.
    SnapshotEnd {
        /// The channel.
        channel: Str<'a>,
        /// The name of the paged snapshot.
        sync: Str<'a>,
        /// The pages did not show the whole channel.
        incomplete: bool,
    },
    /// The link to the source came up or went down.
    Link(ReportedLink<'a>),
    /// Something about the access token.
    Token(ReportedToken<'a>),
    /// The ingest connection of the observer came or went. The server reports this, not the source.
    Connection(ReportedConnection),
    /// The source counts the members of a channel.
    Occupancy {
        /// The channel.
        channel: Str<'a>,
        /// How many it has.
        members: u64,
    },
    /// The source has sent all differences by now. No line states this; it is concluded from a later line
    /// ([`resyncs_before`](super::resync::resyncs_before)).
    Resync {
        /// The channel.
        channel: Str<'a>,
        /// The time at which the observer's list was true, Unix ms.
        at: Millis,
    },
    /// A line that makes no entry (Agora's `NONE`, a live line that applies to nobody).
    Nothing,
}

/// What kind of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChangeKind {
    /// A publisher came.
    Join,
    /// Metadata of a publisher changed.
    Update,
    /// A publisher went.
    Leave,
}

/// One change of one member.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportedChange<'a> {
    /// What happened.
    pub kind: ChangeKind,
    /// In which topic.
    pub topic: Str<'a>,
    /// To whom.
    pub who: ReportedMember<'a>,
}

/// One member as a line lists it.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportedMember<'a> {
    /// The user id.
    pub user: Str<'a>,
    /// The connection, empty where the source allows one instance a user.
    pub conn: Str<'a>,
    /// Metadata as canonical JSON text; `None` where the line says nothing about it (an explicit `null` is `"null"`).
    pub meta: Option<Str<'a>>,
    /// The member's own stamp. Missing parts are taken from the line's stamp.
    pub stamp: Stamp,
    /// Why, where the source says.
    pub reason: Option<Str<'a>>,
    /// The longest possible delay between a change and its notice by the source, ms; 0: none. It means nothing where a
    /// snapshot lists the member.
    pub late_ms: Millis,
}

/// What a snapshot (or a page) lists.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ReportedListing<'a> {
    /// The topics in the line's order; a topic may come twice.
    pub topics: Vec<ReportedTopic<'a>>,
    /// How many topics there are, where the source counts them.
    pub total_topics: Option<u64>,
    /// The source says that it is not the whole channel.
    pub incomplete: bool,
}

/// One topic of a snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportedTopic<'a> {
    /// The topic.
    pub topic: Str<'a>,
    /// How many publishers it has, where the source counts them.
    pub total: Option<u64>,
    /// Those that are listed.
    pub members: Vec<ReportedMember<'a>>,
}

/// What a link line says.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportedLink<'a> {
    /// What became of the link.
    pub state: LinkState,
    /// The channels it names; none = all of the observer's that belong to the service.
    pub channels: Vec<Str<'a>>,
    /// Channels that stay as they are, whatever the rest of the line says.
    pub unrestored: Vec<Str<'a>>,
    /// Which of the observer's channels the link carries.
    pub service: Service,
    /// Why, where the source says.
    pub reason: Option<Str<'a>>,
}

/// What became of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkState {
    /// It came up. What was missed, the next snapshot shows.
    Up,
    /// It came up, and the source tells what was missed as joins and leaves instead of a snapshot.
    UpWithDifferences,
    /// It is up, and all such differences have been sent by now.
    Synced,
    /// It went down (with Agora: any state but `CONNECTED`).
    Down,
}

impl LinkState {
    /// Whether the link is up.
    #[must_use]
    pub fn is_up(self) -> bool {
        self != LinkState::Down
    }
}

/// The service of the source that a link belongs to, and with it the channels that the link carries. Agora has one for
/// messages and presence and one for stream channels and their topics; other sources have one for everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Service {
    /// All of the observer's channels.
    All,
    /// The channels of topics.
    Topics,
    /// The channels of presence events. They are called `message:NAME` and `stream:NAME`; the line names just `NAME`.
    Presence,
    /// Both: a line of Agora that names no service. `NAME` means the topic channel `NAME`, and the presence channels
    /// `message:NAME` and `stream:NAME`.
    TopicsAndPresence,
    /// None: the line is recorded, and touches nothing.
    Other,
}

/// What is known of an observer's ingest connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportedConnection {
    /// What became of it.
    pub what: Connection,
    /// For a connection that comes up: the time of its first event, if that has one, Unix ms. A connection that goes down
    /// counts as down from its last proof.
    pub at: Option<Millis>,
}

/// The life of an ingest connection. One at a time speaks for an observer: the newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Connection {
    /// Its first event has come, of a feed that was not heard before.
    Up,
    /// Its first event has come, and goes on behind the last durable line of a feed: nothing was missed.
    Resumed,
    /// It broke off.
    Lost,
    /// It was found up when the store was opened: its server has died.
    Restart,
    /// It ended in order: nothing was lost, and there is nothing to record. It makes no entry.
    Closed,
    /// What was recorded of the observer from here on, over whatever connection or file, was lost from a damaged log. So
    /// nothing is known of its link, of its connection and of its lists.
    Missing,
}

impl Connection {
    const ALL: [Connection; 6] = [
        Connection::Up,
        Connection::Resumed,
        Connection::Lost,
        Connection::Restart,
        Connection::Closed,
        Connection::Missing,
    ];

    /// The word for it, where a log is replayed.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Connection::Up => "up",
            Connection::Resumed => "resumed",
            Connection::Lost => "lost",
            Connection::Restart => "restart",
            Connection::Closed => "closed",
            Connection::Missing => "missing",
        }
    }

    /// What a word says.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Connection> {
        Self::ALL.into_iter().find(|what| what.word() == word)
    }

    /// Whether the connection is lost by it.
    #[must_use]
    pub fn is_loss(self) -> bool {
        matches!(
            self,
            Connection::Lost | Connection::Restart | Connection::Missing
        )
    }
}

/// What a token line says.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportedToken<'a> {
    /// What happened to it.
    pub state: TokenState,
    /// The one channel that it touches; none = all of the observer's.
    pub channel: Option<Str<'a>>,
    /// Why, where the source says.
    pub reason: Option<Str<'a>>,
}

/// The life of an access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenState {
    /// It will expire soon.
    WillExpire,
    /// It has expired.
    Expired,
    /// A new one took its place.
    Renewed,
    /// A permission was taken back.
    Revoked,
}

fn owned(text: Str<'_>) -> Str<'static> {
    Cow::Owned(text.into_owned())
}

impl Event<'_> {
    /// The same event, with its text copied out of the line.
    #[must_use]
    pub fn into_owned(self) -> Event<'static> {
        Event {
            observer: owned(self.observer),
            self_user: self.self_user.map(owned),
            id: self.id.map(owned),
            stamp: self.stamp,
            payload: self.payload.into_owned(),
        }
    }
}

impl EventPayload<'_> {
    fn into_owned(self) -> EventPayload<'static> {
        match self {
            EventPayload::Changes {
                channel,
                changes,
                together,
                occupancy,
            } => {
                let changes = changes.into_iter().map(|change| ReportedChange {
                    kind: change.kind,
                    topic: owned(change.topic),
                    who: change.who.into_owned(),
                });
                EventPayload::Changes {
                    channel: owned(channel),
                    changes: changes.collect(),
                    together,
                    occupancy,
                }
            }
            EventPayload::Snapshot { channel, shown } => EventPayload::Snapshot {
                channel: owned(channel),
                shown: shown.into_owned(),
            },
            EventPayload::SnapshotBegin {
                channel,
                sync,
                incomplete,
            } => EventPayload::SnapshotBegin {
                channel: owned(channel),
                sync: owned(sync),
                incomplete,
            },
            EventPayload::SnapshotPage {
                channel,
                sync,
                shown,
            } => EventPayload::SnapshotPage {
                channel: owned(channel),
                sync: owned(sync),
                shown: shown.into_owned(),
            },
            EventPayload::SnapshotEnd {
                channel,
                sync,
                incomplete,
            } => EventPayload::SnapshotEnd {
                channel: owned(channel),
                sync: owned(sync),
                incomplete,
            },
            EventPayload::Link(link) => EventPayload::Link(ReportedLink {
                state: link.state,
                channels: link.channels.into_iter().map(owned).collect(),
                unrestored: link.unrestored.into_iter().map(owned).collect(),
                service: link.service,
                reason: link.reason.map(owned),
            }),
            EventPayload::Token(token) => EventPayload::Token(ReportedToken {
                state: token.state,
                channel: token.channel.map(owned),
                reason: token.reason.map(owned),
            }),
            EventPayload::Connection(said) => EventPayload::Connection(said),
            EventPayload::Occupancy { channel, members } => EventPayload::Occupancy {
                channel: owned(channel),
                members,
            },
            EventPayload::Resync { channel, at } => EventPayload::Resync {
                channel: owned(channel),
                at,
            },
            EventPayload::Nothing => EventPayload::Nothing,
        }
    }
}

impl ReportedListing<'_> {
    fn into_owned(self) -> ReportedListing<'static> {
        let topics = self.topics.into_iter().map(|topic| ReportedTopic {
            topic: owned(topic.topic),
            total: topic.total,
            members: topic
                .members
                .into_iter()
                .map(ReportedMember::into_owned)
                .collect(),
        });
        ReportedListing {
            topics: topics.collect(),
            total_topics: self.total_topics,
            incomplete: self.incomplete,
        }
    }
}

impl ReportedMember<'_> {
    fn into_owned(self) -> ReportedMember<'static> {
        ReportedMember {
            user: owned(self.user),
            conn: owned(self.conn),
            meta: self.meta.map(owned),
            stamp: self.stamp,
            reason: self.reason.map(owned),
            late_ms: self.late_ms,
        }
    }
}
