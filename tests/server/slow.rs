//! Slow clients: bodies that do not continue and readers that do not read block no other client.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use rollbook::query::HistoryFilter;
use rollbook::server::ServerLimits;
use rollbook_support::program::rounds;
use rollbook_support::reliability::row;
use rollbook_support::server::{Served, lines, soon};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(3_600);

/// Limits with which a silent client loses its place only when another client wants it.
fn patient() -> ServerLimits {
    ServerLimits::default()
        .request(LONG)
        .whole(LONG)
        .crowded(Duration::from_millis(300))
}

/// Sends a request, and then nothing more.
async fn silent(served: &Served, request: String) -> TcpStream {
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    soon(stream.write_all(request.as_bytes())).await.unwrap();
    stream
}

fn post(length: usize, body: &str) -> String {
    format!("POST /v1/events HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n{body}")
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_never_end_keep_no_others_out() {
    let bounds = patient().bodies(2).starts(3);
    let served = Served::within(bounds).await;
    let long = lines(2_000);
    let mut stalled = Vec::new();
    for _ in 0..rounds(4, 30) {
        stalled.push(silent(&served, post(10 << 20, &long)).await);
        stalled.push(silent(&served, post(1_000, &lines(1))).await);
    }
    for _ in 0..3 {
        served.post("/v1/events", lines(3)).await.expect(200);
    }
    let found = [("others kept out", 0), ("others served beside them", 3)];
    row(
        "bodies that never end, at once",
        stalled.len() as u64,
        &found,
    );
    drop(stalled);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_only_drips_is_not_waited_for() {
    let bounds = ServerLimits::default()
        .request(Duration::from_millis(500))
        .rate(1 << 20);
    let served = Served::within(bounds).await;
    let stream = silent(&served, post(10 << 20, "")).await;
    let (mut reader, mut writer) = stream.into_split();
    let drip = tokio::spawn(async move {
        while writer.write_all(lines(1).as_bytes()).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let mut answer = vec![0; 12];
    soon(reader.read_exact(&mut answer)).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 408");
    row("a body that only drips", 1, &[("answered 408", 1)]);
    drip.abort();
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_who_do_not_read_keep_no_others_out() {
    let bounds = patient().queries(1).slow_readers(1);
    let served = Served::within(bounds).await;
    served.post("/v1/events", lines(60_000)).await.expect(200);
    let mut stalled = Vec::new();
    for _ in 0..rounds(3, 20) {
        let request = "GET /v1/history HTTP/1.1\r\nhost: localhost\r\n\r\n";
        let mut stream = silent(&served, request.into()).await;
        soon(stream.read_exact(&mut [0; 12])).await.unwrap();
        stalled.push(stream);
    }
    let who = served.get("/v1/who?channel=room").await.expect(200);
    assert_eq!(
        who.json()["topics"][0]["publishers"]
            .as_array()
            .unwrap()
            .len(),
        60_000
    );
    let history = served.get("/v1/history").await.expect(200);
    assert_eq!(history.body.lines().count(), 60_000);
    let found = [("others kept out", 0), ("others served beside them", 2)];
    row(
        "readers who do not read, at once",
        stalled.len() as u64,
        &found,
    );
    // An answer that was broken off must not look complete.
    let mut cut = Vec::new();
    let read = soon(stalled[0].read_to_end(&mut cut)).await;
    assert!(read.is_err() || !cut.ends_with(b"0\r\n\r\n"));
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_for_whom_nothing_is_read_ahead_is_given_the_same() {
    let bounds = ServerLimits::default().read_ahead(0);
    let served = Served::within(bounds).await;
    served.post("/v1/events", lines(1_500)).await.expect(200);
    let link = r#"{"t":"link","state":"down"}"#;
    let later = lines(1_500).replace("room", "other");
    let body = format!("{link}\n{later}{}", lines(1_500));
    served.post("/v1/events", &body).await.expect(200);
    for channel in ["room", "other"] {
        let mut socket = served
            .socket(&format!("/v1/subscribe?channel={channel}"))
            .await
            .unwrap();
        let mut heard = socket.hear_until(|said| said["t"] == "live").await;
        heard.pop();
        let mut history = Vec::new();
        let filter = HistoryFilter::default().channel(channel);
        for entry in served.store.history(&filter).unwrap() {
            let entry = entry.unwrap();
            history.push(serde_json::to_value(entry).unwrap());
        }
        assert_eq!(heard, history);
        socket.close().await;
    }
    served.stop().await;
}
