//! The event behind a commit, out of the log: so that `verify --deep` can decide about it again, and replay can tell
//! it again. Decided about by the same rules at the same moment, it makes the same entries.

use super::claims;
use super::entry::{
    Closed, Entry, Link, Page, PageStep, Snapshot, SnapshotOrigin, Text, Token, What, Whole,
};
use super::event::{
    ChangeSaid, Connection, ConnectionSaid, Event, Kind, LinkSaid, LinkState, MemberSaid, Said,
    Service, Shown, Str, TokenSaid, TopicShown,
};
use super::names::{Member, Name, Names};
use super::order::Stamp;
use super::own_list::Collected;
use super::state::State;
use super::watch::Watch;

/// What the source said, as far as it matters for what follows; `state` is that before the commit. `None` for entries
/// that no event makes.
#[must_use]
pub fn event_behind(entries: &[Entry], state: &State, names: &Names) -> Option<Event<'static>> {
    let first = entries.first()?;
    let mut self_user = None;
    let mut stamp = first.stamp;
    let said = match &first.what {
        What::Change(change) => {
            // Each change bears its own stamp, or the line's: either way it is the change's now.
            stamp = Stamp::NONE;
            let channel = name(names.key(change.member).channel, names);
            let changes = entries.iter().map(|entry| change_said(entry, names));
            Said::Changes {
                channel,
                changes: changes.collect::<Option<_>>()?,
                together: false,
                occupancy: None,
            }
        }
        What::Snapshot(snapshot) => {
            self_user = snapshot.self_user.map(|user| name(user, names));
            snapshot_said(first, snapshot, entries, state, names)?
        }
        What::Link(link) if link.connection.is_some() => {
            // One that has replaced another tells of its loss first.
            connection_said(entries.last()?)?
        }
        What::Link(link) => link_said(link, entries, names),
        What::Token(token) => token_said(token, names),
    };
    let observer = name(first.observer, names);
    Some(Event {
        observer,
        self_user,
        id: text(first.id.as_ref()),
        stamp,
        said,
    })
}

/// The same for a step of a paged snapshot.
#[must_use]
pub fn page_behind(page: &Page, names: &Names) -> Event<'static> {
    let (channel, sync) = (name(page.channel, names), Str::Owned(page.sync.to_string()));
    let mut event = Event {
        observer: name(page.observer, names),
        self_user: None,
        id: None,
        stamp: Stamp::NONE,
        said: Said::Nothing,
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
            event.said = Said::SnapshotBegin {
                channel,
                sync,
                incomplete: *incomplete,
            };
        }
        PageStep::Members(whole) => {
            event.said = Said::SnapshotPage {
                channel,
                sync,
                shown: shown(whole, names),
            };
        }
    }
    event
}

/// The same for a connection that ended in order.
#[must_use]
pub fn closed_behind(closed: &Closed, names: &Names) -> Event<'static> {
    let what = Connection::Closed;
    Event {
        observer: name(closed.observer, names),
        self_user: None,
        id: None,
        stamp: Stamp::NONE,
        said: Said::Connection(ConnectionSaid { what, at: None }),
    }
}

/// A paged snapshot that has ended, told in one line without its pages: the roster that stood after it.
#[must_use]
pub fn standing_behind(
    entry: &Entry,
    snapshot: &Snapshot,
    inferred: &[Entry],
    state: &State,
    names: &Names,
) -> Event<'static> {
    let whole = Whole {
        incomplete: !snapshot.complete,
        ..claims::standing(snapshot.channel, inferred, state, names)
    };
    Event {
        observer: name(entry.observer, names),
        self_user: snapshot.self_user.map(|user| name(user, names)),
        id: text(entry.id.as_ref()),
        stamp: entry.stamp,
        said: Said::Snapshot {
            channel: name(snapshot.channel, names),
            shown: shown(&whole, names),
        },
    }
}

/// The roster of a channel as it stands, told as a snapshot of the moment since which it does; `None` where nothing has
/// been heard of its members.
#[must_use]
pub fn roster_behind(
    channel: Name,
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
        said: Said::Snapshot {
            channel: name(channel, names),
            shown: shown(&claims::standing(channel, &[], state, names), names),
        },
    })
}

