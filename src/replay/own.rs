//! Events as lines of Rollbook's own feed format ([guide](crate::guide::semantics#own-format)), with how they were
//! recorded. Every event has such a line: what otherwise only other shapes express has fields here, and `feed` reads
//! them, too.

use super::line::{LineFields, raw};
use super::presence;
use crate::domain::entry::{Recording, Rules};
use crate::domain::event::{
    ChangeKind, Connection, Event, EventPayload, LinkState, ReportedChange, ReportedLink,
    ReportedListing, ReportedMember, ReportedToken, Service, TokenState,
};
use crate::domain::order::Stamp;
use crate::domain::time::Millis;
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

#[derive(Serialize)]
struct OwnLine<'a> {
    #[serde(flatten)]
    body: OwnBody<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ts: Option<Millis>,
    #[serde(flatten)]
    line: LineFields<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recorded_at: Option<Millis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rules: Option<RuleFields>,
}

#[derive(Serialize)]
#[serde(tag = "t", rename_all = "snake_case")]
enum OwnBody<'a> {
    Join(SingleChange<'a>),
    Leave(SingleChange<'a>),
    Update(SingleChange<'a>),
    Changes {
        channel: &'a str,
        changes: Vec<ListedChange<'a>>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        together: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        occupancy: Option<u64>,
    },
    Snapshot(OwnSnapshot<'a>),
    SnapshotBegin(Paged<'a>),
    SnapshotPage {
        sync: &'a str,
        #[serde(flatten)]
        page: OwnSnapshot<'a>,
    },
    SnapshotEnd(Paged<'a>),
    Link(OwnLink<'a>),
    #[serde(rename = "link")]
    Connection {
        state: &'static str,
        connection: &'static str,
    },
    Token(OwnToken<'a>),
}

/// One change; its stamp is that of the line.
#[derive(Serialize)]
struct SingleChange<'a> {
    channel: &'a str,
    topic: &'a str,
    #[serde(flatten)]
    who: OwnMember<'a>,
}

/// One of several changes.
#[derive(Serialize)]
struct ListedChange<'a> {
    t: &'static str,
    topic: &'a str,
    #[serde(flatten)]
    who: OwnMember<'a>,
}

#[derive(Serialize)]
struct OwnMember<'a> {
    user: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    conn: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    meta: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    late_ms: Option<Millis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pos: Option<[i64; 2]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ts: Option<Millis>,
}

#[derive(Serialize)]
struct OwnSnapshot<'a> {
    channel: &'a str,
    topics: BTreeMap<&'a str, Vec<OwnMember<'a>>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    incomplete: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_topics: Option<u64>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    totals: BTreeMap<&'a str, u64>,
}

#[derive(Serialize)]
struct Paged<'a> {
    channel: &'a str,
    sync: &'a str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    incomplete: bool,
}

#[derive(Serialize)]
struct OwnLink<'a> {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    resync: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    channels: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unrestored: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

#[derive(Serialize)]
struct OwnToken<'a> {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

#[derive(Serialize)]
struct RuleFields {
    skew_tolerance_ms: i64,
    max_ahead_ms: i64,
    slack_ms: i64,
    lossy: bool,
    #[serde(skip_serializing_if = "is_usual_resync")]
    resync_ms: i64,
}

/// The default needs no mention: a log from before this option existed means the same.
#[allow(clippy::trivially_copy_pass_by_ref)] // as serde calls it
fn is_usual_resync(resync_ms: &i64) -> bool {
    *resync_ms == Rules::RESYNC_MS
}

impl From<Rules> for RuleFields {
    fn from(rules: Rules) -> Self {
        RuleFields {
            skew_tolerance_ms: rules.skew_tolerance_ms,
            max_ahead_ms: rules.max_ahead_ms,
            slack_ms: rules.slack_ms,
            lossy: rules.lossy,
            resync_ms: rules.resync_ms,
        }
    }
}

/// The line for `event`, with how it was recorded.
pub(super) fn lines(event: &Event<'_>, recording: Recording) -> serde_json::Result<Vec<String>> {
    let mut stamp = event.stamp;
    let body = match &event.payload {
        EventPayload::Changes {
            channel,
            changes,
            together,
            occupancy,
        } => match changes.as_slice() {
            [change] if occupancy.is_none() => {
                // A single change has its own stamp, or the line's. In a line of its own, both are the same.
                stamp = change.who.stamp.or(event.stamp);
                alone(channel, change)?
            }
            changes => OwnBody::Changes {
                channel,
                changes: changes.iter().map(one_of).collect::<Result<_, _>>()?,
                together: *together,
                occupancy: *occupancy,
            },
        },
        EventPayload::Snapshot { channel, shown } => OwnBody::Snapshot(whole(channel, shown)?),
        EventPayload::SnapshotBegin {
            channel,
            sync,
            incomplete,
        } => OwnBody::SnapshotBegin(paged(channel, sync, *incomplete)),
        EventPayload::SnapshotPage {
            channel,
            sync,
            shown,
        } => OwnBody::SnapshotPage {
            sync,
            page: whole(channel, shown)?,
        },
        EventPayload::SnapshotEnd {
            channel,
            sync,
            incomplete,
        } => OwnBody::SnapshotEnd(paged(channel, sync, *incomplete)),
        EventPayload::Link(said) => OwnBody::Link(link(said)),
        EventPayload::Token(said) => OwnBody::Token(token(said)),
        EventPayload::Connection(said) => {
            stamp.ts = said.at;
            connection(said.what)
        }
        EventPayload::Occupancy { channel, members } => OwnBody::Changes {
            channel,
            changes: Vec::new(),
            together: false,
            occupancy: Some(*members),
        },
        // It follows again from the earlier lines.
        EventPayload::Resync { .. } | EventPayload::Nothing => return Ok(Vec::new()),
    };
    let line = OwnLine {
        body,
        ts: stamp.ts,
        line: LineFields::of(event, stamp),
        recorded_at: recording.recorded_at,
        rules: recording.rules.map(RuleFields::from),
    };
    Ok(vec![serde_json::to_string(&line)?])
}

fn alone<'a>(channel: &'a str, change: &'a ReportedChange<'_>) -> serde_json::Result<OwnBody<'a>> {
    let alone = SingleChange {
        channel,
        topic: &change.topic,
        who: OwnMember {
            pos: None,
            ts: None,
            ..member(&change.who)?
        },
    };
    Ok(match change.kind {
        ChangeKind::Join => OwnBody::Join(alone),
        ChangeKind::Leave => OwnBody::Leave(alone),
        ChangeKind::Update => OwnBody::Update(alone),
    })
}

