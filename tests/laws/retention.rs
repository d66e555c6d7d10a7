//! Laws of retention: old checkpoints are dropped; the remaining ones are complete and close enough to every entry.
//! No answer depends on which are kept.

use rollbook::Store;
use rollbook::log::engine::memory::MemoryJournal;
use rollbook::log::engine::objects::{MemoryObjects, ObjectStore};
use rollbook::log::engine::{Journal, KeyValues};
use rollbook::query::{WhoFilter, WhoWhen};
use rollbook::store::{BlockSize, ScanScope, ScanStart};
use rollbook_support as support;
use std::collections::BTreeSet;
use std::sync::Arc;

/// How many times a store is opened, written and closed. Each time adds a checkpoint and one entry.
const TIMES: u64 = 80;
const START: i64 = 1_800_000_000_000;

fn open(engine: &Arc<MemoryJournal>) -> Store {
    Store::on(Box::new(engine.clone()), support::options()).unwrap()
}

/// A busy channel, one with a single early entry, and one with a single late entry.
fn channel(n: u64) -> &'static str {
    match n {
        12 => "early",
        77 => "late",
        _ => "busy",
    }
}

fn written() -> Arc<MemoryJournal> {
    let engine = Arc::new(MemoryJournal::new());
    for n in 1..=TIMES {
        let ts = START + n as i64 * 1_000;
        let channel = channel(n);
        let line =
            format!(r#"{{"t":"join","channel":"{channel}","topic":"t","user":"u{n}","ts":{ts}}}"#);
        support::take(&open(&engine), &line, &Default::default());
    }
    engine
}

/// The keys of the checkpoints and of the channels' parts, without the number of the piece.
fn kept(engine: &Arc<MemoryJournal>) -> [BTreeSet<Vec<u8>>; 2] {
    ["trunk", "part"].map(|kind| {
        let keys = engine.keys(kind.as_bytes()).unwrap();
        let whole = keys.into_iter().map(|key| key[..key.len() - 4].to_vec());
        whole.collect()
    })
}

/// What the writer would start from.
fn described(engine: &Arc<MemoryJournal>) -> String {
    open(engine).described().unwrap()
}

/// The same log without anything beside it.
fn bare(engine: &Arc<MemoryJournal>) -> Arc<MemoryJournal> {
    let values: Vec<Vec<u8>> = engine.read(1).map(|it| it.unwrap().1.to_vec()).collect();
    let bare = Arc::new(MemoryJournal::new());
    bare.append(0, &values).unwrap();
    bare
}

/// The entry at which reading begins for the entries after `seq`, of all channels or of one.
fn begin(store: &Store, seq: u64, channel: Option<&str>) -> u64 {
    let scope = ScanScope {
        start: ScanStart::Behind(seq),
        channel,
        ..ScanScope::default()
    };
    let (cursor, _) = store.scan(&scope).unwrap();
    cursor.state.head()
}

#[test]
fn old_checkpoints_are_dropped_and_those_that_are_left_are_whole() {
    let engine = written();
    let [checkpoints, parts] = kept(&engine);
    assert!((8..=20).contains(&checkpoints.len()), "{checkpoints:?}");
    // Each checkpoint adds one part. Two outlive theirs: that of "early", and that of "busy" before "late" came.
    assert_eq!(parts.len(), checkpoints.len() + 2);
    let store = open(&engine);
    assert_eq!(store.head(), TIMES);
    for seq in 1..=TIMES {
        let (begin, behind) = (begin(&store, seq, None), TIMES - seq);
        assert!(begin <= seq && seq - begin <= behind, "{begin}, {seq}");
    }
}

#[test]
fn the_checkpoints_of_an_older_program_are_used() {
    let engine = written();
    let [checkpoints, _] = kept(&engine);
    // There the channel came before the frame, under other words.
    for (word, older) in [("part", "chan"), ("gone", "tomb")] {
        for key in engine.keys(word.as_bytes()).unwrap() {
            let (frame, channel, piece) = (&key[4..12], &key[12..44], &key[44..]);
            let value = engine.lookup(&key).unwrap().unwrap();
            let older = [older.as_bytes(), channel, frame, piece].concat();
            engine.put(&older, &value).unwrap();
            engine.remove(&key).unwrap();
        }
    }
    // Only a writer changes the keys: until then reading begins at the first entry, and is right.
    let store = open(&engine);
    assert_eq!(begin(&store, TIMES, None), 0);
    drop(store);
    let whole = bare(&engine);
    for engine in [&engine, &whole] {
        let line = r#"{"t":"leave","channel":"busy","topic":"t","user":"u2","ts":1}"#;
        support::take(&open(engine), line, &Default::default());
    }
    assert_eq!(described(&engine), described(&whole));
    for older in ["chan", "tomb"] {
        assert_eq!(engine.keys(older.as_bytes()).unwrap().len(), 0);
    }
    let [now, parts] = kept(&engine);
    assert!(checkpoints.intersection(&now).count() >= 6, "{now:?}");
    assert!(parts.len() >= now.len(), "{parts:?}");
    assert!(begin(&open(&engine), TIMES / 2, None) > 0);
}

#[test]
fn only_the_newest_checkpoints_have_tombstones() {
    let engine = Arc::new(MemoryJournal::new());
    for n in 1..=40 {
        let ts = START + n * 1_000;
        let channel = if n == 5 { "early" } else { "busy" };
        let line = |what: &str, ts: i64| {
            format!(r#"{{"t":"{what}","channel":"{channel}","topic":"t","user":"u{n}","ts":{ts}}}"#)
        };
        let both = [line("join", ts), line("leave", ts + 1)].join("\n");
        support::take(&open(&engine), &both, &Default::default());
    }
    // Two of "busy", and the one of "early" that both point to.
    let keys = engine.keys(b"gone").unwrap();
    assert_eq!(keys.len(), 3, "{keys:?}");
    // The writer needs no others: it knows all who have left.
    let whole = bare(&engine);
    assert_eq!(described(&engine), described(&whole));
    let again = r#"{"t":"leave","channel":"busy","topic":"t","user":"u2","ts":1}"#;
    for engine in [&engine, &whole] {
        support::take(&open(engine), again, &Default::default());
    }
    assert_eq!(described(&engine), described(&whole));
    // If those of the newest checkpoint are damaged, it starts from the one before.
    let newest = engine.keys(b"gone").unwrap().pop().unwrap();
    engine.remove(&newest).unwrap();
    assert_eq!(described(&engine), described(&whole));
}

#[test]
fn each_sealed_block_has_the_states_of_its_channels() {
    const BLOCK: u64 = 8;
    let engine = Arc::new(MemoryJournal::new());
    let objects = Arc::new(MemoryObjects::default());
    let open = || {
        let engine = Box::new(Arc::clone(&engine));
        Store::on_parts(engine, Box::new(Arc::clone(&objects)), support::options()).unwrap()
    };
    // One member comes and goes, so that its entries pay for the states soon.
    for n in 1..=20 * BLOCK {
        let ts = START + n as i64 * 1_000;
        let what = ["leave", "join"][(n % 2) as usize];
        let line = format!(r#"{{"t":"{what}","channel":"c","topic":"t","user":"u","ts":{ts}}}"#);
        let store = open();
        support::take(&store, &line, &Default::default());
        let (least, most) = (2 * BLOCK, BLOCK);
        store.seal(BlockSize { least, most }).unwrap();
    }
    let store = open();
    let head = store.head();
    assert_eq!(head, 20 * BLOCK);
    assert!(objects.numbers().unwrap().len() > 15);
    // However far back, reading begins a few blocks before.
    for seq in 1..=head {
        let begin = begin(&store, seq, Some("c"));
        assert!(begin <= seq && seq - begin <= 4 * BLOCK, "{begin}, {seq}");
    }
    // Also without any checkpoint.
    assert!(store.rebuild().unwrap());
    assert!(begin(&store, head / 2, Some("c")) > 0);
    assert_eq!(begin(&store, head / 2, None), 0);
}

#[test]
fn the_far_past_is_answered_as_without_checkpoints() {
    let engine = written();
    let stores = [open(&engine), open(&bare(&engine))];
    let mut asked = Vec::new();
    for n in 0..=TIMES {
        asked.push(WhoWhen::At(START + n as i64 * 1_000 + 500));
        asked.push(WhoWhen::Seq(n));
    }
    let answer = |store: &Store, channel, when| -> Option<String> {
        let filter = WhoFilter::default().when(when);
        let who = store.who(channel, &filter).ok()?;
        Some(serde_json::to_string(&who).unwrap())
    };
    for when in asked {
        for channel in ["busy", "early", "late"] {
            let [with, without] = stores.each_ref().map(|store| answer(store, channel, when));
            assert_eq!(with, without, "{channel}, {when:?}");
        }
    }
    assert_eq!(begin(&stores[1], TIMES, None), 0);
}
