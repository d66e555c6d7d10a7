//! Formats: the format of a new store, the formats that are refused, and that a store of every earlier format still
//! gives the same answers. `migrations/README.md` explains how to add a format.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use rollbook::care::VerifyDepth;
use rollbook::domain::entry::Rules;
use rollbook::domain::event::Connection;
use rollbook::feed::{self, Defaults};
use rollbook::ingest::{IngestOptions, ingest, source::Source};
use rollbook::log::Progress;
use rollbook::log::engine::memory::MemoryJournal;
use rollbook::log::engine::objects::{FolderObjects, MemoryObjects, ObjectStore};
use rollbook::log::engine::sled::SledJournal;
use rollbook::log::engine::{Durability, Engine, Journal};
use rollbook::store::{Batch, BatchLine, BlockSize, FORMAT, plan};
use rollbook::{Store, StoreError};
use rollbook_support as support;
use rollbook_support::program::{Folder, folder};
use rollbook_support::{answers, engine};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;

const JOIN: &str = r#"{"t":"join","channel":"a","topic":"b","user":"c","ts":1}"#;

fn card(folder: &Folder) -> Value {
    serde_json::from_slice(&std::fs::read(folder.path("store").join("store.json")).unwrap())
        .unwrap()
}

#[test]
fn a_fresh_store_has_the_newest_format_and_needs_no_step() {
    let folder = folder!();
    assert_eq!(plan(&folder.path("store")).unwrap().from, 0);
    folder.ingest(JOIN, &[]);
    let before = card(&folder);
    assert_eq!(before["format"], FORMAT);
    let migrated = folder.run(&["migrate"]).ok();
    assert!(migrated.err.contains("nothing to do"), "{migrated:?}");
    assert_eq!(migrated.out, "");
    assert_eq!(card(&folder), before);
    assert_eq!(folder.verified(), 1);
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let folder = folder!();
    folder.ingest(JOIN, &[]);
    let mut newer = card(&folder);
    newer["format"] = json!(99);
    let path = folder.path("store").join("store.json");
    std::fs::write(&path, newer.to_string()).unwrap();
    let file = folder.file("feed.jsonl", JOIN);
    for args in [
        &["history"][..],
        &["migrate"],
        &["verify"],
        &["rebuild"],
        &["ingest", &file],
    ] {
        let refused = folder.run(args).fails(1);
        assert!(refused.err.contains("format 99"), "{refused:?}");
        assert!(refused.err.contains("newer rollbook"), "{refused:?}");
    }
    assert_eq!(card(&folder), newer);
    let opened = Store::open(folder.path("store"), support::options());
    assert!(matches!(
        opened,
        Err(StoreError::NewerFormat {
            found: 99,
            known: FORMAT,
            ..
        })
    ));
}

#[test]
fn a_broken_card_is_named_and_nothing_is_made_anew() {
    let folder = folder!();
    folder.ingest(JOIN, &[]);
    let path = folder.path("store").join("store.json");
    let whole = std::fs::read(&path).unwrap();
    let file = folder.file("feed.jsonl", JOIN);
    for broken in [
        "",
        "{",
        "[]",
        "null",
        "{\"format\":1}",
        "{\"format\":0,\"digest_key\":\"\",\"created_at\":0}",
        "{\"format\":-1,\"digest_key\":\"\",\"created_at\":0}",
        "{\"format\":\"1\"}",
        "\u{0}\u{0}",
        "nonsense",
    ] {
        std::fs::write(&path, broken).unwrap();
        for args in [&["history"][..], &["migrate"], &["ingest", &file]] {
            let refused = folder.run(args).fails(5);
            assert!(
                refused.err.contains("store.json"),
                "{broken:?}: {refused:?}"
            );
        }
        assert_eq!(std::fs::read(&path).unwrap(), broken.as_bytes());
    }
    let mut card: Value = serde_json::from_slice(&whole).unwrap();
    for key in ["", "00", &"g".repeat(64), &"é".repeat(32)] {
        card["digest_key"] = json!(key);
        std::fs::write(&path, card.to_string()).unwrap();
        let refused = folder.run(&["history"]).fails(5);
        assert!(refused.err.contains("64 hexadecimal digits"), "{refused:?}");
    }
    std::fs::write(&path, whole).unwrap();
    assert_eq!(folder.verified(), 1);
}

