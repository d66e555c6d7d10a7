//! Events as lines in the shape of Agora's JavaScript SDK ([guide](crate::guide::semantics#javascript-topic-events)).
//! `presence` has the presence events.

use super::line::{LineFields, raw};
use super::topic::{AgoraPublisher, EventType, TopicEvent, TopicInfo};
use super::{own, presence};
use crate::domain::entry::Recording;
use crate::domain::event::{
    ChangeKind, Event, EventPayload, LinkState, ReportedChange, ReportedLink, ReportedListing,
    ReportedMember, ReportedToken, Service, TokenState,
};
use crate::domain::time::Millis;
use serde::Serialize;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AgoraLinkEvent<'a> {
    event: &'static str,
    current_state: &'static str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_resumed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_type: Option<&'static str>,
    affected_channels: Vec<&'a str>,
    unrestored_channels: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<Millis>,
    #[serde(flatten)]
    line: LineFields<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AgoraTokenEvent<'a> {
    event: &'static str,
    event_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<Millis>,
    #[serde(flatten)]
    line: LineFields<'a>,
}

/// The lines for `event`: one, or several if its changes differ in kind or stamp. A step of a paged snapshot has
/// none, because Agora has no pages; neither has an ingest connection, which Agora does not know. An event that no
/// Agora event expresses exactly becomes a line of Rollbook's own shape.
pub(super) fn lines(event: &Event<'_>) -> serde_json::Result<Vec<String>> {
    let line = match &event.payload {
        EventPayload::Changes {
            channel, changes, ..
        } => match presence::channel(channel) {
            Some(of) => presence::changes(event, of)?,
            None if changes.iter().all(is_agoras) => return live(event, channel, changes),
            None => None,
        },
        EventPayload::Snapshot { channel, shown } => match presence::channel(channel) {
            Some(of) => presence::snapshot(event, of, shown)?,
            None => Some(snapshot(event, channel, shown)?),
        },
        EventPayload::Link(said) => link(event, said)?,
        EventPayload::Token(said) => token(event, said)?,
        EventPayload::Occupancy { channel, members } => match presence::channel(channel) {
            Some(of) => Some(presence::occupancy(event, of, *members)?),
            None => None,
        },
        EventPayload::SnapshotBegin { .. }
        | EventPayload::SnapshotPage { .. }
        | EventPayload::SnapshotEnd { .. }
        | EventPayload::Connection(_)
        | EventPayload::Resync { .. }
        | EventPayload::Nothing => return Ok(Vec::new()),
    };
    match line {
        Some(line) => Ok(vec![line]),
        None => own::lines(event, Recording::default()),
    }
}

/// Whether a topic event can express a change. It cannot express a delay, or why metadata was not kept.
fn is_agoras(change: &ReportedChange<'_>) -> bool {
    let who = &change.who;
    who.late_ms == 0 && (who.reason.is_none() || who.meta.as_deref() != Some("null"))
}

/// Live changes: one line for each run of changes of the same kind and stamp.
fn live(
    event: &Event<'_>,
    channel: &str,
    changes: &[ReportedChange<'_>],
) -> serde_json::Result<Vec<String>> {
    let is_leave = |change: &ReportedChange<'_>| change.kind == ChangeKind::Leave;
    let stamp = |change: &ReportedChange<'_>| change.who.stamp.or(event.stamp);
    let alike = |a: &ReportedChange<'_>, b: &ReportedChange<'_>| {
        (is_leave(a), stamp(a)) == (is_leave(b), stamp(b))
    };
    changes
        .chunk_by(alike)
        .filter_map(|run| Some((run, run.first()?)))
        .map(|(run, first)| {
            let user = &first.who.user;
            let one = run.iter().all(|change| change.who.user == *user);
            let topic_infos = run
                .chunk_by(|a, b| a.topic == b.topic)
                .filter_map(|changes| Some((changes, changes.first()?)))
                .map(|(changes, first)| topic_info(first, changes))
                .collect::<serde_json::Result<Vec<_>>>()?;
            let stamp = stamp(first);
            serde_json::to_string(&TopicEvent {
                event_type: if is_leave(first) {
                    EventType::RemoteLeave
                } else {
                    EventType::RemoteJoin
                },
                channel_name: channel,
                publisher: if one { user } else { "" },
                timestamp: stamp.ts,
                total_topics: topic_infos.len(),
                topic_infos,
                line: LineFields::of(event, stamp),
            })
        })
        .collect()
}

fn topic_info<'a>(
    first: &'a ReportedChange<'_>,
    changes: &'a [ReportedChange<'_>],
) -> serde_json::Result<TopicInfo<'a>> {
    let publishers = changes.iter().map(|change| publisher(&change.who));
    Ok(TopicInfo {
        topic_name: &first.topic,
        total_publisher: changes.len(),
        publishers: publishers.collect::<Result<_, _>>()?,
    })
}

