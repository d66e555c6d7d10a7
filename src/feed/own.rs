//! Rollbook's own feed format ([guide](crate::guide::semantics#own-format)).

use super::field::Field;
use super::line::Line;
use super::line_error::LineError;
use super::object::{ReadObject, object};
use super::settings::{Settings, TimeUnit};
use crate::domain::event::{
    ChangeKind, EventPayload, LinkState, ReportedChange, ReportedLink, ReportedListing,
    ReportedMember, ReportedToken, ReportedTopic, Service, Str, TokenState,
};
use crate::domain::order::Stamp;
use crate::limits::{NAME_BYTES_MAX, REASON_BYTES_MAX};
use std::collections::{HashMap, HashSet};

object! {
    /// A member in a list, or the change of a member.
    Listed {
        t: "t",
        topic: "topic",
        user: "user",
        conn: "conn",
        meta: "meta",
        pos: "pos",
        ts: "ts",
        reason: "reason",
        late_ms: "late_ms",
    }
}

/// The names of the services in a `link` line. A line without one means all services.
const SERVICES: [(&str, Service); 4] = [
    ("topics", Service::Topics),
    ("presence", Service::Presence),
    ("topics_and_presence", Service::TopicsAndPresence),
    ("other", Service::Other),
];

/// Reads a line with a `t`.
pub(super) fn said<'a>(
    line: &Line<'a>,
    settings: &Settings,
) -> Result<EventPayload<'a>, LineError> {
    let t = line.t().string()?.ok_or_else(|| line.t().lacking())?;
    let unit = settings.time_unit;
    match t.as_ref() {
        "join" => change(line, ChangeKind::Join),
        "leave" => change(line, ChangeKind::Leave),
        "update" => change(line, ChangeKind::Update),
        "snapshot" => Ok(EventPayload::Snapshot {
            channel: line.channel().needed_name()?,
            shown: shown(line, unit)?,
        }),
        "snapshot_begin" => Ok(EventPayload::SnapshotBegin {
            channel: line.channel().needed_name()?,
            sync: line.sync().needed_label()?,
            incomplete: line.incomplete().flag()?,
        }),
        "snapshot_page" => Ok(EventPayload::SnapshotPage {
            channel: line.channel().needed_name()?,
            sync: line.sync().needed_label()?,
            shown: shown(line, unit)?,
        }),
        "snapshot_end" => Ok(EventPayload::SnapshotEnd {
            channel: line.channel().needed_name()?,
            sync: line.sync().needed_label()?,
            incomplete: line.incomplete().flag()?,
        }),
        "diff" => diff(line, unit),
        "changes" => changes(line, unit),
        "link" => link(line),
        "token" => token(line),
        _ => Err(line.t().unknown()),
    }
}

/// Reads a line with one change. The line's own `pos` and `ts` belong to the event, not to the member.
fn change<'a>(line: &Line<'a>, kind: ChangeKind) -> Result<EventPayload<'a>, LineError> {
    let who = ReportedMember {
        user: line.user().needed_name()?,
        conn: conn(line.conn())?,
        meta: None,
        stamp: Stamp::NONE,
        reason: line.reason().string_up_to(REASON_BYTES_MAX)?,
        late_ms: line.late_ms().late()?,
    };
    Ok(EventPayload::Changes {
        channel: line.channel().needed_name()?,
        changes: vec![ReportedChange {
            kind,
            topic: line.topic().needed_name()?,
            who: line.meta().meta()?.of_member(who),
        }],
        together: false,
        occupancy: None,
    })
}

fn conn(field: Field<'_>) -> Result<Str<'_>, LineError> {
    field
        .string_up_to(NAME_BYTES_MAX)
        .map(Option::unwrap_or_default)
}

fn shown<'a>(line: &Line<'a>, unit: TimeUnit) -> Result<ReportedListing<'a>, LineError> {
    if !line.topics().is_given() {
        return Err(line.topics().lacking());
    }
    let mut topics = topics(line.topics(), unit)?;
    let mut totals: HashMap<Str<'a>, Option<u64>> = HashMap::new();
    line.totals().object(|scanner| {
        scanner.entries(|key, scanner| {
            let field = line.totals().name();
            let total = Field::new(field, Some(scanner.value()?)).count()?;
            let topic = key.decode().ok_or(LineError::LoneSurrogate { field })?;
            totals.insert(topic, total);
            Ok(())
        })
    })?;
    for shown in &mut topics {
        shown.total = totals.get(&shown.topic).copied().flatten();
    }
    Ok(ReportedListing {
        topics,
        total_topics: line.topics_in_all().count()?,
        incomplete: line.incomplete().flag()?,
    })
}

/// Reads a `changes` line: a list of mixed changes, applied in its order. It is used where no simpler line fits.
fn changes<'a>(line: &Line<'a>, unit: TimeUnit) -> Result<EventPayload<'a>, LineError> {
    let channel = line.channel().needed_name()?;
    if !line.changes().is_there() {
        return Err(line.changes().lacking());
    }
    let mut changes = Vec::new();
    line.changes().objects(|scanner| {
        let mut listed = Listed::default();
        listed.read(scanner)?;
        let kind = match listed
            .t()
            .string()?
            .ok_or_else(|| listed.t().lacking())?
            .as_ref()
        {
            "join" => ChangeKind::Join,
            "leave" => ChangeKind::Leave,
            "update" => ChangeKind::Update,
            _ => return Err(listed.t().unknown()),
        };
        changes.push(ReportedChange {
            kind,
            topic: listed.topic().needed_name()?,
            who: listed.member(unit)?,
        });
        Ok(())
    })?;
    let together = line.together().flag()?;
    several(line, channel, changes, together)
}