/// What an observer's source has sent of what was missed in a channel, while it does so: the link up that began it, and
/// the differences so far.
#[must_use]
pub fn resync_behind(
    channel: Name,
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
        said,
    };
    let link = Said::Link(LinkSaid {
        state: LinkState::UpWithDifferences,
        channels: vec![name(channel, names)],
        unrestored: Vec::new(),
        service: Service::All,
        reason: None,
    });
    let mut members: Vec<(&Member, &Collected)> = collecting.members.iter().collect();
    members
        .sort_unstable_by(|(a, x), (b, y)| x.at.cmp(&y.at).then_with(|| names.compare(**a, **b)));
    let changes = members.into_iter().map(|(&of, collected)| {
        let stamp = Stamp {
            ts: Some(collected.at),
            ..collected.stamp
        };
        ChangeSaid {
            kind: if collected.present {
                Kind::Join
            } else {
                Kind::Leave
            },
            topic: name(names.key(of).topic, names),
            who: member(of, collected.meta.as_ref(), stamp, names),
        }
    });
    let said = Said::Changes {
        channel: name(channel, names),
        changes: changes.collect(),
        together: false,
        occupancy: None,
    };
    vec![event(Some(collecting.up_at), link), event(None, said)]
}

fn name(name: Name, names: &Names) -> Str<'static> {
    Str::Owned(names.text(name).to_owned())
}

fn text(text: Option<&Text>) -> Option<Str<'static>> {
    text.map(|text| Str::Owned(text.to_string()))
}

fn member(of: Member, meta: Option<&Text>, stamp: Stamp, names: &Names) -> MemberSaid<'static> {
    let key = names.key(of);
    let (user, conn) = (name(key.user, names), name(key.conn, names));
    MemberSaid {
        user,
        conn,
        meta: text(meta),
        stamp,
        reason: None,
        late_ms: 0,
    }
}

fn change_said(entry: &Entry, names: &Names) -> Option<ChangeSaid<'static>> {
    let What::Change(change) = &entry.what else {
        return None;
    };
    // Of a leave that took effect the entry has the last known metadata, and not what the line said; either will do.
    let leaves = change.is_applied() && change.kind == Kind::Leave;
    let meta = change.meta.as_ref().filter(|_| !leaves);
    let who = member(change.member, meta, entry.stamp, names);
    let late_ms = change.late.map_or(0, |late| late.late_ms);
    let reason = text(change.reason.as_ref());
    let topic = name(names.key(change.member).topic, names);
    Some(ChangeSaid {
        kind: change.said,
        topic,
        who: MemberSaid {
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
) -> Option<Said<'static>> {
    let channel = name(snapshot.channel, names);
    match snapshot.origin {
        SnapshotOrigin::Listed => {}
        SnapshotOrigin::Differences => {
            let at = entry.occurred_at;
            return Some(Said::Resync { channel, at });
        }
        SnapshotOrigin::Occupancy => {
            let members = u64::from(snapshot.listed);
            return Some(Said::Occupancy { channel, members });
        }
    }
    if snapshot.begin.is_some() {
        // Its pages are in the log, and so in the state.
        let watching = state.channel(snapshot.channel)?.watching();
        let (sync, already) = watching.open_sync(entry.observer)?;
        let incomplete = !snapshot.complete && !already;
        return Some(Said::SnapshotEnd {
            channel,
            sync: Str::Owned(sync.to_owned()),
            incomplete,
        });
    }
    let inferred = entries.get(1..).unwrap_or_default();
    let whole = claims::listed(snapshot, inferred, state, names);
    Some(Said::Snapshot {
        channel,
        shown: shown(&whole, names),
    })
}

fn shown(whole: &Whole, names: &Names) -> Shown<'static> {
    let mut members = whole.members.iter().peekable();
    let topics: Vec<TopicShown<'static>> = whole
        .topics
        .iter()
        .map(|&(topic, short)| {
            let mut listed = Vec::new();
            while let Some((of, claim)) = members.next_if(|(of, _)| names.key(*of).topic == topic) {
                listed.push(member(*of, claim.meta.as_ref(), claim.stamp, names));
            }
            let total = short.then_some(listed.len() as u64 + 1);
            TopicShown {
                topic: name(topic, names),
                total,
                members: listed,
            }
        })
        .collect();
    let total_topics = whole.topics_missing.then_some(topics.len() as u64 + 1);
    Shown {
        topics,
        total_topics,
        incomplete: whole.incomplete,
    }
}

fn link_said(link: &Link, entries: &[Entry], names: &Names) -> Said<'static> {
    let channels = entries.iter().filter_map(|entry| match &entry.what {
        What::Link(link) => link.channel.map(|channel| name(channel, names)),
        _ => None,
    });
    Said::Link(LinkSaid {
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

fn connection_said(entry: &Entry) -> Option<Said<'static>> {
    let What::Link(link) = &entry.what else {
        return None;
    };
    Some(Said::Connection(ConnectionSaid {
        what: link.connection?,
        at: Some(entry.occurred_at),
    }))
}

fn token_said(token: &Token, names: &Names) -> Said<'static> {
    Said::Token(TokenSaid {
        state: token.state,
        channel: token.channel.map(|channel| name(channel, names)),
        reason: text(token.reason.as_ref()),
    })
}
