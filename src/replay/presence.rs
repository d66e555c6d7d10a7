//! Events of a presence channel as the `presence` event of Agora's JavaScript SDK
//! ([guide](crate::guide::semantics#presence-events)): only where that event, read with the default settings,
//! expresses all of it.

use super::line::{LineFields, raw};
use crate::domain::event::{
    ChangeKind, Event, EventPayload, ReportedChange, ReportedListing, ReportedMember, Service, Str,
};
use crate::domain::order::Stamp;
use crate::domain::time::Millis;
use serde::Serialize;
use serde_json::value::RawValue;

/// The default delays of Agora's service: of a time-out, of everything in its interval mode, and of a leave.
const TIMEOUT_MS: Millis = 300_000;
const INTERVAL_MS: Millis = 30_000;
const DEBOUNCE_MS: Millis = 2_000;

/// The only topic of a presence channel.
const TOPIC: &str = "presence";

/// A presence channel in Agora's terms.
#[derive(Clone, Copy)]
pub(super) struct PresenceChannel<'a> {
    kind: &'static str,
    name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PresenceEvent<'a> {
    event_type: &'static str,
    channel_type: &'static str,
    channel_name: &'a str,
    publisher: &'a str,
    state_changed: &'a RawValue,
    interval: Option<Interval<'a>>,
    snapshot: Option<Vec<UserState<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<Millis>,
    #[serde(flatten)]
    line: LineFields<'a>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Interval<'a> {
    join: UserList<'a>,
    leave: UserList<'a>,
    timeout: UserList<'a>,
    user_state_list: Vec<UserState<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_occupancy: Option<u64>,
}

#[derive(Default, Serialize)]
struct UserList<'a> {
    users: Vec<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UserState<'a> {
    user_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    states: Option<&'a RawValue>,
}

/// The presence channel with this name, if it is one.
pub(super) fn channel(name: &str) -> Option<PresenceChannel<'_>> {
    let (kind, name) = name.split_once(':')?;
    let kind = match kind {
        "message" => "MESSAGE",
        "stream" => "STREAM",
        _ => return None,
    };
    Some(PresenceChannel { kind, name }).filter(|channel| !channel.name.is_empty())
}

/// The channels of a link line as a source names them: in a line of presence, presence channels have their bare names.
pub(super) fn as_named<'a>(channels: &'a [Str<'_>], service: Service) -> Vec<&'a str> {
    let bare = |name: &'a str| match channel(name) {
        Some(channel) if service == Service::Presence => channel.name,
        _ => name,
    };
    let mut named: Vec<&str> = channels.iter().map(|name| bare(name)).collect();
    if service == Service::Presence {
        named.sort_unstable();
        named.dedup();
    }
    named
}

/// The event for the count of a channel's members.
pub(super) fn occupancy(
    event: &Event<'_>,
    channel: PresenceChannel<'_>,
    members: u64,
) -> serde_json::Result<String> {
    let none = RawValue::from_string("{}".to_owned())?;
    let fields = PresenceFields {
        event,
        channel,
        stamp: event.stamp,
        none: &none,
    };
    let interval = Interval {
        total_occupancy: Some(members),
        ..Interval::default()
    };
    fields.line("INTERVAL", "", fields.none, Some(interval), None)
}

/// The changes as one event, if an event expresses exactly these.
pub(super) fn changes(
    event: &Event<'_>,
    channel: PresenceChannel<'_>,
) -> serde_json::Result<Option<String>> {
    let EventPayload::Changes {
        changes, occupancy, ..
    } = &event.payload
    else {
        return Ok(None);
    };
    let stamp = changes
        .first()
        .map_or(event.stamp, |first| first.who.stamp.or(event.stamp));
    let plain = changes.iter().all(|change| {
        *change.topic == *TOPIC
            && change.who.conn.is_empty()
            && change.who.stamp.or(event.stamp) == stamp
    });
    if !plain {
        return Ok(None);
    }
    let none = RawValue::from_string("{}".to_owned())?;
    let fields = PresenceFields {
        event,
        channel,
        stamp,
        none: &none,
    };
    if let ([change], None) = (changes.as_slice(), occupancy)
        && let Some((event_type, states)) = alone(change)
    {
        let states = raw(states)?.unwrap_or(&none);
        return fields
            .line(event_type, &change.who.user, states, None, None)
            .map(Some);
    }
    match interval(changes, *occupancy)? {
        Some(interval) => fields
            .line("INTERVAL", "", &none, Some(interval), None)
            .map(Some),
        None => Ok(None),
    }
}

/// The snapshot of a channel, if such an event can express all that it lists.
pub(super) fn snapshot(
    event: &Event<'_>,
    channel: PresenceChannel<'_>,
    shown: &ReportedListing<'_>,
) -> serde_json::Result<Option<String>> {
    let can_say = |who: &ReportedMember<'_>| {
        who.conn.is_empty()
            && who.stamp == Stamp::NONE
            && who.reason.is_none()
            && who.meta.as_ref().is_none_or(is_object)
    };
    let members = match shown.topics.as_slice() {
        [] => &[][..],
        [only] if *only.topic == *TOPIC && only.total.is_none() => only.members.as_slice(),
        _ => return Ok(None),
    };
    if shown.incomplete || shown.total_topics.is_some() || !members.iter().all(can_say) {
        return Ok(None);
    }
    let users = members.iter().map(user_state);
    let users = users.collect::<serde_json::Result<Vec<_>>>()?;
    let none = RawValue::from_string("{}".to_owned())?;
    let fields = PresenceFields {
        event,
        channel,
        stamp: event.stamp,
        none: &none,
    };
    fields
        .line("SNAPSHOT", "", fields.none, None, Some(users))
        .map(Some)
}

