//! Rebuilds the event behind a commit from the log: `verify --deep` decides about it again, and replay sends it
//! again. With the same rules at the same moment, it makes the same entries.

use super::claims;
use super::entry::{
    ConnectionEnd, Entry, FullListing, LinkChange, Page, PageStep, Payload, Snapshot,
    SnapshotOrigin, Text, TokenChange,
};
use super::event::{
    ChangeKind, Connection, Event, EventPayload, LinkState, ReportedChange, ReportedConnection,
    ReportedLink, ReportedListing, ReportedMember, ReportedToken, ReportedTopic, Service, Str,
};
use super::names::{MemberId, NameId, Names};
use super::order::Stamp;
use super::own_list::Collected;
use super::state::State;
use super::watch::Watch;

/// What the source reported, as far as it matters for what follows. `state` is the state before the commit. `None`:
/// no event makes these entries.
#[must_use]
pub fn event_behind(entries: &[Entry], state: &State, names: &Names) -> Option<Event<'static>> {
    let first = entries.first()?;
    let mut self_user = None;
    let mut stamp = first.stamp;
    let said = match &first.payload {
        Payload::Change(change) => {
            // Each change had its own stamp or the line's; the entry holds it as the change's stamp.
            stamp = Stamp::NONE;
            let channel = name(names.key(change.member).channel, names);
            let changes = entries.iter().map(|entry| change_said(entry, names));
            EventPayload::Changes {
                channel,
                changes: changes.collect::<Option<_>>()?,
                together: false,
                occupancy: None,
            }
        }
        Payload::Snapshot(snapshot) => {
            self_user = snapshot.self_user.map(|user| name(user, names));
            snapshot_said(first, snapshot, entries, state, names)?
        }
        Payload::Link(link) if link.connection.is_some() => {
            // A connection that replaced another one records the loss of that one first.
            connection_said(entries.last()?)?
        }
        Payload::Link(link) => link_said(link, entries, names),
        Payload::Token(token) => token_said(token, names),
    };
    let observer = name(first.observer, names);
    Some(Event {
        observer,
        self_user,
        id: text(first.id.as_ref()),
        stamp,
        payload: said,
    })
}

/// The event behind a step of a paged snapshot.
#[must_use]
pub fn page_behind(page: &Page, names: &Names) -> Event<'static> {
    let (channel, sync) = (name(page.channel, names), Str::Owned(page.sync.to_string()));
    let mut event = Event {
        observer: name(page.observer, names),
        self_user: None,
        id: None,
        stamp: Stamp::NONE,
        payload: EventPayload::Nothing,
    };
    match &page.step {
        PageStep::Begin {
            begin,
            self_user,
            incomplete,
            id,
        } => {
            event.self_user = self_user.map(|user| name(user, names));
            event.id = text(id.as_ref());
            event.stamp = begin.stamp;
            event.payload = EventPayload::SnapshotBegin {
                channel,
                sync,
                incomplete: *incomplete,
            };
        }
        PageStep::Members(whole) => {
            event.payload = EventPayload::SnapshotPage {
                channel,
                sync,
                shown: shown(whole, names),
            };
        }
    }
    event
}

/// The event behind a connection that ended cleanly.
#[must_use]
pub fn closed_behind(closed: &ConnectionEnd, names: &Names) -> Event<'static> {
    let what = Connection::Closed;
    Event {
        observer: name(closed.observer, names),
        self_user: None,
        id: None,
        stamp: Stamp::NONE,
        payload: EventPayload::Connection(ReportedConnection { what, at: None }),
    }
}

/// The event for an ended paged snapshot, in one line without pages: it lists the roster after it.
#[must_use]
pub fn standing_behind(
    entry: &Entry,
    snapshot: &Snapshot,
    inferred: &[Entry],
    state: &State,
    names: &Names,
) -> Event<'static> {
    let whole = FullListing {
        incomplete: !snapshot.complete,
        ..claims::standing(snapshot.channel, inferred, state, names)
    };
    Event {
        observer: name(entry.observer, names),
        self_user: snapshot.self_user.map(|user| name(user, names)),
        id: text(entry.id.as_ref()),
        stamp: entry.stamp,
        payload: EventPayload::Snapshot {
            channel: name(snapshot.channel, names),
            shown: shown(&whole, names),
        },
    }
}

/// The current roster of a channel, as a snapshot of the moment since which it is unchanged. `None`: no source has
/// reported about its members.
#[must_use]
pub fn roster_behind(
    channel: NameId,
    observer: &str,
    state: &State,
    names: &Names,
) -> Option<Event<'static>> {
    let known = state.channel(channel)?;
    let since = (known.effective_seq > 0).then_some(known.effective_at)?;
    Some(Event {
        observer: Str::Owned(observer.to_owned()),
        self_user: None,
        id: None,
        stamp: Stamp {
            ts: Some(since),
            ..Stamp::NONE
        },
        payload: EventPayload::Snapshot {
            channel: name(channel, names),
            shown: shown(&claims::standing(channel, &[], state, names), names),
        },
    })
}

