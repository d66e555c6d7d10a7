//! Shared by the tests of the feed: the event of a line, or why it is refused.

use rollbook::domain::event::*;
use rollbook::feed::{Defaults, parse};

pub const DEFAULTS: Defaults<'static> = Defaults::of("default");

pub fn event(line: &str) -> Event<'_> {
    parse(line.as_bytes(), &DEFAULTS).unwrap_or_else(|refusal| panic!("{line}: {refusal}"))
}

pub fn said(line: &str) -> EventPayload<'_> {
    event(line).payload
}

pub fn refused(line: impl AsRef<[u8]>) -> String {
    parse(line.as_ref(), &DEFAULTS)
        .expect_err(&String::from_utf8_lossy(line.as_ref()))
        .to_string()
}

pub fn who<'a>(user: &'a str, meta: Option<&'a str>) -> ReportedMember<'a> {
    ReportedMember {
        meta: meta.map(Into::into),
        ..ReportedMember::of(user)
    }
}

/// `kind topic user` of each change.
pub fn changes(line: &str) -> Vec<String> {
    match said(line) {
        EventPayload::Changes { changes, .. } => changes
            .iter()
            .map(|c| format!("{:?} {} {}", c.kind, c.topic, c.who.user))
            .collect(),
        EventPayload::Nothing => Vec::new(),
        other => panic!("{other:?}"),
    }
}

pub fn shown(line: &str) -> ReportedListing<'_> {
    match said(line) {
        EventPayload::Snapshot { shown, .. } | EventPayload::SnapshotPage { shown, .. } => shown,
        other => panic!("{other:?}"),
    }
}

pub fn js(kind: &str, publisher: &str, topics: &str) -> String {
    format!(
        r#"{{"channelType":"STREAM","channelName":"c","eventType":"{kind}","publisher":"{publisher}","timestamp":7,"topicInfos":{topics}}}"#
    )
}