/// What all presence events share.
struct PresenceFields<'a> {
    event: &'a Event<'a>,
    channel: PresenceChannel<'a>,
    stamp: Stamp,
    none: &'a RawValue,
}

impl<'a> PresenceFields<'a> {
    fn line(
        &self,
        event_type: &'static str,
        publisher: &str,
        state_changed: &RawValue,
        interval: Option<Interval<'_>>,
        snapshot: Option<Vec<UserState<'_>>>,
    ) -> serde_json::Result<String> {
        serde_json::to_string(&PresenceEvent {
            event_type,
            channel_type: self.channel.kind,
            channel_name: self.channel.name,
            publisher,
            state_changed,
            interval,
            snapshot,
            timestamp: self.stamp.ts,
            line: LineFields::of(self.event, self.stamp),
        })
    }
}

/// The type of the event that reports a single change, and its states.
fn alone<'a>(change: &'a ReportedChange<'_>) -> Option<(&'static str, Option<&'a Str<'a>>)> {
    let ReportedMember {
        meta,
        reason,
        late_ms,
        ..
    } = &change.who;
    let states = meta.as_ref().filter(|meta| is_object(meta));
    match (change.kind, reason.as_deref(), *late_ms) {
        (ChangeKind::Join, None, 0) => states.map(|states| ("REMOTE_JOIN", Some(states))),
        (ChangeKind::Update, None, 0) => {
            states.map(|states| ("REMOTE_STATE_CHANGED", Some(states)))
        }
        (ChangeKind::Leave, None, DEBOUNCE_MS) if meta.is_none() => Some(("REMOTE_LEAVE", None)),
        (ChangeKind::Leave, Some("timeout"), TIMEOUT_MS) if meta.is_none() => {
            Some(("REMOTE_TIMEOUT", None))
        }
        _ => None,
    }
}

/// Changes as the lists of an interval. A reader sorts them: leaves first, each kind by user. And it takes a present
/// user in two lists as changed. So the changes must be in this order already, without such users.
fn interval<'a>(
    changes: &'a [ReportedChange<'_>],
    occupancy: Option<u64>,
) -> serde_json::Result<Option<Interval<'a>>> {
    let mut interval = Interval {
        total_occupancy: occupancy,
        ..Interval::default()
    };
    let rank = |change: &ReportedChange<'_>| u8::from(change.kind != ChangeKind::Leave);
    let place = |change: &'a ReportedChange<'_>| (rank(change), change.who.user.as_ref());
    let in_order = changes
        .windows(2)
        .all(|pair| matches!(pair, [a, b] if place(a) < place(b) || follows(a, b)));
    let leaves = changes.partition_point(|change| change.kind == ChangeKind::Leave);
    let (gone, rest) = changes.split_at_checked(leaves).unwrap_or_default();
    let returns = |change: &ReportedChange<'_>| {
        let same = |gone: &ReportedChange<'_>| gone.who.user.as_ref().cmp(change.who.user.as_ref());
        gone.binary_search_by(same).is_ok()
    };
    if !in_order || rest.iter().any(returns) {
        return Ok(None);
    }
    for change in changes {
        let who = &change.who;
        let user = who.user.as_ref();
        match (change.kind, who.reason.as_deref(), who.meta.as_deref()) {
            (ChangeKind::Leave, None, None) if who.late_ms == INTERVAL_MS + DEBOUNCE_MS => {
                interval.leave.users.push(user);
            }
            (ChangeKind::Leave, Some("timeout"), None)
                if who.late_ms == INTERVAL_MS + TIMEOUT_MS =>
            {
                interval.timeout.users.push(user);
            }
            (ChangeKind::Join, None, Some("{}")) if who.late_ms == INTERVAL_MS => {
                interval.join.users.push(user);
            }
            (ChangeKind::Update, None, _)
                if who.late_ms == INTERVAL_MS && who.meta.as_ref().is_none_or(is_object) =>
            {
                interval.user_state_list.push(user_state(who)?);
            }
            _ => return Ok(None),
        }
    }
    Ok(Some(interval))
}

/// Whether a change of states follows the join of the same user.
fn follows(a: &ReportedChange<'_>, b: &ReportedChange<'_>) -> bool {
    (a.kind, b.kind) == (ChangeKind::Join, ChangeKind::Update) && a.who.user == b.who.user
}

fn user_state<'a>(who: &'a ReportedMember<'_>) -> serde_json::Result<UserState<'a>> {
    Ok(UserState {
        user_id: &who.user,
        states: raw(who.meta.as_ref())?,
    })
}

fn is_object(meta: &Str<'_>) -> bool {
    meta.starts_with('{')
}
