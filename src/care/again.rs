//! The event behind a commit, out of the log: so that `verify --deep` can decide about it again.

use crate::domain::claims;
use crate::domain::entry::{Entry, Link, Snapshot, Text, Token, What, Whole};
use crate::domain::event::{
    ChangeSaid, ConnectionSaid, Event, LinkSaid, MemberSaid, Said, Shown, Str, TokenSaid,
    TopicShown,
};
use crate::domain::names::{Member, Name, Names};
use crate::domain::order::Stamp;
use crate::domain::state::State;

/// What the source said, as far as it matters for what follows. `None` for entries that no event makes.
pub(super) fn event_behind(
    entries: &[Entry],
    state: &State,
    names: &Names,
) -> Option<Event<'static>> {
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
    }
}

fn change_said(entry: &Entry, names: &Names) -> Option<ChangeSaid<'static>> {
    let What::Change(change) = &entry.what else {
        return None;
    };
    let who = member(change.member, change.meta.as_ref(), entry.stamp, names);
    let reason = text(change.reason.as_ref());
    let topic = name(names.key(change.member).topic, names);
    Some(ChangeSaid {
        kind: change.said,
        topic,
        who: MemberSaid { reason, ..who },
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
        up: link.up,
        channels: channels.collect(),
        unrestored: link
            .except
            .iter()
            .map(|&channel| name(channel, names))
            .collect(),
        elsewhere: link.elsewhere,
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