/// Several changes, and how many members the source counts after them. The count is reported even without changes.
fn several<'a>(
    line: &Line<'a>,
    channel: Str<'a>,
    changes: Vec<ReportedChange<'a>>,
    together: bool,
) -> Result<EventPayload<'a>, LineError> {
    let occupancy = line.occupancy().count()?;
    if changes.is_empty() && occupancy.is_none() {
        return Ok(EventPayload::Nothing);
    }
    Ok(EventPayload::Changes {
        channel,
        changes,
        together,
        occupancy,
    })
}

fn diff<'a>(line: &Line<'a>, unit: TimeUnit) -> Result<EventPayload<'a>, LineError> {
    let channel = line.channel().needed_name()?;
    if !line.joins().is_given() && !line.leaves().is_given() {
        // Either list may be missing, but a line without both is a mistake.
        return Err(LineError::Missing {
            field: "joins (or leaves)",
        });
    }
    let mut changes = Vec::new();
    for (kind, field) in [
        (ChangeKind::Leave, line.leaves()),
        (ChangeKind::Join, line.joins()),
    ] {
        for ReportedTopic { topic, members, .. } in topics(field, unit)? {
            changes.extend(members.into_iter().map(|who| ReportedChange {
                kind,
                topic: topic.clone(),
                who,
            }));
        }
    }
    several(line, channel, changes, true)
}

fn link<'a>(line: &Line<'a>) -> Result<EventPayload<'a>, LineError> {
    let state = line
        .state()
        .string()?
        .ok_or_else(|| line.state().lacking())?;
    let with_differences = with_differences(line)?;
    let state = match state.as_ref() {
        "up" if with_differences => LinkState::UpWithDifferences,
        "up" => LinkState::Up,
        _ if with_differences => {
            return Err(LineError::Misplaced {
                field: line.resync().name(),
                place: "with state \"up\"",
            });
        }
        "down" => LinkState::Down,
        "synced" => LinkState::Synced,
        _ => return Err(line.state().unknown()),
    };
    Ok(EventPayload::Link(ReportedLink {
        state,
        channels: line.channels().names()?,
        unrestored: line.unrestored().names()?,
        service: service(line)?,
        reason: line.reason().string_up_to(REASON_BYTES_MAX)?,
    }))
}

/// Whether the source sends what was missed as differences. Without `resync`, it sends a snapshot.
fn with_differences(line: &Line<'_>) -> Result<bool, LineError> {
    match line.resync().string()?.as_deref() {
        None => Ok(false),
        Some("differences") => Ok(true),
        Some(_) => Err(line.resync().unknown()),
    }
}

fn service(line: &Line<'_>) -> Result<Service, LineError> {
    let Some(word) = line.service().string()? else {
        return Ok(Service::All);
    };
    let service = SERVICES.iter().find(|(known, _)| *known == word);
    service
        .map(|&(_, service)| service)
        .ok_or_else(|| line.service().unknown())
}

fn token<'a>(line: &Line<'a>) -> Result<EventPayload<'a>, LineError> {
    let state = line
        .state()
        .string()?
        .ok_or_else(|| line.state().lacking())?;
    let state = match state.as_ref() {
        "will_expire" => TokenState::WillExpire,
        "expired" => TokenState::Expired,
        "renewed" => TokenState::Renewed,
        "revoked" => TokenState::Revoked,
        _ => return Err(line.state().unknown()),
    };
    Ok(EventPayload::Token(ReportedToken {
        state,
        channel: line.channel().maybe_name()?,
        reason: line.reason().string_up_to(REASON_BYTES_MAX)?,
    }))
}

/// Reads `{topic: [member]}`. If a topic comes twice, the last list counts, as for all repeated keys.
fn topics<'a>(field: Field<'a>, unit: TimeUnit) -> Result<Vec<ReportedTopic<'a>>, LineError> {
    let mut topics = Vec::new();
    field.lists("topic", |topic, list| {
        let mut members = Vec::new();
        list.objects(|scanner| {
            let mut listed = Listed::default();
            listed.read(scanner)?;
            members.push(listed.member(unit)?);
            Ok(())
        })?;
        topics.push(ReportedTopic {
            topic,
            total: None,
            members,
        });
        Ok(())
    })?;
    if topics.len() > 1 {
        let mut seen: HashSet<Str<'a>> = HashSet::with_capacity(topics.len());
        topics.reverse();
        topics.retain(|shown| seen.insert(shown.topic.clone()));
        topics.reverse();
    }
    Ok(topics)
}

impl<'a> Listed<'a> {
    fn member(&self, unit: TimeUnit) -> Result<ReportedMember<'a>, LineError> {
        let who = ReportedMember {
            user: self.user().needed_name()?,
            conn: conn(self.conn())?,
            meta: None,
            stamp: Stamp {
                pos: self.pos().pos()?,
                ts: self.ts().time(unit)?,
            },
            reason: self.reason().string_up_to(REASON_BYTES_MAX)?,
            late_ms: self.late_ms().late()?,
        };
        Ok(self.meta().meta()?.of_member(who))
    }
}