fn publisher<'a>(who: &'a ReportedMember<'_>) -> serde_json::Result<AgoraPublisher<'a>> {
    Ok(AgoraPublisher {
        publisher_user_id: &who.user,
        publisher_meta: raw(who.meta.as_ref())?,
    })
}

fn snapshot(
    event: &Event<'_>,
    channel: &str,
    shown: &ReportedListing<'_>,
) -> serde_json::Result<String> {
    let mut topic_infos = Vec::with_capacity(shown.topics.len());
    for topic in &shown.topics {
        let listed = topic.members.len();
        let publishers = topic.members.iter().map(publisher);
        // A total of one more than are listed keeps the snapshot incomplete.
        let short = shown.incomplete || topic.total.is_some_and(|total| total > listed as u64);
        topic_infos.push(TopicInfo {
            topic_name: &topic.topic,
            total_publisher: listed + usize::from(short),
            publishers: publishers.collect::<Result<_, _>>()?,
        });
    }
    let listed = topic_infos.len();
    let short = shown.incomplete
        || shown
            .total_topics
            .is_some_and(|total| total > listed as u64);
    serde_json::to_string(&TopicEvent {
        event_type: EventType::Snapshot,
        channel_name: channel,
        publisher: "",
        timestamp: event.stamp.ts,
        total_topics: listed + usize::from(short),
        topic_infos,
        line: LineFields::of(event, event.stamp),
    })
}

/// The line of a link. Agora's channel names do not show whether they mean topics or presence; only the service does.
fn link(event: &Event<'_>, said: &ReportedLink<'_>) -> serde_json::Result<Option<String>> {
    let mut named = said.channels.iter().chain(&said.unrestored);
    let of_presence = named.any(|channel| presence::channel(channel).is_some());
    let service_type = match said.service {
        Service::Presence => Some("MESSAGE"),
        _ if of_presence => return Ok(None),
        Service::TopicsAndPresence => None,
        Service::All if said.channels.is_empty() => None,
        Service::All | Service::Topics => Some("STREAM"),
        Service::Other => Some("OTHER"),
    };
    let current_state = match said.state {
        LinkState::Up | LinkState::UpWithDifferences => "CONNECTED",
        LinkState::Down => "DISCONNECTED",
        LinkState::Synced => return Ok(None),
    };
    let line = AgoraLinkEvent {
        event: "linkState",
        current_state,
        is_resumed: said.state == LinkState::UpWithDifferences,
        reason_code: said.reason.as_deref(),
        service_type,
        affected_channels: presence::as_named(&said.channels, said.service),
        unrestored_channels: presence::as_named(&said.unrestored, said.service),
        timestamp: event.stamp.ts,
        line: LineFields::of(event, event.stamp),
    };
    serde_json::to_string(&line).map(Some)
}

fn agora_word(state: TokenState) -> Option<&'static str> {
    match state {
        TokenState::WillExpire => Some("WILL_EXPIRE"),
        TokenState::Revoked => Some("READ_PERMISSION_REVOKED"),
        TokenState::Expired | TokenState::Renewed => None,
    }
}

fn token(event: &Event<'_>, said: &ReportedToken<'_>) -> serde_json::Result<Option<String>> {
    let Some(event_type) = agora_word(said.state) else {
        return Ok(None);
    };
    let line = AgoraTokenEvent {
        event: "token",
        event_type,
        channel_name: said.channel.as_deref(),
        reason_code: said.reason.as_deref(),
        timestamp: event.stamp.ts,
        line: LineFields::of(event, event.stamp),
    };
    serde_json::to_string(&line).map(Some)
}