/// The log and blocks of each fixture, and its format, whose other files it shares. Blocks have versions of their own, which need
/// no migration: the newest is last.
const LOGS: [(u32, &str); 4] = [
    (1, "format-1"),
    (2, "format-2"),
    (2, "format-2-streams"),
    (2, "format-2-places"),
];
const NEWEST: &str = LOGS[LOGS.len() - 1].1;

fn fixture(name: &str, ending: &str) -> PathBuf {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/fixtures");
    PathBuf::from(folder).join(format!("{name}.{ending}"))
}

/// A file that all fixtures of a format share.
fn shared(format: u32, ending: &str) -> PathBuf {
    fixture(&format!("format-{format}"), ending)
}

/// The contents of a store, a line each.
fn told(store: &Store) -> String {
    answers::contents(store).join("\n") + "\n"
}

/// Every kind of record and entry, in a few lines.
const KINDS: &str = r#"{"t":"link","state":"up","observer":"booth","ts":1000}
{"t":"snapshot","channel":"hall","ts":2000,"observer":"booth","self":"me","pos":[1,0],"topics":{"stage":[{"user":"me"},{"user":"ana","conn":"1","meta":{"k":[1,2.50]}},{"user":"ben"}]}}
{"t":"join","channel":"hall","topic":"stage","user":"kim🎈","conn":"tab/2","meta":"x","observer":"booth","id":"a-1","pos":[2,0],"ts":3000,"reason":"ticket"}
{"t":"update","channel":"hall","topic":"stage","user":"ben","meta":null,"observer":"booth","ts":3500}
{"t":"join","channel":"hall","topic":"stage","user":"ana","conn":"1","observer":"booth","ts":1}
{"t":"leave","channel":"hall","topic":"stage","user":"nobody","ts":4000}
not a line
{"t":"diff","channel":"hall","observer":"booth","id":"a-2","ts":5000,"leaves":{"stage":[{"user":"ben"}]},"joins":{"stage":[{"user":"cleo"}],"door":[{"user":"dan"}]}}
{"t":"token","state":"will_expire","channel":"hall","observer":"booth","ts":5500}
{"t":"token","state":"revoked","observer":"booth","ts":5600,"reason":"policy"}
{"t":"link","state":"down","channels":["hall"],"observer":"booth","ts":6000,"reason":"lost"}
{"t":"link","state":"up","channels":["hall"],"observer":"booth","ts":9000}
{"t":"snapshot","channel":"hall","ts":9500,"observer":"booth","self":"me","incomplete":true,"topics":{"stage":[{"user":"eve"}]}}
{"t":"snapshot","channel":"hall","ts":10000,"observer":"booth","self":"me","topics":{"stage":[{"user":"eve","meta":1},{"user":"kim🎈","conn":"tab/2","meta":"y"}]}}
{"t":"snapshot","channel":"hall","ts":2500,"observer":"booth","topics":{}}
{"t":"snapshot_begin","channel":"lobby","sync":"s1","observer":"door","ts":11000}
{"t":"snapshot_page","channel":"lobby","sync":"s1","observer":"door","ts":11100,"topics":{"bar":[{"user":"fay"},{"user":"gil","ts":10500}]}}
{"t":"join","channel":"lobby","topic":"bar","user":"hal","observer":"door","ts":11200}
{"t":"snapshot_end","channel":"lobby","sync":"s1","observer":"door","ts":11300}
{"t":"snapshot_begin","channel":"lobby","sync":"s2","observer":"door","ts":12000}
{"t":"snapshot_page","channel":"lobby","sync":"s2","observer":"door","ts":12100,"topics":{"bar":[{"user":"ida"}]}}
{"t":"snapshot_end","channel":"hall","sync":"never begun","ts":12200}
{"event":"linkState","currentState":"CONNECTED","serviceType":"MESSAGE","timestamp":12300}
{"t":"join","channel":"hall","topic":"stage","user":"late","ts":99999999999999}
"#;

