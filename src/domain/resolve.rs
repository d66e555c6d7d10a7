//! Gives the names of an event their numbers. This is the only place where the dictionary grows; what follows from
//! the event is not decided here.

use super::event::{
    Event, EventPayload, ReportedChange, ReportedConnection, ReportedLink, ReportedListing,
    ReportedMember, ReportedToken, Service, Str,
};
use super::names::{MemberId, MemberKey, NameId, Names};
use super::order::Stamp;
use super::time::Millis;

/// An event whose names are numbers.
#[derive(Debug, Clone)]
pub struct ResolvedEvent<'e> {
    /// Who watched.
    pub observer: NameId,
    pub(super) self_user: Option<NameId>,
    pub(super) id: Option<&'e str>,
    pub(super) stamp: Stamp,
    pub(super) payload: ResolvedPayload<'e>,
}

impl ResolvedEvent<'_> {
    /// Whether the members of a whole channel are compared with it.
    #[must_use]
    pub fn is_snapshot(&self) -> bool {
        let payload = &self.payload;
        matches!(
            payload,
            ResolvedPayload::Snapshot { .. } | ResolvedPayload::SnapshotEnd { .. }
        )
    }
}

/// The payload of an event whose names are numbers.
#[derive(Debug, Clone)]
pub(super) enum ResolvedPayload<'e> {
    Changes {
        channel: NameId,
        changes: Vec<ResolvedChange<'e>>,
        together: bool,
        occupancy: Option<u64>,
    },
    Snapshot {
        channel: NameId,
        listing: NumberedListing<'e>,
    },
    SnapshotBegin {
        channel: NameId,
        sync: &'e str,
        incomplete: bool,
    },
    SnapshotPage {
        channel: NameId,
        sync: &'e str,
        listing: NumberedListing<'e>,
    },
    SnapshotEnd {
        channel: NameId,
        sync: &'e str,
        incomplete: bool,
    },
    Link(ResolvedLink<'e>),
    Token {
        channel: Option<NameId>,
        said: &'e ReportedToken<'e>,
    },
    Connection(ReportedConnection),
    Occupancy {
        channel: NameId,
        members: u64,
    },
    Resync {
        channel: NameId,
        at: Millis,
    },
    Nothing,
}

/// A change of a member.
pub(super) type ResolvedChange<'e> = (MemberId, &'e ReportedChange<'e>);

/// What a snapshot or a page lists, with the numbers of its topics and members in the order listed.
#[derive(Debug, Clone)]
pub(super) struct NumberedListing<'e> {
    pub said: &'e ReportedListing<'e>,
    pub topics: Vec<NameId>,
    pub members: Vec<MemberId>,
}

/// A link line, and the channels that its names may mean.
#[derive(Debug, Clone)]
pub(super) struct ResolvedLink<'e> {
    pub said: &'e ReportedLink<'e>,
    /// The channels whose very names it has, as far as they are known.
    pub named: Vec<NameId>,
    pub channels: Vec<LinkedChannel>,
    pub unrestored: Vec<LinkedChannel>,
}

/// A channel that a link line may mean.
#[derive(Debug, Clone, Copy)]
pub(super) struct LinkedChannel {
    pub name: NameId,
    /// The line has this very name; otherwise it is what presence calls the channel of that name.
    pub literal: bool,
}

/// Numbers the names of an event.
///
/// ```
/// use rollbook::domain::{event::Event, names::Names, resolve::resolve};
/// let mut names = Names::new();
/// let event = Event::join("room", "gesture", "lily").at(1_000);
/// assert_eq!(names.find("room"), None);
/// resolve(&event, &mut names);
/// assert!(names.find("room").is_some() && names.find("lily").is_some());
/// ```
#[must_use]
pub fn resolve<'e>(event: &'e Event<'_>, names: &mut Names) -> ResolvedEvent<'e> {
    let self_user = event.self_user.as_deref();
    ResolvedEvent {
        observer: names.intern(&event.observer),
        self_user: self_user.map(|user| names.intern(user)),
        id: event.id.as_deref(),
        stamp: event.stamp,
        payload: payload(&event.payload, names),
    }
}