/// The events of a resync in progress: the link up that began it, and the differences so far. Empty outside a resync.
#[must_use]
pub fn resync_behind(
    channel: NameId,
    observer: &str,
    state: &State,
    names: &Names,
) -> Vec<Event<'static>> {
    let watch = names.find(observer).and_then(|observer| {
        let watching = state.channel(channel)?.watching();
        watching.of(observer)
    });
    let Some(collecting) = watch.and_then(Watch::collecting) else {
        return Vec::new();
    };
    let event = |ts, said| Event {
        observer: Str::Owned(observer.to_owned()),
        self_user: None,
        id: None,
        stamp: Stamp { pos: None, ts },
        payload: said,
    };
    let link = EventPayload::Link(ReportedLink {
        state: LinkState::UpWithDifferences,
        channels: vec![name(channel, names)],
        unrestored: Vec::new(),
        service: Service::All,
        reason: None,
    });
    let mut members: Vec<(&MemberId, &Collected)> = collecting.members.iter().collect();
    members
        .sort_unstable_by(|(a, x), (b, y)| x.at.cmp(&y.at).then_with(|| names.compare(**a, **b)));
    let changes = members.into_iter().map(|(&of, collected)| {
        let stamp = Stamp {
            ts: Some(collected.at),
            ..collected.stamp
        };
        ReportedChange {
            kind: if collected.present {
                ChangeKind::Join
            } else {
                ChangeKind::Leave
            },
            topic: name(names.key(of).topic, names),
            who: member(of, collected.meta.as_ref(), stamp, names),
        }
    });
    let said = EventPayload::Changes {
        channel: name(channel, names),
        changes: changes.collect(),
        together: false,
        occupancy: None,
    };
    let mut events = vec![event(Some(collecting.up_at), link)];
    if !collecting.members.is_empty() {
        events.push(event(None, said));
    }
    events
}

fn name(name: NameId, names: &Names) -> Str<'static> {
    Str::Owned(names.text(name).to_owned())
}

fn text(text: Option<&Text>) -> Option<Str<'static>> {
    text.map(|text| Str::Owned(text.to_string()))
}

fn member(
    of: MemberId,
    meta: Option<&Text>,
    stamp: Stamp,
    names: &Names,
) -> ReportedMember<'static> {
    let key = names.key(of);
    let (user, conn) = (name(key.user, names), name(key.conn, names));
    ReportedMember {
        conn,
        meta: text(meta),
        stamp,
        ..ReportedMember::of(user)
    }
}

fn change_said(entry: &Entry, names: &Names) -> Option<ReportedChange<'static>> {
    let Payload::Change(change) = &entry.payload else {
        return None;
    };
    // An applied leave stores the last known metadata, not the reported one. Either gives the same decision.
    let leaves = change.is_applied() && change.kind == ChangeKind::Leave;
    let meta = change.meta.as_ref().filter(|_| !leaves);
    let who = member(change.member, meta, entry.stamp, names);
    let late_ms = change.late.map_or(0, |late| late.late_ms);
    let reason = text(change.reason.as_ref());
    let topic = name(names.key(change.member).topic, names);
    Some(ReportedChange {
        kind: change.reported,
        topic,
        who: ReportedMember {
            reason,
            late_ms,
            ..who
        },
    })
}

fn snapshot_said(
    entry: &Entry,
    snapshot: &Snapshot,
    entries: &[Entry],
    state: &State,
    names: &Names,
) -> Option<EventPayload<'static>> {
    let channel = name(snapshot.channel, names);
    match snapshot.origin {
        SnapshotOrigin::Listed => {}
        SnapshotOrigin::Differences => {
            let at = entry.occurred_at;
            return Some(EventPayload::Resync { channel, at });
        }
        SnapshotOrigin::Occupancy => {
            let members = u64::from(snapshot.listed);
            return Some(EventPayload::Occupancy { channel, members });
        }
    }
    if snapshot.begin.is_some() {
        // The log holds its pages, and so the state does.
        let watching = state.channel(snapshot.channel)?.watching();
        let (sync, already) = watching.open_sync(entry.observer)?;
        let incomplete = !snapshot.complete && !already;
        return Some(EventPayload::SnapshotEnd {
            channel,
            sync: Str::Owned(sync.to_owned()),
            incomplete,
        });
    }
    let inferred = entries.get(1..).unwrap_or_default();
    let whole = claims::listed(snapshot, inferred, state, names);
    Some(EventPayload::Snapshot {
        channel,
        shown: shown(&whole, names),
    })
}

fn shown(whole: &FullListing, names: &Names) -> ReportedListing<'static> {
    let mut members = whole.members.iter().peekable();
    let topics: Vec<ReportedTopic<'static>> = whole
        .topics
        .iter()
        .map(|&(topic, short)| {
            let mut listed = Vec::new();
            while let Some((of, claim)) = members.next_if(|(of, _)| names.key(*of).topic == topic) {
                listed.push(member(*of, claim.meta.as_ref(), claim.stamp, names));
            }
            let total = short.then_some(listed.len() as u64 + 1);
            ReportedTopic {
                topic: name(topic, names),
                total,
                members: listed,
            }
        })
        .collect();
    let total_topics = whole.topics_missing.then_some(topics.len() as u64 + 1);
    ReportedListing {
        topics,
        total_topics,
        incomplete: whole.incomplete,
    }
}

fn link_said(link: &LinkChange, entries: &[Entry], names: &Names) -> EventPayload<'static> {
    let channels = entries.iter().filter_map(|entry| match &entry.payload {
        Payload::Link(link) => link.channel.map(|channel| name(channel, names)),
        _ => None,
    });
    EventPayload::Link(ReportedLink {
        state: link.state,
        channels: channels.collect(),
        unrestored: link
            .except
            .iter()
            .map(|&channel| name(channel, names))
            .collect(),
        service: link.service,
        reason: text(link.reason.as_ref()),
    })
}

fn connection_said(entry: &Entry) -> Option<EventPayload<'static>> {
    let Payload::Link(link) = &entry.payload else {
        return None;
    };
    Some(EventPayload::Connection(ReportedConnection {
        what: link.connection?,
        at: Some(entry.occurred_at),
    }))
}

fn token_said(token: &TokenChange, names: &Names) -> EventPayload<'static> {
    EventPayload::Token(ReportedToken {
        state: token.state,
        channel: token.channel.map(|channel| name(channel, names)),
        reason: text(token.reason.as_ref()),
    })
}