fn one_of<'a>(change: &'a ReportedChange<'_>) -> serde_json::Result<ListedChange<'a>> {
    let t = match change.kind {
        ChangeKind::Join => "join",
        ChangeKind::Leave => "leave",
        ChangeKind::Update => "update",
    };
    let topic = &change.topic;
    let who = member(&change.who)?;
    Ok(ListedChange { t, topic, who })
}

fn member<'a>(who: &'a ReportedMember<'_>) -> serde_json::Result<OwnMember<'a>> {
    let Stamp { pos, ts } = who.stamp;
    Ok(OwnMember {
        user: &who.user,
        conn: &who.conn,
        meta: raw(who.meta.as_ref())?,
        reason: who.reason.as_deref(),
        late_ms: Some(who.late_ms).filter(|&late| late != 0),
        pos,
        ts,
    })
}

fn whole<'a>(
    channel: &'a str,
    shown: &'a ReportedListing<'_>,
) -> serde_json::Result<OwnSnapshot<'a>> {
    let mut whole = OwnSnapshot {
        channel,
        topics: BTreeMap::new(),
        incomplete: shown.incomplete,
        total_topics: shown.total_topics,
        totals: BTreeMap::new(),
    };
    for topic in &shown.topics {
        let members = topic.members.iter().map(member);
        let members = members.collect::<Result<_, _>>()?;
        whole.topics.insert(&topic.topic, members);
        if let Some(total) = topic.total {
            whole.totals.insert(&topic.topic, total);
        }
    }
    Ok(whole)
}

fn paged<'a>(channel: &'a str, sync: &'a str, incomplete: bool) -> Paged<'a> {
    Paged {
        channel,
        sync,
        incomplete,
    }
}

fn link<'a>(said: &'a ReportedLink<'_>) -> OwnLink<'a> {
    OwnLink {
        state: match said.state {
            LinkState::Up | LinkState::UpWithDifferences => "up",
            LinkState::Synced => "synced",
            LinkState::Down => "down",
        },
        resync: (said.state == LinkState::UpWithDifferences).then_some("differences"),
        channels: presence::as_named(&said.channels, said.service),
        unrestored: presence::as_named(&said.unrestored, said.service),
        service: match said.service {
            Service::All => None,
            Service::Topics => Some("topics"),
            Service::Presence => Some("presence"),
            Service::TopicsAndPresence => Some("topics_and_presence"),
            Service::Other => Some("other"),
        },
        reason: said.reason.as_deref(),
    }
}

fn connection(what: Connection) -> OwnBody<'static> {
    OwnBody::Connection {
        state: if what.is_loss() { "down" } else { "up" },
        connection: what.word(),
    }
}

fn token<'a>(said: &'a ReportedToken<'_>) -> OwnToken<'a> {
    OwnToken {
        state: match said.state {
            TokenState::WillExpire => "will_expire",
            TokenState::Expired => "expired",
            TokenState::Renewed => "renewed",
            TokenState::Revoked => "revoked",
        },
        channel: said.channel.as_deref(),
        reason: said.reason.as_deref(),
    }
}
