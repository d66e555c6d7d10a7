//! Small limits: a client that reaches one gets an error, acknowledged lines are kept, and other clients are served.
#![cfg(feature = "server")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use rollbook::log::engine::fault::FaultJournal;
use rollbook::log::engine::memory::MemoryJournal;
use rollbook::server::{Config, ServerLimits};
use rollbook::{Options, Store};
use rollbook_support::server::{Served, join, soon};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn served(bounds: ServerLimits) -> Served {
    let config = Config::default().bounds(bounds);
    Served::start(Store::in_memory(Options::default()).unwrap(), config).await
}

fn lines(count: i64) -> String {
    let lines: Vec<String> = (0..count)
        .map(|n| join("room", &format!("u{n}"), n))
        .collect();
    lines.join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_body_that_is_too_large_what_was_recorded_is_said() {
    let bounds = ServerLimits::default().body_bytes(100_000);
    let served = served(bounds).await;
    let body = lines(4_000);
    let error = served.post("/v1/events", &body).await.expect(413).error();
    assert!(error.contains("100000 bytes"), "{error}");
    let byte = error.split("up to byte ").nth(1).unwrap();
    let mut byte: usize = byte.split(' ').next().unwrap().parse().unwrap();
    assert!(byte <= 100_000, "{error}");
    // The rest can be sent from that position; nothing is lost or recorded twice.
    while byte < body.len() {
        let end = body.len().min(byte + 90_000);
        let end = body[..end]
            .rfind('\n')
            .filter(|_| end < body.len())
            .map_or(end, |at| at + 1);
        served
            .post("/v1/events", &body[byte..end])
            .await
            .expect(200);
        byte = end;
    }
    assert_eq!(served.stop().await.head(), 4_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_go_on_is_not_waited_for() {
    let bounds = ServerLimits::default().request(Duration::from_millis(200));
    let served = served(bounds).await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let line = join("room", "ana", 1);
    let request = format!(
        "POST /v1/events HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n{line}\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    soon(stream.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(
        answer.contains("what came before it is recorded"),
        "{answer}"
    );
    assert_eq!(served.stop().await.head(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_falls_silent_is_given_up() {
    let bounds = ServerLimits::default()
        .ping(Duration::from_millis(20))
        .silence(Duration::from_millis(200));
    let served = served(bounds).await;
    let mut socket = served.socket("/v1/ingest").await.unwrap();
    socket.say(join("room", "ana", 1)).await;
    // The client reads nothing from now on, so it answers no ping either.
    let mut lost = false;
    let given_up = async {
        while !lost {
            for entry in served.store.history(&Default::default()).unwrap() {
                let entry = entry.unwrap();
                lost |= entry.reason.as_deref() == Some("connection_lost");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon(given_up).await;
    socket.drop();
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_when_the_house_is_full_waits() {
    let bounds = ServerLimits::default().connections(2);
    let served = Arc::new(served(bounds).await);
    let mut first = served.socket("/v1/ingest?observer=1").await.unwrap();
    let second = served.socket("/v1/ingest?observer=2").await.unwrap();
    let asking = Arc::clone(&served);
    let third = tokio::spawn(async move { asking.get("/healthz").await });
    for n in 1..=20 {
        first.say(join("room", "ana", n)).await;
        first.hear_until(|word| word["line"] == n).await;
    }
    assert!(!third.is_finished());
    second.close().await;
    soon(third).await.unwrap().expect(200);
    first.close().await;
    Arc::into_inner(served).unwrap().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_more_is_written_it_is_not_ready_and_still_answers() {
    let engine = FaultJournal::new(MemoryJournal::new());
    engine.fail_sync(1);
    let store = Store::on(Box::new(engine), Options::default()).unwrap();
    let served = Served::open(store).await;
    served.post("/v1/events", &lines(1)).await.expect(200);
    served.get("/readyz").await.expect(200);
    let mut socket = served.socket("/v1/ingest").await.unwrap();
    let refused = served
        .post("/v1/events", &lines(2))
        .await
        .expect(503)
        .error();
    let error = served.get("/readyz").await.expect(503).error();
    assert!(error.starts_with("nothing more is written"), "{error}");
    assert!(!refused.is_empty());
    served.get("/healthz").await.expect(200);
    // The acknowledged line is recorded, and nothing else.
    assert_eq!(served.get("/v1/history").await.expect(200).lines().len(), 1);
    socket.say(join("room", "eve", 5)).await;
    assert_eq!(socket.hear().await, Err(1011));
    served.stop().await;
}