/// The records of a connection to a server: up, lost, resumed, closed; and the position in its feed.
fn live(store: &Store) {
    let connection = |what| BatchLine::Connection {
        observer: "gate".into(),
        what,
        at: Some(20_000),
    };
    let event = |text: &str| {
        let defaults = Defaults::of("gate");
        let event = feed::parse(text.as_bytes(), &defaults).unwrap();
        BatchLine::Event(event.into_owned().into())
    };
    let lines = vec![
        connection(Connection::Up),
        event(r#"{"t":"snapshot","channel":"yard","ts":20000,"topics":{"t":[{"user":"jo"}]}}"#),
        connection(Connection::Lost),
        connection(Connection::Resumed),
        event(r#"{"t":"join","channel":"yard","topic":"t","user":"kay","ts":21000}"#),
        connection(Connection::Closed),
        BatchLine::Progress(Progress::of_feed("gate", "f1", 2)),
    ];
    let batch = Batch::new(lines, Rules::default());
    store.submit(batch).unwrap().wait().unwrap();
}

/// Writes the fixture of the current format. Only for a new format, or a new version of blocks: a fixture must never change later.
fn write_fixture() {
    // The path is recorded too, so it must be relative.
    let dir = tempfile::tempdir().unwrap();
    std::env::set_current_dir(dir.path()).unwrap();
    let journal = Arc::new(MemoryJournal::new());
    let objects = Arc::new(MemoryObjects::default());
    let open = || {
        let engine = Box::new(Arc::clone(&journal));
        Store::on_parts(engine, Box::new(Arc::clone(&objects)), support::options()).unwrap()
    };
    let evening = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/examples/weak-network-evening.jsonl"
    );
    for text in [KINDS, &std::fs::read_to_string(evening).unwrap(), KINDS] {
        let store = open();
        std::fs::write("feed.jsonl", text).unwrap();
        ingest(
            &store,
            Source::open("feed.jsonl".as_ref()).unwrap(),
            &IngestOptions::default(),
            &mut (),
        )
        .unwrap();
    }
    let store = open();
    live(&store);
    let (least, most) = (40, 50);
    store.seal(BlockSize { least, most }).unwrap();
    std::fs::write(shared(FORMAT, "jsonl"), told(&store)).unwrap();
    let mut log = Vec::new();
    for value in engine::values(&journal) {
        log.extend(u32::try_from(value.len()).unwrap().to_le_bytes());
        log.extend(value);
    }
    std::fs::write(fixture(NEWEST, "log"), log).unwrap();
    let mut blocks = journal.first().to_le_bytes().to_vec();
    for number in objects.numbers().unwrap() {
        let block = objects.read(number, 0, usize::MAX).unwrap();
        blocks.extend(number.to_le_bytes());
        blocks.extend(u32::try_from(block.len()).unwrap().to_le_bytes());
        blocks.extend(block);
    }
    std::fs::write(fixture(NEWEST, "blocks"), blocks).unwrap();
    let card = json!({"format": FORMAT, "digest_key": "0".repeat(64), "created_at": 0});
    std::fs::write(shared(FORMAT, "json"), card.to_string() + "\n").unwrap();
}

/// Puts the log of a fixture into an engine and its blocks, if it has any, into a store of objects.
fn restore(name: &str, engine: &dyn Engine, objects: &dyn ObjectStore) {
    let log = std::fs::read(fixture(name, "log")).unwrap();
    let (mut rest, mut values) = (log.as_slice(), Vec::new());
    while let Some((length, tail)) = rest.split_first_chunk::<4>() {
        let (value, tail) = tail.split_at(u32::from_le_bytes(*length) as usize);
        values.push(value.to_vec());
        rest = tail;
    }
    assert!(rest.is_empty());
    let blocks = std::fs::read(fixture(name, "blocks")).unwrap_or_default();
    if let Some((first, mut rest)) = blocks.split_first_chunk::<8>() {
        while let Some((number, tail)) = rest.split_first_chunk::<8>() {
            let (length, tail) = tail.split_first_chunk::<4>().unwrap();
            let (block, tail) = tail.split_at(u32::from_le_bytes(*length) as usize);
            objects.put(u64::from_le_bytes(*number), block).unwrap();
            rest = tail;
        }
        // Positions before the first kept one, where there is nothing any more.
        let before = u64::from_le_bytes(*first) - 1;
        let head = engine.append(0, &vec![vec![0]; before as usize]).unwrap();
        engine.trim(head + 1).unwrap();
    }
    engine.append(engine.head(), &values).unwrap();
    engine.sync().unwrap();
}

#[test]
fn a_store_of_every_format_says_what_it_said() {
    if std::env::var_os("ROLLBOOK_WRITE_FIXTURE").is_some() {
        write_fixture();
    }
    for (format, name) in LOGS {
        let recorded = std::fs::read_to_string(shared(format, "jsonl")).unwrap();
        if format == FORMAT {
            let (journal, objects) = (MemoryJournal::new(), MemoryObjects::default());
            restore(name, &journal, &objects);
            assert!(!objects.numbers().unwrap().is_empty());
            let store =
                Store::on_parts(Box::new(journal), Box::new(objects), support::options()).unwrap();
            same(&told(&store), &recorded);
            let verified = store.verify(VerifyDepth::Deep, |_| {}).unwrap();
            assert!(verified.ok && verified.entries > 100, "{verified:#?}");
        }
        // The same as a folder, which `migrate` converts to the current format.
        let folder = folder!();
        let store = folder.path("store");
        std::fs::create_dir_all(store.join("log")).unwrap();
        std::fs::copy(shared(format, "json"), store.join("store.json")).unwrap();
        let journal = SledJournal::open(&store.join("log"), Durability::Power).unwrap();
        let objects = FolderObjects::open(&store.join("blocks")).unwrap();
        restore(name, &journal, &objects);
        drop(journal);
        let before = card(&folder);
        let planned = folder.run(&["migrate", "--dry-run"]).ok();
        let steps = planned.err.matches("format ").count();
        assert_eq!(steps as u32, (FORMAT - format).max(1), "{planned:?}");
        assert_eq!(card(&folder), before);
        folder.run(&["migrate"]).ok();
        assert_eq!(card(&folder)["format"], FORMAT);
        same(
            &told(&Store::open(&store, support::options()).unwrap()),
            &recorded,
        );
        let entries = folder.verified();
        assert_eq!(folder.ask(&["history"]).len() as u64, entries);
        // Recording continues with the known ids, pages and members.
        let sum = folder.ingest(KINDS, &[]);
        assert_eq!(sum["retries"], 2, "{sum}");
        let entries = folder.verified();
        // A person is forgotten in blocks of every version.
        folder.run(&["forget", "--user", "ana"]).ok();
        assert_eq!(folder.verified(), entries);
        assert!(!folder.run(&["history"]).ok().out.contains("\"ana\""));
        folder.run(&["forget", "--user", "ana"]).fails(3);
    }
}

/// Compares only the fields that answers had when the fixture was recorded.
fn same(told: &str, recorded: &str) {
    let same = |(now, then): &(&str, &str)| match [now, then].map(|it| serde_json::from_str(it)) {
        [
            Ok(serde_json::Value::Object(mut now)),
            Ok(serde_json::Value::Object(then)),
        ] => {
            now.retain(|field, _| then.contains_key(field));
            now == then
        }
        _ => now == then,
    };
    let differ = told.lines().zip(recorded.lines()).find(|it| !same(it));
    assert_eq!(differ, None);
    assert_eq!(told.lines().count(), recorded.lines().count());
}
