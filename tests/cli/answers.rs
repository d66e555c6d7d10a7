//! Hand-made answers, and helpers that print them.

use rollbook::cli::output::{Output, OutputFormat};
use rollbook::cli::style::TerminalStyle;
use rollbook::cli::tables::Table;
use rollbook::export::record::ExportRow;
use rollbook::query::answer::*;
use serde_json::value::RawValue;
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

pub fn json(text: &str) -> Meta {
    Some(RawValue::from_string(text.to_owned()).unwrap())
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
    MissedMember {
        topic: topic.into(),
        user: user.into(),
        connection: String::new(),
        meta,
        not_before: from.map(at),
        not_after: Some(at(to)),
    }
}

pub fn evening() -> Vec<Missed> {
    let gap1 = ("20:40:52.031", "20:48:33.690");
    let gap2 = ("21:13:20.448", "21:31:47.551");
    let member = |topic: &str, user: &str, meta: &str, gap: (&str, &str)| {
        who_missed(topic, user, json(meta), Some(gap.0), gap.1)
    };
    vec![
        Missed {
            gap: 1,
            channel: "studio-7".into(),
            from: at(gap1.0),
            to: Some(at(gap1.1)),
            evidence: Evidence::Link,
            closed_by: None,
            joined: vec![
                member("chat", "leo", "\"role=guest\"", gap1),
                member("screen", "ivo", "\"720p\"", gap1),
            ],
            left: vec![
                member("chat", "dev", "\"role=guest\"", gap1),
                member("chat", "kim🎈", "null", gap1),
            ],
            updated: vec![member("chat", "carla", "\"role=cohost\"", gap1)],
            collected: Vec::new(),
            vanished: vec![],
        },
        Missed {
            gap: 2,
            channel: "studio-7".into(),
            from: at(gap2.0),
            to: Some(at(gap2.1)),
            evidence: Evidence::Link,
            closed_by: None,
            joined: vec![],
            left: vec![
                member("screen", "ana", "\"1080p\"", gap2),
                member("screen", "ivo", "\"720p\"", gap2),
            ],
            updated: vec![],
            collected: Vec::new(),
            vanished: vec!["screen".into()],
        },
        Missed {
            gap: 3,
            channel: "studio-7".into(),
            from: at("22:00:00"),
            to: Some(at("22:00:04.250")),
            evidence: Evidence::Snapshot,
            closed_by: None,
            joined: vec![],
            left: vec![],
            updated: vec![],
            collected: Vec::new(),
            vanished: vec![],
        },
        Missed {
            gap: 4,
            channel: "studio-7".into(),
            from: Time(at("23:59:00").0 + 120_000),
            to: None,
            evidence: Evidence::Link,
            closed_by: None,
            joined: vec![],
            left: vec![],
            updated: vec![],
            collected: Vec::new(),
            vanished: vec![],
        },
    ]
}

pub fn roll(coverage: CoverageAnswer, when: Option<Time>) -> Who {
    let publisher = |user: &str, connection: &str, since: Option<Time>, certainty| Publisher {
        user: user.into(),
        connection: connection.into(),
        meta: json("{\"role\":\"guest\"}"),
        since,
        certainty,
    };
    Who {
        channel: "studio-7".into(),
        at: when,
        seq: 41,
        coverage,
        last_proof: None,
        topics: vec![
            TopicAnswer {
                topic: "chat".into(),
                publishers: vec![
                    publisher("ana", "", Some(at("20:00:02.118")), Certainty::Certain),
                    publisher("ana", "phone", Some(Time(DAY - 1_000)), Certainty::Assumed),
                ],
            },
            TopicAnswer {
                topic: "screen".into(),
                publishers: vec![publisher("ben", "", None, Certainty::Possible)],
            },
        ],
    }
}

pub fn entry(seq: u64, kind: EntryType, user: &str) -> HistoryEntry {
    HistoryEntry {
        seq,
        channel: Some("studio-7".into()),
        kind,
        topic: Some("chat".into()),
        user: Some(user.into()),
        connection: Some(String::new()),
        meta: json("\"role=guest\""),
        occurred_at: at("20:40:52.031"),
        recorded_at: at("20:40:52.100"),
        effective_at: at("20:40:52.031"),
        observer: "default".into(),
        state: None,
        origin: OriginAnswer::Observed,
        disposition: DispositionAnswer::Applied,
        snapshot_seq: None,
        not_before: None,
        not_after: None,
        baseline: false,
        reason: None,
        id: None,
        pos: Some([7, 0]),
        source_ts: Some(at("20:40:52.031")),
        members: None,
        complete: None,
    }
}

pub fn entries() -> Vec<HistoryEntry> {
    let nobody = |entry: HistoryEntry| HistoryEntry {
        topic: None,
        user: None,
        connection: None,
        meta: None,
        ..entry
    };
    vec![
        entry(1, EntryType::Join, "ana"),
        HistoryEntry {
            disposition: DispositionAnswer::Duplicate,
            ..entry(2, EntryType::Join, "ana")
        },
        nobody(HistoryEntry {
            state: Some(EntryState::Down),
            reason: Some("NETWORK_CHANGE".into()),
            ..entry(3, EntryType::Link, "")
        }),
        nobody(HistoryEntry {
            members: Some(2),
            complete: Some(true),
            ..entry(4, EntryType::Snapshot, "")
        }),
        HistoryEntry {
            origin: OriginAnswer::Inferred,
            snapshot_seq: Some(4),
            not_before: Some(at("20:31:00")),
            not_after: Some(at("20:40:52.031")),
            pos: None,
            ..entry(5, EntryType::Leave, "a\u{1b}[2Jb")
        },
    ]
}

pub fn gap() -> Gap {
    Gap {
        gap: 1,
        channel: "studio-7".into(),
        from: at("20:40:52.031"),
        to: Some(at("20:48:33.690")),
        evidence: Evidence::Link,
        closed_by: None,
        resumed: false,
        joined: 3,
        left: 0,
        updated: 1,
    }
}

pub fn channel() -> ChannelAnswer {
    ChannelAnswer {
        channel: "studio-7".into(),
        topics: 2,
        present_now: 12_345,
        entries: 1_234_567,
        first_at: Some(at("20:00:00")),
        last_at: None,
        coverage: CoverageAnswer::Complete,
    }
}

pub fn reject() -> RejectAnswer {
    RejectAnswer {
        n: 1,
        source: "feed, odd.jsonl".into(),
        line: 17,
        byte: 4_096,
        reason: "not JSON: \"}\" expected".into(),
        text: Some("{\"t\":\u{7}".into()),
    }
}
