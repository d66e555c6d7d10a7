//! Hand-made answers, and helpers that print them.

use rollbook::cli::output::{Output, OutputFormat};
use rollbook::cli::style::TerminalStyle;
use rollbook::cli::tables::Table;
use rollbook::export::record::ExportRow;
use rollbook::query::answer::*;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::io;

pub const PLAIN: TerminalStyle = TerminalStyle {
    width: 80,
    colour: false,
};
/// 2026-05-14T00:00:00Z.
pub const DAY: i64 = 1_778_716_800_000;

/// A time on that day.
pub fn at(clock: &str) -> Time {
    let parts: Vec<i64> = clock
        .split([':', '.'])
        .map(|part| part.parse().unwrap())
        .collect();
    let ms = parts.get(3).copied().unwrap_or(0);
    Time(DAY + ((parts[0] * 60 + parts[1]) * 60 + parts[2]) * 1_000 + ms)
}

pub fn meta(text: &str) -> Meta {
    Some(RawValue::from_string(text.to_owned()).unwrap())
}

/// An answer with these fields; the others are `null`.
pub fn made<T: DeserializeOwned>(fields: Value) -> T {
    serde_json::from_value(fields).unwrap()
}

pub fn list<T: ExportRow, B: Table<T>>(
    format: OutputFormat,
    view: TerminalStyle,
    table: B,
    rows: &[T],
) -> String {
    let mut bytes = Vec::new();
    let mut output = Output::new(format, view, Box::new(&mut bytes));
    let mut list = output.list(table);
    for row in rows {
        list.row(row).unwrap();
    }
    list.finish().unwrap();
    output.finish().unwrap();
    String::from_utf8(bytes).unwrap()
}

pub fn one<T: ExportRow>(
    format: OutputFormat,
    answer: &T,
    table: impl FnOnce(&mut dyn io::Write, &TerminalStyle, &T) -> io::Result<()>,
) -> String {
    let mut bytes = Vec::new();
    let mut output = Output::new(format, PLAIN, Box::new(&mut bytes));
    output.one(answer, table).unwrap();
    output.finish().unwrap();
    String::from_utf8(bytes).unwrap()
}

pub fn who_missed(
    topic: &str,
    user: &str,
    meta: Meta,
    from: Option<&str>,
    to: &str,
) -> MissedMember {
    let mut member: MissedMember = made(json!({
        "topic": topic, "user": user, "connection": "",
        "not_before": from.map(at), "not_after": at(to),
    }));
    member.meta = meta;
    member
}

/// A gap of which nothing is missed.
pub fn missed(gap: u32, from: Time, to: Option<&str>, evidence: Evidence) -> Missed {
    made(json!({
        "gap": gap, "channel": "studio-7", "from": from, "to": to.map(at), "evidence": evidence,
        "joined": [], "left": [], "updated": [],
    }))
}

pub fn evening() -> Vec<Missed> {
    let gap1 = ("20:40:52.031", "20:48:33.690");
    let gap2 = ("21:13:20.448", "21:31:47.551");
    let member = |topic: &str, user: &str, text: &str, gap: (&str, &str)| {
        who_missed(topic, user, meta(text), Some(gap.0), gap.1)
    };
    let mut first = missed(1, at(gap1.0), Some(gap1.1), Evidence::Link);
    first.joined = vec![
        member("chat", "leo", "\"role=guest\"", gap1),
        member("screen", "ivo", "\"720p\"", gap1),
    ];
    first.left = vec![
        member("chat", "dev", "\"role=guest\"", gap1),
        member("chat", "kim🎈", "null", gap1),
    ];
    first.updated = vec![member("chat", "carla", "\"role=cohost\"", gap1)];
    let mut second = missed(2, at(gap2.0), Some(gap2.1), Evidence::Link);
    second.left = vec![
        member("screen", "ana", "\"1080p\"", gap2),
        member("screen", "ivo", "\"720p\"", gap2),
    ];
    second.vanished = vec!["screen".into()];
    let midnight = Time(at("23:59:00").0 + 120_000);
    vec![
        first,
        second,
        missed(3, at("22:00:00"), Some("22:00:04.250"), Evidence::Snapshot),
        missed(4, midnight, None, Evidence::Link),
    ]
}

