//! The `presence` event of Agora's SDKs ([guide](crate::guide::semantics#presence-events)), with the field names of
//! all of them: which users are in a channel, whatever its topics. It has the same event types as a topic event, but
//! must not change the roster of publishers. So its channel is named `message:NAME` or `stream:NAME` here, and its
//! only topic `presence`.

use super::field::{Field, check_length};
use super::json::Scanner;
use super::line::Line;
use super::line_error::LineError;
use super::meta::{self, ParsedMeta};
use super::object::{ReadObject, object};
use super::settings::Settings;
use crate::domain::event::{
    ChangeKind, EventPayload, ReportedChange, ReportedListing, ReportedMember, ReportedTopic, Str,
};
use crate::domain::time::Millis;
use crate::limits::{LATE_MS_MAX, NAME_BYTES_MAX};
use std::borrow::Cow;
use std::collections::HashSet;

/// The only topic of a presence channel.
const TOPIC: &str = "presence";
/// The reason of a leave after a time without messages.
const TIMEOUT: &str = "timeout";

object! {
    /// A user, with its states.
    User {
        user: "userId",
        states: "states",
    }
}

object! {
    /// A native SDK's snapshot; the JavaScript SDK's snapshot is the list itself.
    Listed {
        users: "userStateList",
        count: "userCount",
    }
}

object! {
    /// What happened within an interval, with the field names of the JavaScript SDK and of the native ones.
    Interval {
        join: "join",
        leave: "leave",
        timeout: "timeout",
        join_list: "joinUserList",
        leave_list: "leaveUserList",
        timeout_list: "timeoutUserList",
        states: "userStateList",
        occupancy: "totalOccupancy",
    }
}

object! {
    /// A list of users.
    Users {
        users: "users",
    }
}

object! {
    /// One state, where a list of states stands for an object.
    Item {
        key: "key",
        value: "value",
    }
}

/// The kind of a presence event.
enum PresenceKind {
    Nothing,
    Snapshot,
    Interval,
    Joined,
    Left,
    TimedOut,
    Changed,
}

/// Whether a line with an `eventType` is a presence event: only presence events have the changed states.
pub(super) fn is_js(line: &Line<'_>) -> bool {
    line.channel_type().is_given() && line.state_changed().is_there()
}

/// Whether a line with a numeric `type` is a presence event. A topic event has no channel type. If one was added to
/// it, the event still has its topics, or at least their number.
pub(super) fn is_native(line: &Line<'_>) -> bool {
    let of_presence = [
        line.state_items(),
        line.state_changed(),
        line.interval(),
        line.snapshot(),
    ];
    let of_topics = [line.topic_infos().field(), line.topic_info_count()];
    line.channel_type().is_given()
        && !line.topic_infos().field().is_given()
        && (of_presence.into_iter().any(Field::is_there)
            || !of_topics.into_iter().any(Field::is_there))
}

