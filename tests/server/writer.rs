//! The writer's threads: after a panic the store must not look healthy, and a checkpoint that cannot be saved does
//! not undo anything durable.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use rollbook::care::VerifyDepth;
use rollbook::domain::entry::Rules;
use rollbook::ingest::source::Source;
use rollbook::ingest::{IngestOptions, ingest};
use rollbook::limits;
use rollbook::store::{Batch, BatchLine, BatchText, FeedLine, Meter};
use rollbook::{Options, Store, StoreError};
use rollbook_support::engine::FaultyJournal;
use rollbook_support::server::{Served, join};
use std::io::Cursor;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Checks the answers of a server with this store after its writer has panicked.
async fn never_ready(store: Store) {
    let served = Served::open(store).await;
    served.get("/readyz").await.expect(200);
    let line = join("room", "ana", 1);
    served.post("/v1/events", &line).await.expect(503);
    assert!(served.store.failure().unwrap().contains("panicked"));
    let error = served.get("/readyz").await.expect(503).error();
    assert!(error.starts_with("nothing more is written"), "{error}");
    served.post("/v1/events", &line).await.expect(503);
    served.get("/healthz").await.expect(200);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_where_lines_are_decided_is_the_end_of_writing() {
    let panics = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&panics);
    let options = Options::default().clock(move || {
        assert!(!asked.load(Ordering::SeqCst), "no clock");
        1_000
    });
    let store = Store::in_memory(options).unwrap();
    panics.store(true, Ordering::SeqCst);
    never_ready(store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_where_the_log_is_written_is_the_end_of_writing() {
    let engine = FaultyJournal::new();
    engine.panic_on_sync();
    never_ready(Store::on(Box::new(engine), Options::default()).unwrap()).await;
}

/// Counts failed checkpoints.
#[derive(Default)]
struct Failed(AtomicU64);

impl Meter for Failed {
    fn checkpoint_failed(&self, _: &StoreError) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_checkpoint_that_cannot_be_saved_takes_nothing_back() {
    let engine = FaultyJournal::new();
    let failed = Arc::new(Failed::default());
    let options = Options::default().meter(Arc::clone(&failed) as Arc<dyn Meter>);
    let store = Store::on(Box::new(Arc::clone(&engine)), options.clone()).unwrap();
    engine.fail_key_values(true);
    let fill = |room: &str, from: u64| {
        let lines: Vec<String> = (from..from + 70_000)
            .map(|n| {
                let t = if n % 2 == 0 { "join" } else { "leave" };
                format!(r#"{{"t":"{t}","channel":"{room}","topic":"a","user":"u","id":"{n}"}}"#)
            })
            .collect();
        let source = Source::from_reader("lines", Cursor::new(lines.join("\n"))).unwrap();
        ingest(
            &store,
            source,
            &IngestOptions::default().rules(Rules::default()),
            &mut (),
        )
        .unwrap()
    };
    assert_eq!(fill("one", 0).tally.entries, 70_000);
    assert_eq!(store.failure(), None);
    assert!(failed.0.load(Ordering::SeqCst) > 0);
    engine.fail_key_values(false);
    // The next checkpoint has the channels of the failed ones, too.
    let before = failed.0.load(Ordering::SeqCst);
    assert_eq!(fill("two", 70_000).tally.entries, 70_000);
    store.close().unwrap();
    assert_eq!(failed.0.load(Ordering::SeqCst), before);
    let channels = format!("{:?}", store.channels().unwrap());
    drop(store);
    let store = Store::on(Box::new(engine), options).unwrap();
    assert_eq!(format!("{:?}", store.channels().unwrap()), channels);
    assert!(store.verify(VerifyDepth::Deep, |_| {}).unwrap().ok);
}

#[test]
fn bytes_that_wait_for_the_writer_are_bounded_over_all_who_hand_over() {
    const BATCHES: usize = 100;
    let engine = FaultyJournal::new();
    let store = Store::on(Box::new(Arc::clone(&engine)), Options::default()).unwrap();
    let batch = || {
        let text = BatchText {
            bytes: vec![b'x'; 32 * limits::REJECT_TEXT_BYTES_MAX],
            ..BatchText::default()
        };
        Batch::read(text, Rules::default(), |text| {
            let lines = text.bytes.chunks(limits::REJECT_TEXT_BYTES_MAX);
            let line = |text| FeedLine {
                source: "flood",
                text,
                ..FeedLine::default()
            };
            let rejected = lines.map(|text| BatchLine::Rejected(line(text), "bad".to_owned()));
            rejected.collect()
        })
    };
    engine.shut();
    let handed = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..BATCHES)
            .map(|_| {
                scope.spawn(|| {
                    let ticket = store.submit(batch()).unwrap();
                    handed.fetch_add(1, Ordering::SeqCst);
                    ticket.wait().unwrap();
                })
            })
            .collect();
        // Until no more batches are accepted.
        let mut before = u64::MAX;
        loop {
            std::thread::sleep(Duration::from_millis(300));
            let now = handed.load(Ordering::SeqCst);
            if now == before && now > 0 {
                break;
            }
            before = now;
        }
        assert!(before * (32 << 16) <= limits::WRITER_BYTES_MAX, "{before}");
        // The waiting threads do not block another call: it returns its error at once.
        assert!(store.rebuild().is_err());
        engine.open();
        for each in all {
            each.join().unwrap();
        }
    });
    assert_eq!(handed.load(Ordering::SeqCst), BATCHES as u64);
}
