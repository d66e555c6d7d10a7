//! What a server needs of a store: new heads are reported to it, it can measure the writer's work, and after it was
//! killed, the next opening of the store settles its connections.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use rollbook::domain::entry::Rules;
use rollbook::domain::event::Connection;
use rollbook::feed::{self, Defaults};
use rollbook::log::Progress;
use rollbook::store::{Batch, BatchLine, BlockSize, LineCounts, Meter};
use rollbook::{Options, Store};
use rollbook_support as support;
use rollbook_support::engine::FaultyJournal;
use rollbook_support::program::folder;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

/// A batch of a connection: its event, then the lines of its feed, then the position in the feed.
fn batch(what: Connection, events: &[&str], heard: u64) -> Batch {
    let defaults = Defaults::of("gate");
    let parse = |line: &&str| {
        feed::parse(line.as_bytes(), &defaults)
            .unwrap()
            .into_owned()
    };
    let events: Vec<_> = events.iter().map(parse).collect();
    let mut lines = vec![BatchLine::Connection {
        observer: "gate".into(),
        what,
        at: events.first().and_then(|event| event.stamp.ts),
    }];
    lines.extend(
        events
            .into_iter()
            .map(|event| BatchLine::Event(event.into())),
    );
    lines.push(BatchLine::Progress(Progress::of_feed("gate", "f", heard)));
    Batch::new(lines, Rules::default())
}

const SNAPSHOT: &str =
    r#"{"t":"snapshot","channel":"yard","ts":1000,"topics":{"t":[{"user":"jo"},{"user":"kay"}]}}"#;
const JOIN: &str = r#"{"t":"join","channel":"yard","topic":"t","user":"lou","ts":4000}"#;
const LEAVE: &str = r#"{"t":"leave","channel":"yard","topic":"t","user":"jo","ts":9000}"#;

fn take(store: &Store, batch: Batch) -> LineCounts {
    store.submit(batch).unwrap().wait().unwrap().tally
}

/// Set in the process that plays the server to be killed.
const SERVER: &str = "ROLLBOOK_TEST_SERVER";

#[test]
fn the_connections_of_a_server_that_was_killed_are_settled() {
    if let Some(dir) = std::env::var_os(SERVER) {
        let store = Store::open(dir, Options::default()).unwrap();
        take(&store, batch(Connection::Up, &[SNAPSHOT, JOIN], 2));
        println!("durable");
        // It is killed long before this ends.
        return std::thread::sleep(Duration::from_secs(60));
    }
    let folder = folder!();
    let dir = folder.path("store");
    let mut server = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "--nocapture",
            "the_connections_of_a_server_that_was_killed_are_settled",
        ])
        .env(SERVER, &dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(server.stdout.take().unwrap()).lines();
    assert!(said.any(|line| line.unwrap().contains("durable")));
    server.kill().unwrap();
    server.wait().unwrap();

    // A query settles them, and only the first one.
    for _ in 0..2 {
        let gaps = folder.ask(&["gaps", "yard"]);
        assert_eq!(gaps.len(), 1);
        assert_eq!(gaps[0]["from"], "1970-01-01T00:00:04.000Z");
        assert_eq!(
            (gaps[0]["to"].is_null(), &gaps[0]["resumed"]),
            (true, &false.into())
        );
        let links = folder.ask(&["history", "--type", "link"]);
        assert_eq!(links.len(), 2);
        assert_eq!(
            (&links[1]["state"], &links[1]["reason"]),
            (&"down".into(), &"restart".into())
        );
        assert_eq!(links[1]["occurred_at"], "1970-01-01T00:00:04.000Z");
    }
    assert_eq!(folder.ask(&["missed", "yard"]).len(), 1);

    let store = Store::open(&dir, Options::default()).unwrap();
    assert_eq!(store.feed_position("gate", "f").unwrap(), 2);
    take(&store, batch(Connection::Resumed, &[LEAVE], 3));
    assert_eq!(store.feed_position("gate", "f").unwrap(), 3);
    take(&store, batch(Connection::Closed, &[], 3));
    drop(store);
    assert_eq!(folder.ask(&["missed", "yard"]).len(), 0);
    let gap = &folder.ask(&["gaps", "yard"])[0];
    assert_eq!(
        (&gap["to"], &gap["resumed"]),
        (&"1970-01-01T00:00:09.000Z".into(), &true.into())
    );
    let who = &folder.ask(&["who", "yard", "--at", "@6000"])[0];
    assert_eq!(who["coverage"], "complete");
    for publisher in who["topics"][0]["publishers"].as_array().unwrap() {
        assert_eq!(publisher["certainty"], "certain");
    }
    folder.verified();
}