/// Reads a presence event. All of it is checked, even where nothing follows from it.
pub(super) fn said<'a>(
    line: &Line<'a>,
    settings: &Settings,
) -> Result<EventPayload<'a>, LineError> {
    let kind = kind(line)?;
    let channel = channel(line)?;
    let publisher = line.publisher().name_or_empty()?;
    let states = match states(line.state_changed())? {
        ParsedMeta::Missing => states(line.state_items())?,
        states => states,
    };
    let shown = shown(line.snapshot())?;
    let (changes, occupancy) = interval(line.interval(), settings)?;
    let live = |kind, meta: ParsedMeta<'a>, reason: Option<&'static str>, late_ms| {
        if publisher.is_empty() {
            return Err(line.publisher().lacking());
        }
        let who = ReportedMember {
            reason: reason.map(Into::into),
            late_ms,
            ..ReportedMember::of(publisher.clone())
        };
        Ok(EventPayload::Changes {
            channel: channel.clone(),
            changes: vec![change(kind, meta.of_member(who))],
            together: false,
            occupancy: None,
        })
    };
    match kind {
        PresenceKind::Nothing => Ok(EventPayload::Nothing),
        PresenceKind::Snapshot if !line.snapshot().is_there() => Err(line.snapshot().lacking()),
        PresenceKind::Snapshot => Ok(EventPayload::Snapshot { channel, shown }),
        PresenceKind::Interval if !line.interval().is_given() => Err(line.interval().lacking()),
        PresenceKind::Interval if changes.is_empty() && occupancy.is_none() => {
            Ok(EventPayload::Nothing)
        }
        PresenceKind::Interval => Ok(EventPayload::Changes {
            channel,
            changes,
            together: true,
            occupancy,
        }),
        PresenceKind::Joined if matches!(states, ParsedMeta::Missing) => {
            live(ChangeKind::Join, no_states(), None, 0)
        }
        PresenceKind::Joined => live(ChangeKind::Join, states, None, 0),
        PresenceKind::Left => live(
            ChangeKind::Leave,
            ParsedMeta::Missing,
            None,
            settings.presence_debounce_ms,
        ),
        PresenceKind::TimedOut => live(
            ChangeKind::Leave,
            ParsedMeta::Missing,
            Some(TIMEOUT),
            settings.presence_timeout_ms,
        ),
        PresenceKind::Changed if matches!(states, ParsedMeta::Missing) => {
            Err(line.state_changed().lacking())
        }
        PresenceKind::Changed => live(ChangeKind::Update, states, None, 0),
    }
}

fn kind(line: &Line<'_>) -> Result<PresenceKind, LineError> {
    if line.event_type().is_given() || !line.type_number().is_number() {
        let word = line.event_type().string()?;
        return match word.ok_or_else(|| line.event_type().lacking())?.as_ref() {
            "NONE" | "ERROR_OUT_OF_SERVICE" => Ok(PresenceKind::Nothing),
            "SNAPSHOT" => Ok(PresenceKind::Snapshot),
            "INTERVAL" => Ok(PresenceKind::Interval),
            "REMOTE_JOIN" => Ok(PresenceKind::Joined),
            "REMOTE_LEAVE" => Ok(PresenceKind::Left),
            "REMOTE_TIMEOUT" => Ok(PresenceKind::TimedOut),
            "REMOTE_STATE_CHANGED" => Ok(PresenceKind::Changed),
            _ => Err(line.event_type().unknown()),
        };
    }
    match line.type_number().whole("a whole number")?.flatten() {
        Some(0 | 7) => Ok(PresenceKind::Nothing),
        Some(1) => Ok(PresenceKind::Snapshot),
        Some(2) => Ok(PresenceKind::Interval),
        Some(3) => Ok(PresenceKind::Joined),
        Some(4) => Ok(PresenceKind::Left),
        Some(5) => Ok(PresenceKind::TimedOut),
        Some(6) => Ok(PresenceKind::Changed),
        _ => Err(line.type_number().unknown()),
    }
}

fn channel<'a>(line: &Line<'a>) -> Result<Str<'a>, LineError> {
    let of = line.channel_type();
    let prefix = if of.is_number() {
        match of.whole("a word or a whole number")?.flatten() {
            Some(1) => "message",
            Some(2) => "stream",
            _ => return Err(of.unknown()),
        }
    } else {
        match of.string()?.ok_or_else(|| of.lacking())?.as_ref() {
            "MESSAGE" => "message",
            "STREAM" => "stream",
            _ => return Err(of.unknown()),
        }
    };
    let channel = format!("{prefix}:{}", line.channel_name().needed_name()?);
    check_length(line.channel_name().name(), &channel, NAME_BYTES_MAX)?;
    Ok(Cow::Owned(channel))
}

fn shown<'a>(field: Field<'a>) -> Result<ReportedListing<'a>, LineError> {
    let (list, count) = if field.is_object() {
        let mut listed = Listed::default();
        field.object(|scanner| listed.read(scanner))?;
        (listed.users(), listed.count().count()?)
    } else {
        (field, None)
    };
    Ok(ReportedListing {
        topics: vec![ReportedTopic {
            topic: TOPIC.into(),
            total: count,
            members: users_with_states(list)?,
        }],
        ..ReportedListing::default()
    })
}

