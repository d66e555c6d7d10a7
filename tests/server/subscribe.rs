//! Entries over the network: none is missing or comes twice, whenever a client joins. A client that is too
//! slow is closed with a code. The SDK's shape.
#![cfg(feature = "server")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use rollbook::limits::LAG_ENTRIES_MAX;
use rollbook::{Options, Store};
use rollbook_support::server::{Served, join, snapshot, soon};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn served() -> Arc<Served> {
    Arc::new(Served::open(Store::in_memory(Options::default()).unwrap()).await)
}

async fn stop(served: Arc<Served>) {
    Arc::into_inner(served)
        .expect("all clients have ended")
        .stop()
        .await;
}

fn seqs(said: &[Value]) -> Vec<u64> {
    said.iter()
        .filter_map(|said| said.get("channel").and(said["seq"].as_u64()))
        .collect()
}

/// Records lines in two channels, a few at a time, until it is stopped; then one last line.
async fn record(served: Arc<Served>, done: Arc<AtomicBool>) {
    for round in 0.. {
        let lines: Vec<String> = (0..7)
            .map(|n| {
                join(
                    if n % 3 == 0 { "attic" } else { "room" },
                    &format!("u{round}-{n}"),
                    round,
                )
            })
            .collect();
        served
            .post("/v1/events", &lines.join("\n"))
            .await
            .expect(200);
        if done.load(Ordering::SeqCst) {
            break;
        }
    }
    for channel in ["room", "attic"] {
        served
            .post("/v1/events", &join(channel, "last", 1))
            .await
            .expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_seam_nothing_is_missing_and_nothing_comes_twice() {
    let served = served().await;
    let done = Arc::new(AtomicBool::new(false));
    let recording = tokio::spawn(record(Arc::clone(&served), Arc::clone(&done)));
    let mut listening = Vec::new();
    for (n, query) in [
        "",
        "channel=room",
        "channel=attic",
        "type=join&channel=room&user=last",
        "topic=chat&origin=observed",
    ]
    .iter()
    .cycle()
    .take(25)
    .enumerate()
    {
        let after = match n % 3 {
            0 => 0,
            1 => served.store.head(),
            _ => served.store.head() / 2,
        };
        let path = format!("/v1/subscribe?after_seq={after}&{query}");
        let mut socket = served.socket(&path).await.unwrap();
        let served = Arc::clone(&served);
        listening.push(tokio::spawn(async move {
            let last = if path.contains("attic") {
                "attic"
            } else {
                "room"
            };
            let ends = |said: &Value| said["user"] == "last" && said["channel"] == last;
            let mut heard = socket.hear_until(ends).await;
            if !path.contains("channel") {
                heard.extend(socket.hear_until(|said| said["user"] == "last").await);
            }
            let live = |said: &Value| said["t"] == "live";
            // All lines may have been recorded before the subscriber was live.
            if !heard.iter().any(live) {
                heard.extend(socket.hear_until(live).await);
            }
            let lives: Vec<usize> = (0..heard.len()).filter(|&at| live(&heard[at])).collect();
            assert_eq!(lives.len(), 1, "{path}");
            let behind = heard[lives[0]]["seq"].as_u64().unwrap();
            assert!(
                seqs(&heard[..lives[0]]).iter().all(|&seq| seq <= behind),
                "{path}"
            );
            assert!(
                seqs(&heard[lives[0]..]).iter().all(|&seq| seq > behind),
                "{path}"
            );
            let history = served
                .get(&path.replace("subscribe", "history"))
                .await
                .expect(200)
                .lines();
            assert_eq!(seqs(&heard), seqs(&history), "{path}");
        }));
    }
    done.store(true, Ordering::SeqCst);
    soon(recording).await.unwrap();
    for one in listening {
        soon(one).await.unwrap();
    }
    stop(served).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn links_that_name_no_channel_are_told_in_those_of_their_observer() {
    let served = served().await;
    served
        .post("/v1/events?observer=x", &snapshot("room", &["tony"], 1_000))
        .await
        .expect(200);
    served
        .post(
            "/v1/events?observer=y",
            &snapshot("attic", &["lily"], 1_000),
        )
        .await
        .expect(200);
    let mut room = served
        .socket("/v1/subscribe?channel=room&type=link")
        .await
        .unwrap();
    let mut attic = served
        .socket("/v1/subscribe?channel=attic&type=link,join&after_seq=4")
        .await
        .unwrap();
    for socket in [&mut room, &mut attic] {
        socket.hear_until(|said| said["t"] == "live").await;
    }
    let lines = [
        r#"{"t":"link","state":"down","ts":2000}"#.to_owned(),
        join("attic", "ana", 3_000),
    ];
    served
        .post("/v1/events?observer=x", &lines.join("\n"))
        .await
        .expect(200);
    assert_eq!(room.hear().await.unwrap()["state"], "down");
    assert_eq!(attic.hear().await.unwrap()["user"], "ana");
    drop((room, attic));
    stop(served).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_who_is_too_slow_is_closed_and_can_go_on_where_it_was() {
    let served = served().await;
    let slow = served.small_socket("/v1/subscribe?channel=room").await;
    let mut slow = slow.unwrap();
    slow.hear_until(|said| said["t"] == "live").await;
    // More than the buffers of two sockets and the subscriber's own buffer hold, since the client does not read.
    let long = "x".repeat(1_000);
    let mut recorded = 0;
    while recorded < 8 * LAG_ENTRIES_MAX {
        let lines: Vec<String> = (0..4_096)
            .map(|n| join("room", &format!("{long}{recorded}-{n}"), 1))
            .collect();
        served
            .post("/v1/events", &lines.join("\n"))
            .await
            .expect(200);
        recorded += lines.len();
    }
    let mut heard = Vec::new();
    let code = loop {
        match slow.hear().await {
            Ok(said) => heard.push(said["seq"].as_u64().unwrap()),
            Err(code) => break code,
        }
    };
    assert_eq!(code, 4408);
    assert!(heard.len() < recorded);
    let last = heard.len() as u64;
    assert_eq!(heard, (1..=last).collect::<Vec<_>>());
    let mut again = served
        .socket(&format!("/v1/subscribe?channel=room&after_seq={last}"))
        .await
        .unwrap();
    assert_eq!(again.hear().await.unwrap()["seq"], last + 1);
    drop((slow, again));
    stop(served).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_events_goes_on_behind_the_last_one_heard() {
    let served = served().await;
    let lines: Vec<String> = (1..=9).map(|n| join("room", &format!("u{n}"), n)).collect();
    served
        .post("/v1/events", &lines.join("\n"))
        .await
        .expect(200);
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let request = "GET /v1/stream?channel=room&after_seq=2 HTTP/1.1\r\nhost: localhost\r\nlast-event-id: 6\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    let mut read = async |wanted: &str| {
        let mut piece = [0; 4_096];
        while !text.contains(wanted) {
            let length = soon(stream.read(&mut piece)).await.unwrap();
            assert!(length > 0, "{text}");
            text.push_str(std::str::from_utf8(&piece[..length]).unwrap());
        }
        text.clone()
    };
    let before = read("\"live\"").await;
    assert!(
        before.contains("content-type: text/event-stream"),
        "{before}"
    );
    let ids: Vec<&str> = before
        .lines()
        .filter_map(|line| line.strip_prefix("id: "))
        .collect();
    assert_eq!(ids, ["7", "8", "9", "9"], "{before}");
    assert!(
        before.contains("data: {\"t\":\"live\",\"seq\":9}\n\n"),
        "{before}"
    );
    served
        .post("/v1/events", &join("room", "ana", 10))
        .await
        .expect(200);
    let after = read("\"ana\"").await;
    assert!(after.contains("id: 10\ndata: {\"seq\":10,"), "{after}");
    drop(stream);
    stop(served).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_has_not_begun_is_waited_for_as_the_description_says() {
    let served = served().await;
    served
        .post("/v1/events", &join("attic", "ana", 1))
        .await
        .expect(200);
    let path = "/v1/subscribe?channel=room";
    let mut socket = served.socket(path).await.unwrap();
    assert_eq!(socket.hear().await.unwrap(), json!({"t": "live", "seq": 1}));
    let mut feed = served.socket("/v1/feed?channel=room").await.unwrap();
    let shown = feed.hear().await.unwrap();
    assert_eq!(
        (&shown["eventType"], &shown["topicInfos"]),
        (&json!("SNAPSHOT"), &json!([]))
    );
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let request = "GET /v1/stream?channel=room HTTP/1.1\r\nhost: localhost\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    let mut read = async |wanted: &str| {
        let mut piece = [0; 4_096];
        while !text.contains(wanted) {
            let length = soon(stream.read(&mut piece)).await.unwrap();
            assert!(length > 0, "{text}");
            text.push_str(std::str::from_utf8(&piece[..length]).unwrap());
        }
    };
    read("\"live\"").await;
    served
        .post("/v1/events", &join("room", "tony", 2))
        .await
        .expect(200);
    assert_eq!(socket.hear().await.unwrap()["user"], "tony");
    assert_eq!(feed.hear().await.unwrap()["publisher"], "tony");
    read("\"tony\"").await;
    // Queries about the past do not wait for new entries.
    let described = served.get("/openapi.json").await.expect(200).json();
    for (path, waits) in [
        ("subscribe", true),
        ("stream", true),
        ("feed", true),
        ("history", false),
        ("who", false),
        ("gaps", false),
    ] {
        let operation = &described["paths"][format!("/v1/{path}")]["get"];
        assert_eq!(operation["responses"]["404"].is_null(), waits, "{path}");
        let summary = operation["summary"].as_str().unwrap();
        assert_eq!(summary.contains("is waited for"), waits, "{path}");
        if !waits {
            let path = format!("/v1/{path}?channel=nobody");
            served.get(&path).await.expect(404);
        }
    }
    let ingest = &described["paths"]["/v1/ingest"]["get"]["responses"];
    assert!(ingest["404"].is_null(), "it names no channel");
    drop((socket, feed, stream));
    stop(served).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_shows_a_channel_as_the_sdk_would() {
    let served = served().await;
    let mut empty = served.socket("/v1/feed?channel=attic").await.unwrap();
    let shown = empty.hear().await.unwrap();
    assert_eq!(
        (
            &shown["eventType"],
            &shown["totalTopics"],
            &shown["channelName"]
        ),
        (&json!("SNAPSHOT"), &json!(0), &json!("attic"))
    );
    served
        .post("/v1/events", &snapshot("room", &["lily", "tony"], 1_000))
        .await
        .expect(200);
    let mut socket = served.socket("/v1/feed?channel=room").await.unwrap();
    let shown = socket.hear().await.unwrap();
    let infos = json!([{"topicName":"chat","totalPublisher":2,"publishers":[{"publisherUserId":"lily"},{"publisherUserId":"tony"}]}]);
    assert_eq!(shown["topicInfos"], infos);
    let lines = [
        r#"{"t":"join","channel":"room","topic":"chat","user":"ana","meta":"a","ts":2000}"#,
        r#"{"t":"update","channel":"room","topic":"chat","user":"ana","meta":"b","ts":3000}"#,
        r#"{"t":"join","channel":"room","topic":"chat","user":"tony","ts":3000}"#,
        r#"{"t":"join","channel":"room","topic":"chat","user":"kim","conn":"1","ts":4000}"#,
        r#"{"t":"join","channel":"room","topic":"chat","user":"kim","conn":"2","ts":4000}"#,
        r#"{"t":"leave","channel":"room","topic":"chat","user":"kim","conn":"1","ts":5000}"#,
        r#"{"t":"leave","channel":"room","topic":"chat","user":"kim","conn":"2","ts":5000}"#,
        r#"{"t":"snapshot","channel":"room","topics":{"chat":[{"user":"tony"},{"user":"lily"}]},"ts":6000}"#,
    ];
    served
        .post("/v1/events", &lines.join("\n"))
        .await
        .expect(200);
    let heard = socket
        .hear_until(|said| said["eventType"] == "REMOTE_LEAVE" && said["publisher"] == "ana")
        .await;
    let short = |said: &Value| {
        let publisher = &said["topicInfos"][0]["publishers"][0];
        let meta = publisher["publisherMeta"].as_str().unwrap_or("-");
        format!(
            "{} {} {meta}",
            said["eventType"].as_str().unwrap(),
            publisher["publisherUserId"].as_str().unwrap()
        )
    };
    let heard: Vec<String> = heard.iter().map(short).collect();
    assert_eq!(
        heard,
        [
            "REMOTE_JOIN ana a",
            "REMOTE_JOIN ana b",
            "REMOTE_JOIN kim -",
            "REMOTE_JOIN kim -",
            "REMOTE_LEAVE kim -",
            "REMOTE_LEAVE ana -",
        ]
    );
    drop((empty, socket));
    stop(served).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_feed_tells_is_never_older_than_its_snapshot() {
    let served = served().await;
    served
        .post("/v1/events", &snapshot("room", &["lily"], 1_000))
        .await
        .expect(200);
    let mut socket = served.socket("/v1/feed?channel=room").await.unwrap();
    let shown = socket.hear().await.unwrap()["timestamp"].as_i64().unwrap();
    // The event came late or from a recording. The feed gives it the snapshot's time, so that it does not look older.
    served
        .post("/v1/events", &join("room", "ana", 2_000))
        .await
        .expect(200);
    let told = socket.hear().await.unwrap();
    assert_eq!(told["publisher"], "ana");
    assert_eq!(told["timestamp"], shown);
    drop(socket);
    stop(served).await;
}