fn payload<'e>(payload: &'e EventPayload<'_>, names: &mut Names) -> ResolvedPayload<'e> {
    match payload {
        EventPayload::Changes {
            channel,
            changes,
            together,
            occupancy,
        } => {
            let channel = names.intern(channel);
            ResolvedPayload::Changes {
                channel,
                changes: resolved(channel, changes, names),
                together: *together,
                occupancy: *occupancy,
            }
        }
        EventPayload::Snapshot { channel, shown } => {
            let channel = names.intern(channel);
            ResolvedPayload::Snapshot {
                channel,
                listing: listing(channel, shown, names),
            }
        }
        EventPayload::SnapshotBegin {
            channel,
            sync,
            incomplete,
        } => ResolvedPayload::SnapshotBegin {
            channel: names.intern(channel),
            sync,
            incomplete: *incomplete,
        },
        EventPayload::SnapshotPage {
            channel,
            sync,
            shown,
        } => {
            let channel = names.intern(channel);
            ResolvedPayload::SnapshotPage {
                channel,
                sync,
                listing: listing(channel, shown, names),
            }
        }
        EventPayload::SnapshotEnd {
            channel,
            sync,
            incomplete,
        } => ResolvedPayload::SnapshotEnd {
            channel: names.intern(channel),
            sync,
            incomplete: *incomplete,
        },
        EventPayload::Link(said) => ResolvedPayload::Link(link(said, names)),
        EventPayload::Token(said) => ResolvedPayload::Token {
            channel: said.channel.as_deref().map(|name| names.intern(name)),
            said,
        },
        EventPayload::Connection(said) => ResolvedPayload::Connection(*said),
        EventPayload::Occupancy { channel, members } => ResolvedPayload::Occupancy {
            channel: names.intern(channel),
            members: *members,
        },
        EventPayload::Resync { channel, at } => ResolvedPayload::Resync {
            channel: names.intern(channel),
            at: *at,
        },
        EventPayload::Nothing => ResolvedPayload::Nothing,
    }
}

fn resolved<'e>(
    channel: NameId,
    changes: &'e [ReportedChange<'_>],
    names: &mut Names,
) -> Vec<ResolvedChange<'e>> {
    let changes = changes.iter();
    let resolved = changes.map(|change| {
        let topic = names.intern(&change.topic);
        (member(channel, topic, &change.who, names), change)
    });
    resolved.collect()
}

fn link<'e>(said: &'e ReportedLink<'_>, names: &mut Names) -> ResolvedLink<'e> {
    let known = said.channels.iter().filter_map(|name| names.find(name));
    ResolvedLink {
        said,
        named: known.collect(),
        channels: linked(said.service, &said.channels, names),
        unrestored: linked(said.service, &said.unrestored, names),
    }
}

fn member(channel: NameId, topic: NameId, who: &ReportedMember<'_>, names: &mut Names) -> MemberId {
    let user = names.intern(&who.user);
    let conn = names.intern(&who.conn);
    names.member(MemberKey {
        channel,
        topic,
        user,
        conn,
    })
}

fn listing<'e>(
    channel: NameId,
    said: &'e ReportedListing<'_>,
    names: &mut Names,
) -> NumberedListing<'e> {
    let listed: usize = said.topics.iter().map(|topic| topic.members.len()).sum();
    let mut members = Vec::with_capacity(listed);
    let mut topics = Vec::with_capacity(said.topics.len());
    // A wrong guess costs more than none. So guess only after a member for which it was, or would have been, right.
    let (mut before, mut in_order) = (None, false);
    for said in &said.topics {
        let topic = names.intern(&said.topic);
        topics.push(topic);
        for who in &said.members {
            let behind = before.filter(|_| in_order).and_then(|before: MemberId| {
                let named = [who.user.as_ref(), who.conn.as_ref()];
                names.member_behind(before, [channel, topic], named)
            });
            let member = behind.unwrap_or_else(|| member(channel, topic, who, names));
            in_order = before.is_some_and(|before| before.is_followed_by(member));
            before = Some(member);
            members.push(member);
        }
    }
    NumberedListing {
        said,
        topics,
        members,
    }
}

/// The channels that names in a link line of a service may mean. A name that presence alone would use is no channel
/// before an event has used it.
fn linked(service: Service, said: &[Str<'_>], names: &mut Names) -> Vec<LinkedChannel> {
    let mut channels = Vec::with_capacity(said.len());
    for name in said {
        for channel in service.channels_of(name) {
            let literal = channel == **name;
            let found = if literal {
                Some(names.intern(&channel))
            } else {
                names.find(&channel)
            };
            channels.extend(found.map(|name| LinkedChannel { name, literal }));
        }
    }
    channels
}