pub fn roll(coverage: CoverageAnswer, when: Option<Time>) -> Who {
    let publisher = |user: &str, connection: &str, since: Option<Time>, certainty: Certainty| {
        json!({
            "user": user, "connection": connection, "meta": {"role": "guest"}, "since": since,
            "certainty": certainty,
        })
    };
    let ana = [
        publisher("ana", "", Some(at("20:00:02.118")), Certainty::Certain),
        publisher("ana", "phone", Some(Time(DAY - 1_000)), Certainty::Assumed),
    ];
    let ben = [publisher("ben", "", None, Certainty::Possible)];
    made(json!({
        "channel": "studio-7", "at": when, "seq": 41, "coverage": coverage,
        "topics": [{"topic": "chat", "publishers": ana}, {"topic": "screen", "publishers": ben}],
    }))
}

pub fn entry(seq: u64, kind: EntryType, user: &str) -> HistoryEntry {
    made(json!({
        "seq": seq, "channel": "studio-7", "type": kind, "topic": "chat", "user": user,
        "connection": "", "meta": "role=guest", "occurred_at": at("20:40:52.031"),
        "recorded_at": at("20:40:52.100"), "effective_at": at("20:40:52.031"),
        "observer": "default", "origin": OriginAnswer::Observed,
        "disposition": DispositionAnswer::Applied, "baseline": false, "pos": [7, 0],
        "source_ts": at("20:40:52.031"),
    }))
}

pub fn entries() -> Vec<HistoryEntry> {
    let of_nobody = |seq, kind| {
        let mut entry = entry(seq, kind, "");
        (entry.topic, entry.user, entry.connection, entry.meta) = (None, None, None, None);
        entry
    };
    let mut duplicate = entry(2, EntryType::Join, "ana");
    duplicate.disposition = DispositionAnswer::Duplicate;
    let mut link = of_nobody(3, EntryType::Link);
    link.state = Some(EntryState::Down);
    link.reason = Some("NETWORK_CHANGE".into());
    let mut snapshot = of_nobody(4, EntryType::Snapshot);
    (snapshot.members, snapshot.complete) = (Some(2), Some(true));
    let mut leave = entry(5, EntryType::Leave, "a\u{1b}[2Jb");
    leave.origin = OriginAnswer::Inferred;
    leave.snapshot_seq = Some(4);
    leave.not_before = Some(at("20:31:00"));
    leave.not_after = Some(at("20:40:52.031"));
    leave.pos = None;
    vec![
        entry(1, EntryType::Join, "ana"),
        duplicate,
        link,
        snapshot,
        leave,
    ]
}

pub fn gap() -> Gap {
    made(json!({
        "gap": 1, "channel": "studio-7", "from": at("20:40:52.031"), "to": at("20:48:33.690"),
        "evidence": Evidence::Link, "resumed": false, "joined": 3, "left": 0, "updated": 1,
    }))
}

pub fn channel() -> ChannelAnswer {
    made(json!({
        "channel": "studio-7", "topics": 2, "present_now": 12_345, "entries": 1_234_567,
        "first_at": at("20:00:00"), "coverage": CoverageAnswer::Complete,
    }))
}

pub fn reject() -> RejectAnswer {
    made(json!({
        "n": 1, "source": "feed, odd.jsonl", "line": 17, "byte": 4_096,
        "reason": "not JSON: \"}\" expected", "text": "{\"t\":\u{7}",
    }))
}

pub fn whole() -> Verified {
    made(json!({"ok": true, "entries": 97, "commits": 73, "problems": []}))
}

pub fn stay() -> Session {
    made(json!({
        "channel": "studio-7", "topic": "chat", "user": "ana", "connection": "",
        "joined_at": at("20:40:52.031"), "join_origin": OriginAnswer::Observed, "baseline": false,
        "min_ms": 17,
    }))
}

pub fn user() -> UserStats {
    made(json!({
        "channel": "studio-7", "user": "ana", "first_in": at("20:00:02"),
        "last_out": at("21:58:46"), "stays": 2, "min_ms": 6_000_000, "max_ms": 6_060_000,
    }))
}

pub fn person() -> Attendance {
    made(json!({
        "channel": "studio-7", "user": "ana", "starts_at": at("20:00:00"), "ends_at": at("21:00:00"),
        "expected": true, "first_in": at("20:12:00"), "last_out": at("20:42:30"), "stays": 1,
        "min_ms": 1_830_000, "max_ms": 1_830_000, "min_share": 0.5083, "max_share": 0.5083,
        "late": true, "left_early": true, "gaps": 1, "unwatched_ms": 90_000,
    }))
}
