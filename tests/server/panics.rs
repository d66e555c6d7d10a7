//! Threads that panic: their request gets an error, no place stays occupied, and the server continues.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use rollbook::server::{Config, ServerLimits};
use rollbook::{Options, Store};
use rollbook_support::engine::FaultyJournal;
use rollbook_support::server::{Served, join};
use std::sync::Arc;

async fn served(engine: &Arc<FaultyJournal>) -> Served {
    let config = Config::default().bounds(ServerLimits::default().queries(1).slow_readers(1));
    let store = Store::on(Box::new(Arc::clone(engine)), Options::default()).unwrap();
    let served = Served::start(store, config).await;
    let line = join("room", "ana", 1);
    served.post("/v1/events", &line).await.expect(200);
    served
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_thread_that_tells_panics_nobody_is_left_to_wait() {
    let engine = FaultyJournal::new();
    let served = served(&engine).await;
    let mut live = served.socket("/v1/subscribe").await.unwrap();
    live.hear_until(|said| said["t"] == "live").await;
    served.get("/readyz").await.expect(200);
    engine.panic_on_read(true);
    let line = join("room", "ben", 2);
    served.post("/v1/events", &line).await.expect(200);
    assert_eq!(live.hear().await, Err(1011));
    engine.panic_on_read(false);
    let error = served.get("/readyz").await.expect(503).error();
    assert!(
        error.starts_with("new entries are delivered to nobody"),
        "{error}"
    );
    // The line is recorded anyway, and queries show it.
    let line = join("room", "eve", 3);
    served.post("/v1/events", &line).await.expect(200);
    assert_eq!(served.get("/v1/history").await.expect(200).lines().len(), 3);
    let mut late = served.socket("/v1/subscribe").await.unwrap();
    late.hear_until(|said| said["user"] == "eve").await;
    late.hear_until(|said| said["t"] == "live").await;
    assert_eq!(late.hear().await, Err(1011));
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_panics_is_answered_so_and_takes_no_place_with_it() {
    let engine = FaultyJournal::new();
    // With one query at a time, a place that stayed occupied would block all later queries.
    let served = served(&engine).await;
    let paths = [
        "/v1/who?channel=room",
        "/v1/history",
        "/v1/sessions?channel=room",
        "/v1/missed?channel=room",
        "/v1/stats?channel=room",
        "/v1/channels",
    ];
    engine.panic_on_read(true);
    for path in paths {
        let error = served.get(path).await.expect(500).error();
        assert!(!error.contains("asked for"), "{path}: {error}");
    }
    let mut socket = served.socket("/v1/subscribe").await.unwrap();
    assert_eq!(socket.hear().await, Err(1011));
    engine.panic_on_read(false);
    for path in paths {
        served.get(path).await.expect(200);
    }
    let line = join("room", "ben", 2);
    served.post("/v1/events", &line).await.expect(200);
    assert_eq!(served.get("/v1/history").await.expect(200).lines().len(), 2);
    served.stop().await;
}
