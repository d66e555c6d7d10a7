//! Entries that an older program accepted but no feed may contain: they are reported, and the others can be exported.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use rollbook::domain::entry::Rules;
use rollbook::domain::event::{
    ChangeKind, Event, EventPayload, ReportedChange, ReportedMember, Str,
};
use rollbook::domain::order::Stamp;
use rollbook::store::{Batch, BatchEvent, BatchLine, FeedLine};
use rollbook::{Options, Store};
use rollbook_support::program::{Folder, folder};
use serde_json::Value;

fn join(user: &str, meta: Option<&'static str>, ts: i64) -> Event<'static> {
    let stamp = Stamp {
        ts: Some(ts),
        ..Stamp::NONE
    };
    let who = ReportedMember {
        user: user.to_owned().into(),
        conn: "".into(),
        meta: meta.map(Str::from),
        stamp,
        reason: None,
        late_ms: 0,
    };
    let (kind, topic) = (ChangeKind::Join, "chat".into());
    Event {
        observer: "default".into(),
        self_user: None,
        id: None,
        stamp,
        payload: EventPayload::Changes {
            channel: "room".into(),
            changes: vec![ReportedChange { kind, topic, who }],
            together: false,
            occupancy: None,
        },
    }
}

/// A store with two bad entries between good ones. The second one has metadata that is no JSON, the fourth one has a
/// name that is too long.
fn store() -> Folder {
    let folder = folder!();
    let store = Store::open(folder.path("store"), Options::default()).unwrap();
    let events = [
        join("ana", Some("{\"a\":1}"), 1_000),
        join("ben", Some("{nonsense"), 2_000),
        join("cleo", None, 3_000),
        join(&"n".repeat(100_000), None, 4_000),
        join("eve", Some("\n1"), 5_000),
    ];
    // As if a feed had read them: an older program accepted such lines.
    let lines = events.map(|event| {
        BatchLine::Event(BatchEvent {
            line: Some(FeedLine::default()),
            ..event.into()
        })
    });
    let batch = Batch::new(lines.into(), Rules::default());
    let receipt = store.submit(batch).unwrap().wait().unwrap();
    assert_eq!(receipt.tally.joins, 5);
    folder
}

#[test]
fn verify_deep_finds_them() {
    let folder = store();
    folder.run(&["verify"]).ok();
    let found = folder.run(&["verify", "--deep"]).fails(5).line();
    let problems = found["problems"].as_array().unwrap();
    let told: Vec<String> = problems
        .iter()
        .map(|problem| {
            let word = |field: &str| problem[field].as_str().unwrap().to_owned();
            format!("{} {}: {}", problem["seq"], word("kind"), word("detail"))
        })
        .collect();
    assert_eq!(told.len(), 3, "{told:#?}");
    assert_eq!(told[0], "2 unfit: meta is no JSON");
    assert_eq!(
        told[1],
        "4 unfit: user is 100000 bytes long; at most 1024 are allowed"
    );
    assert!(told[2].starts_with("5 unfit: meta is not in its canonical form"));
}

#[test]
fn replay_goes_on_behind_what_it_cannot_tell() {
    let folder = store();
    for shape in ["agora", "rollbook"] {
        let ran = folder.run(&["replay", "--as", shape]).fails(5);
        let lines = ran.lines();
        assert_eq!(lines.len(), 3, "{ran:?}");
        for seq in [2, 5] {
            let named =
                format!("entry {seq}: it cannot be replayed, and is left out: its metadata");
            assert!(ran.err.contains(&named), "{}", ran.err);
        }
        assert!(ran.err.contains("2 entries of the log"), "{}", ran.err);
    }
    let ran = folder.run(&["replay", "--to-seq", "1"]).ok();
    assert_eq!((ran.lines().len(), ran.err.as_str()), (1, ""));
}

#[test]
fn export_writes_every_row_and_names_what_is_not_as_it_is() {
    let folder = store();
    for name in ["entries.csv", "entries.jsonl"] {
        let ran = folder.run(&["export", "--to", name]).fails(5);
        assert!(
            ran.err.contains("entry 2: its metadata is no JSON"),
            "{}",
            ran.err
        );
        assert!(ran.err.contains("5 rows in"), "{}", ran.err);
    }
    let text = std::fs::read_to_string(folder.path("entries.jsonl")).unwrap();
    let rows: Vec<Value> = text
        .lines()
        .map(|row| serde_json::from_str(row).unwrap())
        .collect();
    assert_eq!((rows.len(), &rows[1]["meta"]), (5, &"{nonsense".into()));
    let sessions = folder.run(&["export", "--what", "sessions", "--to", "stays.csv"]);
    sessions.ok();
    // Each answer is one line, and no answer fails.
    assert_eq!(folder.ask(&["history"]).len(), 5);
    folder.run(&["who", "room"]).ok();
}