/// The lists of an interval as changes, and the number of members after them.
fn interval<'a>(
    field: Field<'a>,
    settings: &Settings,
) -> Result<(Vec<ReportedChange<'a>>, Option<u64>), LineError> {
    let mut interval = Interval::default();
    field.object(|scanner| interval.read(scanner))?;
    let each = settings.presence_interval_ms;
    let late = |more: Millis| each.saturating_add(more).min(LATE_MS_MAX);
    let mut timed_out = users(interval.timeout())?;
    timed_out.extend(users(interval.timeout_list())?);
    let mut left = users(interval.leave())?;
    left.extend(users(interval.leave_list())?);
    let mut joined = users(interval.join())?;
    joined.extend(users(interval.join_list())?);

    // A user that timed out also leaves when the server removes it from its list. That is one leave, and it may have
    // happened as early as the time-out allows.
    let mut gone: HashSet<Str<'a>> = HashSet::with_capacity(timed_out.len() + left.len());
    let mut changes = Vec::with_capacity(timed_out.len() + left.len() + joined.len());
    let leaves = [
        (timed_out, Some(TIMEOUT), late(settings.presence_timeout_ms)),
        (left, None, late(settings.presence_debounce_ms)),
    ];
    for (users, reason, late_ms) in leaves {
        for user in users {
            if gone.insert(user.clone()) {
                let who = ReportedMember {
                    reason: reason.map(Into::into),
                    late_ms,
                    ..ReportedMember::of(user)
                };
                changes.push(change(ChangeKind::Leave, who));
            }
        }
    }
    let late_by = |who: ReportedMember<'a>| ReportedMember {
        late_ms: late(0),
        ..who
    };
    for user in joined {
        let who = no_states().of_member(ReportedMember::of(user));
        changes.push(change(ChangeKind::Join, late_by(who)));
    }
    for who in users_with_states(interval.states())? {
        changes.push(change(ChangeKind::Update, late_by(who)));
    }
    Ok((changes, interval.occupancy().count()?))
}

fn change<'a>(kind: ChangeKind, who: ReportedMember<'a>) -> ReportedChange<'a> {
    ReportedChange {
        kind,
        topic: TOPIC.into(),
        who,
    }
}

/// Reads `{"users":[…]}`.
fn users<'a>(field: Field<'a>) -> Result<Vec<Str<'a>>, LineError> {
    let mut list = Users::default();
    field.object(|scanner| list.read(scanner))?;
    list.users().names()
}

fn users_with_states<'a>(list: Field<'a>) -> Result<Vec<ReportedMember<'a>>, LineError> {
    let mut members = Vec::new();
    list.objects(|scanner| {
        let mut user = User::default();
        user.read(scanner)?;
        let who = ReportedMember::of(user.user().needed_name()?);
        members.push(states(user.states())?.of_member(who));
        Ok(())
    })?;
    Ok(members)
}

fn no_states<'a>() -> ParsedMeta<'a> {
    ParsedMeta::Is("{}".into())
}

/// States as metadata: an object, or a list of keys and values with the same meaning. A null counts as an empty object.
fn states<'a>(field: Field<'a>) -> Result<ParsedMeta<'a>, LineError> {
    if field.is_null() {
        return Ok(no_states());
    }
    if field.is_object() || !field.is_given() {
        return field.meta();
    }
    let mut object = String::from("{");
    field.objects(|scanner| {
        let mut item = Item::default();
        item.read(scanner)?;
        item.key().string()?.ok_or_else(|| item.key().lacking())?;
        if object.len() > 1 {
            object.push(',');
        }
        object.extend([item.key().written(), ":", item.value().written()]);
        Ok(())
    })?;
    object.push('}');
    let raw = Scanner::new(&object, 0).value()?;
    let canonical = meta::canonical(field.name(), raw)?.into_owned();
    Ok(ParsedMeta::of(Cow::Owned(canonical)))
}
