//! Limits: a client that sends too much is slowed down or gets an error, and other clients do not notice.
#![cfg(feature = "server")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use rollbook::limits;
use rollbook::server::{Config, ServerLimits};
use rollbook::{Options, Store};
use rollbook_support::engine::FaultyJournal;
use rollbook_support::server::{Served, join, soon};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The number of messages, and the number of lines in each.
const MESSAGES: usize = 1_000;
const LINES: usize = 64;

#[tokio::test(flavor = "multi_thread")]
async fn no_more_is_read_while_too_many_bytes_wait_for_their_acknowledgement() {
    assert!(read_unacknowledged(ServerLimits::default()).await < MESSAGES);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_is_read_while_too_many_lines_wait_for_their_acknowledgement() {
    let bounds = ServerLimits::default().unacked_lines(100);
    // The limit of bytes alone would let in 500.
    assert!(read_unacknowledged(bounds).await < 400);
}

/// How many messages are read from a client while nothing becomes durable. In the end all are acknowledged.
async fn read_unacknowledged(bounds: ServerLimits) -> usize {
    let engine = FaultyJournal::new();
    let store = Store::on(Box::new(Arc::clone(&engine)), Options::default()).unwrap();
    let config = Config::default().bounds(bounds);
    let served = Served::start(store, config).await;
    let mut socket = served.socket("/v1/ingest").await.unwrap();
    engine.shut();
    // About twice the bytes that may wait, and more than the system's own buffers hold.
    let long = "x".repeat(1_000);
    let line = move |n: usize| join("room", &format!("{long}{n}"), 1);
    let sent = Arc::new(AtomicUsize::new(0));
    let sending = Arc::clone(&sent);
    let talk = tokio::spawn(async move {
        for message in 0..MESSAGES {
            let lines: Vec<String> = (0..LINES).map(|n| line(message * LINES + n)).collect();
            socket.say_in_time(lines.join("\n")).await;
            sending.fetch_add(1, Ordering::SeqCst);
        }
        socket
    });
    // Until no more messages are read.
    let mut before = usize::MAX;
    loop {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        let now = sent.load(Ordering::SeqCst);
        if now == before && now > 0 {
            break;
        }
        before = now;
    }
    engine.open();
    let mut socket = soon(talk).await.unwrap();
    let all = (MESSAGES * LINES) as u64;
    socket
        .hear_until(|word| word["t"] == "ack" && word["line"] == all)
        .await;
    socket.close().await;
    served.stop().await;
    before
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_long_is_rejected_or_ends_its_socket() {
    let served = Served::open(Store::in_memory(Options::default()).unwrap()).await;
    let mut socket = served.socket("/v1/ingest").await.unwrap();
    socket.say("x".repeat(limits::LINE_BYTES_MAX + 1)).await;
    let heard = socket.hear_until(|word| word["t"] == "ack").await;
    let reason = format!(
        "the line is {} bytes long; at most {} are allowed",
        limits::LINE_BYTES_MAX + 1,
        limits::LINE_BYTES_MAX
    );
    assert_eq!(heard[0], json!({"t":"reject","line":1,"reason":reason}));
    socket.say(join("room", "tony", 1_000)).await;
    socket
        .hear_until(|word| word["t"] == "ack" && word["line"] == 2)
        .await;
    socket.close().await;
    let mut socket = served.socket("/v1/subscribe").await.unwrap();
    socket.hear_until(|said| said["t"] == "live").await;
    socket.say("x".repeat(limits::CONTROL_BYTES_MAX + 1)).await;
    assert!(socket.hear().await.is_err());
    let name = "x".repeat(limits::NAME_BYTES_MAX + 1);
    served
        .post(&format!("/v1/events?observer={name}"), "")
        .await
        .expect(400);
    let long = "x".repeat(4 * limits::REQUEST_HEAD_BYTES_MAX);
    let head = [("x-long", long.as_str())];
    served.ask("GET", "/healthz", &head, "").await.expect(431);
    served.stop().await;
}