#[test]
fn whoever_asked_is_told_of_new_heads_once_they_can_be_read() {
    let store = Arc::new(Store::in_memory(support::options()).unwrap());
    let (told, heads) = mpsc::channel();
    let told = Mutex::new(told);
    store.on_published(move |seq| told.lock().unwrap().send(seq).unwrap());
    for line in 1..=3 {
        take(&store, batch(Connection::Up, &[SNAPSHOT], line));
        let last = heads.try_iter().last();
        assert_eq!(
            last,
            Some(store.head()),
            "told before the receipt was given"
        );
    }
}

#[derive(Default)]
struct Measured(Mutex<(u64, u64, u32, u32)>);

impl Meter for Measured {
    fn committed(&self, tally: &LineCounts) {
        self.0.lock().unwrap().0 += tally.entries;
    }

    fn synced(&self, _took: Duration, entries: u64) {
        let mut measured = self.0.lock().unwrap();
        measured.1 += entries;
        measured.2 += 1;
    }

    fn reconciled(&self, _took: Duration) {
        self.0.lock().unwrap().3 += 1;
    }
}

#[test]
fn the_writers_work_can_be_measured() {
    let meter = Arc::new(Measured::default());
    let options = support::options().meter(Arc::clone(&meter) as Arc<dyn Meter>);
    let store = Store::in_memory(options).unwrap();
    take(&store, batch(Connection::Up, &[SNAPSHOT, JOIN], 2));
    take(&store, batch(Connection::Lost, &[], 2));
    let (committed, synced, syncs, reconciled) = *meter.0.lock().unwrap();
    assert_eq!((committed, synced), (store.head(), store.head()));
    assert_eq!((syncs, reconciled), (2, 1));
    let gauges = store.gauges().unwrap();
    assert_eq!(
        (gauges.head, gauges.waiting, gauges.bytes),
        (store.head(), 0, 0)
    );
    assert_eq!(
        (gauges.channels, gauges.present, gauges.gaps_open),
        (1, 3, 1)
    );
    assert_eq!((gauges.observers, gauges.connected), (1, 0));
    assert_eq!(store.failure(), None);
}

/// Notes what an operator should know.
#[derive(Default)]
struct Upkeep(Mutex<Vec<String>>);

impl Meter for Upkeep {
    fn write_failed(&self, reason: &str) {
        self.0.lock().unwrap().push(format!("failed: {reason}"));
    }

    fn sealed(&self, entries: u64, up_to: u64) {
        let sealed = format!("sealed {entries} up to {up_to}");
        self.0.lock().unwrap().push(sealed);
    }

    fn pruned(&self, entries: u64, _bytes: u64) {
        self.0.lock().unwrap().push(format!("pruned {entries}"));
    }
}

#[test]
fn sealing_pruning_and_backups_can_be_watched() {
    let folder = folder!();
    let meter = Arc::new(Upkeep::default());
    let options = support::options().meter(Arc::clone(&meter) as Arc<dyn Meter>);
    let store = Store::open(folder.path("store"), options).unwrap();
    assert_eq!(store.unsealed().unwrap().oldest, None);
    take(&store, batch(Connection::Up, &[SNAPSHOT], 1));
    let first = store.head();
    take(&store, batch(Connection::Up, &[JOIN], 2));
    let unsealed = store.unsealed().unwrap();
    assert_eq!(unsealed.entries, store.head());
    assert!(unsealed.oldest.is_some());
    store.seal(BlockSize { least: 1, most: 1 }).unwrap();
    let unsealed = store.unsealed().unwrap();
    assert_eq!(unsealed.entries, store.head() - first);
    store.prune(i64::MAX).unwrap();
    let said = meter.0.lock().unwrap().clone();
    assert_eq!(
        said,
        [
            format!("sealed {first} up to {first}"),
            format!("pruned {first}")
        ]
    );
    assert_eq!(store.last_backup(), None);
    store.note_backup();
    assert!(store.last_backup().is_some());
}

#[test]
fn a_failed_write_is_reported_once() {
    let meter = Arc::new(Upkeep::default());
    let engine = FaultyJournal::new();
    engine.panic_on_sync();
    let options = support::options().meter(Arc::clone(&meter) as Arc<dyn Meter>);
    let store = Store::on(Box::new(engine), options).unwrap();
    for _ in 0..2 {
        let handed_over = store.submit(batch(Connection::Up, &[JOIN], 1));
        assert!(handed_over.and_then(|ticket| ticket.wait()).is_err());
    }
    let said = meter.0.lock().unwrap().clone();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("panicked"), "{said:?}");
}

#[test]
fn closing_finishes_what_is_in_hand() {
    let folder = folder!();
    let dir = folder.path("store");
    let store = Store::open(&dir, support::options()).unwrap();
    let tickets: Vec<_> = (1..=50)
        .map(|line| store.submit(batch(Connection::Up, &[JOIN], line)).unwrap())
        .collect();
    store.close().unwrap();
    assert_eq!(store.feed_position("gate", "f").unwrap(), 50);
    assert!(store.gauges().unwrap().bytes > 0);
    for ticket in tickets {
        ticket.wait().unwrap();
    }
}
