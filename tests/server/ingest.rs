//! Lines over the network: what is acknowledged is durable, a repeated line is not recorded twice, and the meaning of
//! the end of a connection.
#![cfg(feature = "server")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use rollbook::feed::{Settings, TimeUnit};
use rollbook::query::answer::{EntryState, EntryType, Evidence, HistoryEntry};
use rollbook::server::Config;
use rollbook::{Options, Store};
use rollbook_support::engine::FaultyJournal;
use rollbook_support::server::{Served, Socket, join, snapshot, soon};
use serde_json::{Value, json};
use std::sync::Arc;

fn store() -> Store {
    Store::in_memory(Options::default()).unwrap()
}

fn history(store: &Store) -> Vec<HistoryEntry> {
    let entries = store.history(&Default::default()).unwrap();
    entries.collect::<Result<_, _>>().unwrap()
}

/// The link entries of the log: the state and the reason.
fn links(store: &Store) -> Vec<(EntryState, Option<String>)> {
    let entries = history(store).into_iter();
    let links = entries.filter(|entry| entry.kind == EntryType::Link);
    links
        .map(|link| (link.state.unwrap(), link.reason))
        .collect()
}

/// Messages up to the acknowledgement of this line. The acknowledged line numbers must not decrease.
async fn acknowledged(socket: &mut Socket, line: u64) -> Vec<Value> {
    let heard = socket
        .hear_until(|word| word["t"] == "ack" && word["line"].as_u64() >= Some(line))
        .await;
    let acks: Vec<u64> = heard
        .iter()
        .filter(|word| word["t"] == "ack")
        .map(|word| word["line"].as_u64().unwrap())
        .collect();
    assert!(acks.is_sorted(), "{heard:?}");
    assert_eq!(acks.last(), Some(&line));
    heard
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_are_acknowledged_by_their_number_and_the_log_s() {
    let served = Served::open(store()).await;
    let mut socket = served
        .socket("/v1/ingest?observer=lobby&self=lobby")
        .await
        .unwrap();
    socket
        .say(snapshot("room", &["lobby", "tony"], 1_000))
        .await;
    acknowledged(&mut socket, 1).await;
    // Several lines in a message: one is blank, and one is not valid.
    socket
        .say(format!(
            "{}\n\n{}\r\nnonsense\n",
            join("room", "lily", 2_000),
            join("room", "ana", 3_000)
        ))
        .await;
    let heard = acknowledged(&mut socket, 4).await;
    let rejects: Vec<&Value> = heard.iter().filter(|word| word["t"] == "reject").collect();
    assert_eq!(rejects.len(), 1, "{heard:?}");
    assert_eq!(rejects[0]["line"], 4);
    assert!(
        rejects[0]["reason"]
            .as_str()
            .unwrap()
            .starts_with("not JSON"),
        "{heard:?}"
    );
    // The link up, the snapshot, two baseline joins, two joins.
    assert_eq!(heard.last().unwrap(), &json!({"t":"ack","line":4,"seq":6}));
    socket.say(snapshot("room", &["ana"], 4_000)).await;
    acknowledged(&mut socket, 5).await;
    socket.close().await;
    let store = served.stop().await;
    let who = store.who("room", &Default::default()).unwrap();
    let users: Vec<&str> = who.topics[0]
        .publishers
        .iter()
        .map(|shown| &*shown.user)
        .collect();
    assert_eq!(
        users,
        ["ana", "lobby"],
        "a snapshot never says that self has left"
    );
    assert!(
        history(&store)
            .iter()
            .all(|entry| entry.observer == "lobby")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_acknowledged_before_it_is_durable() {
    let engine = FaultyJournal::new();
    let store = Store::on(Box::new(Arc::clone(&engine)), Options::default()).unwrap();
    let served = Served::open(store).await;
    let mut socket = served.socket("/v1/ingest").await.unwrap();
    engine.shut();
    socket.say(join("room", "tony", 1_000)).await;
    // The server reads and answers, but does not acknowledge the line, and queries do not show it yet.
    for _ in 0..3 {
        assert_eq!(served.get("/v1/who?channel=room").await.status, 404);
    }
    let early = tokio::time::timeout(std::time::Duration::from_millis(200), socket.hear());
    assert!(early.await.is_err());
    engine.open();
    acknowledged(&mut socket, 1).await;
    assert_eq!(served.get("/v1/who?channel=room").await.status, 200);
    socket.close().await;
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_acknowledged_whole() {
    let served = Served::open(store()).await;
    let mut socket = served.socket("/v1/ingest").await.unwrap();
    for line in 0..20_000 {
        socket
            .say(join("room", &format!("u{}", line % 500), line))
            .await;
    }
    acknowledged(&mut socket, 20_000).await;
    socket.close().await;
    let store = served.stop().await;
    assert_eq!(
        store.who("room", &Default::default()).unwrap().topics[0]
            .publishers
            .len(),
        500
    );
    // And the link up.
    assert_eq!(store.head(), 20_001);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_in_order_opens_no_gap_and_any_other_does() {
    let served = Served::open(store()).await;
    let speak = async |line: String| {
        let mut socket = served.socket("/v1/ingest?observer=x").await.unwrap();
        socket.say(line).await;
        acknowledged(&mut socket, 1).await;
        socket
    };
    speak(snapshot("room", &["tony"], 1_000))
        .await
        .close()
        .await;
    speak(snapshot("room", &["tony"], 2_000))
        .await
        .close_with(1001)
        .await;
    until(&served, "/v1/gaps?channel=room", |gaps| {
        links_lost(gaps) == 1
    })
    .await;
    speak(snapshot("room", &["lily"], 3_000)).await.drop();
    until(&served, "/v1/gaps?channel=room", |gaps| {
        links_lost(gaps) == 2
    })
    .await;
    let store = served.stop().await;
    let lost = || (EntryState::Down, Some("connection_lost".to_owned()));
    let up = || (EntryState::Up, None);
    assert_eq!(links(&store), [up(), up(), lost(), up(), lost()]);
    // A second snapshot after a proper close shows a gap in the channel, not a loss of the link.
    let gaps = store.gaps("room").unwrap().into_iter();
    let spans: Vec<_> = gaps
        .map(|gap| (gap.from.0, gap.to.map(|to| to.0), gap.evidence))
        .collect();
    let (link, snapshot) = (Evidence::Link, Evidence::Snapshot);
    assert_eq!(
        spans,
        [
            (1_000, Some(2_000), snapshot),
            (2_000, Some(3_000), link),
            (3_000, None, link)
        ]
    );
}

/// How many gaps were opened by a lost link.
fn links_lost(gaps: &[Value]) -> usize {
    gaps.iter().filter(|gap| gap["evidence"] == "link").count()
}

/// Repeats a query until the answer is as wanted.
async fn until(served: &Served, path: &str, wanted: impl Fn(&[Value]) -> bool) {
    let asked = async {
        while !wanted(&served.get(path).await.expect(200).lines()) {
            tokio::task::yield_now().await;
        }
    };
    soon(asked).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_goes_on_behind_its_last_durable_line_and_has_missed_nothing() {
    let served = Served::open(store()).await;
    let path = "/v1/ingest?observer=x&feed=f-1";
    let mut socket = served.socket(path).await.unwrap();
    assert_eq!(socket.hear().await, Ok(json!({"t":"resume","line":0})));
    socket
        .say(
            [
                snapshot("room", &["tony"], 1_000),
                join("room", "lily", 2_000),
            ]
            .join("\n"),
        )
        .await;
    acknowledged(&mut socket, 2).await;
    socket.drop();
    let mut socket = served.socket(path).await.unwrap();
    assert_eq!(socket.hear().await, Ok(json!({"t":"resume","line":2})));
    socket.say(join("room", "ana", 3_000)).await;
    acknowledged(&mut socket, 3).await;
    socket.close().await;
    // Another feed of the same observer begins at its own line 0.
    let mut socket = served
        .socket("/v1/ingest?observer=x&feed=f-2")
        .await
        .unwrap();
    assert_eq!(socket.hear().await, Ok(json!({"t":"resume","line":0})));
    socket.close().await;
    let store = served.stop().await;
    assert!(
        store
            .missed("room", &Default::default())
            .unwrap()
            .is_empty()
    );
    assert!(store.gaps("room").unwrap().iter().all(|gap| gap.resumed));
    let users = store.who("room", &Default::default()).unwrap().topics[0]
        .publishers
        .len();
    assert_eq!(users, 3);
    assert!(links(&store).contains(&(EntryState::Up, Some("resumed".into()))));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_connection_speaks_for_an_observer() {
    let served = Served::open(store()).await;
    let path = "/v1/ingest?observer=x&feed=f";
    let mut old = served.socket(path).await.unwrap();
    old.hear().await.unwrap();
    // Lines of the old connection count in the resume position of the new one.
    old.say([join("room", "tony", 1_000), join("room", "lily", 2_000)].join("\n"))
        .await;
    acknowledged(&mut old, 2).await;
    let mut new = served.socket(path).await.unwrap();
    assert_eq!(new.hear().await, Ok(json!({"t":"resume","line":2})));
    assert_eq!(old.hear().await, Err(4409));
    new.say(join("room", "ana", 3_000)).await;
    acknowledged(&mut new, 3).await;
    new.close().await;
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_answered_with_the_summary_of_ingest() {
    let served = Served::open(store()).await;
    let body = [
        snapshot("room", &["tony"], 1_000),
        "nonsense".into(),
        join("room", "lily", 2_000),
        String::new(),
    ]
    .join("\n");
    let got = served
        .post("/v1/events?observer=x&self=me", &body)
        .await
        .expect(200);
    let summary = got.json();
    for (field, value) in [
        ("lines", 3),
        ("joins", 1),
        ("snapshots", 1),
        ("baseline_joins", 1),
        ("rejected", 1),
        ("first_seq", 1),
        ("last_seq", 3),
    ] {
        assert_eq!(summary[field], value, "{field} of {summary}");
    }
    let refused = &summary["rejects"][0];
    assert_eq!(refused["line"], 2, "{summary}");
    assert_eq!(refused["byte"], body.find("nonsense").unwrap(), "{summary}");
    assert!(
        refused["reason"].as_str().unwrap().contains("JSON"),
        "{summary}"
    );
    assert_eq!(
        served
            .post("/v1/events?feed=", "")
            .await
            .expect(400)
            .error(),
        "feed: a name has 1 to 1024 bytes"
    );
    // The same line again, recognised by its id.
    let line = r#"{"t":"join","channel":"room","topic":"chat","user":"ana","ts":3000,"id":"once"}"#;
    assert_eq!(served.post("/v1/events", line).await.json()["joins"], 1);
    let again = served.post("/v1/events", line).await.json();
    assert_eq!(
        (&again["retries"], &again["entries"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(again["retries_differing"], 0);
    assert!(again.get("differing").is_none(), "{again}");
    // Another line with this id counts as a retry, too; but it is reported as differing.
    let other = line.replace("ana", "eve");
    let differs = served.post("/v1/events", &other).await.expect(200).json();
    assert_eq!(
        (&differs["retries"], &differs["retries_differing"]),
        (&json!(1), &json!(1))
    );
    let wanted = json!([{"line": 1, "byte": 0, "id": "once", "seq": 4}]);
    assert_eq!(differs["differing"], wanted);
    let rejects = served.get("/v1/rejects").await.lines();
    assert_eq!(
        (&rejects[0]["line"], &rejects[0]["text"]),
        (&json!(2), &json!("nonsense"))
    );
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_are_read_as_the_server_is_told() {
    let settings = Settings::USUAL.time_unit(TimeUnit::Seconds);
    let config = Config::default().settings(settings);
    let served = Served::start(store(), config).await;
    served
        .post("/v1/events", &join("room", "ana", 1_778_790_600))
        .await
        .expect(200);
    let mut socket = served.socket("/v1/ingest").await.unwrap();
    socket.say(join("room", "ben", 1_778_790_601)).await;
    acknowledged(&mut socket, 1).await;
    let store = served.stop().await;
    let entries = history(&store);
    let joins = entries.iter().filter(|entry| entry.kind == EntryType::Join);
    let times: Vec<i64> = joins.map(|entry| entry.occurred_at.0).collect();
    assert_eq!(times, [1_778_790_600_000, 1_778_790_601_000]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_acknowledges_what_it_has() {
    let engine = FaultyJournal::new();
    let store = Store::on(Box::new(Arc::clone(&engine)), Options::default()).unwrap();
    let served = Served::open(store).await;
    let mut socket = served.socket("/v1/ingest?observer=x").await.unwrap();
    socket.say(snapshot("room", &["tony"], 1_000)).await;
    acknowledged(&mut socket, 1).await;
    engine.shut();
    // The answer to the later renewal shows that the line was read.
    socket.say(join("room", "lily", 2_000)).await;
    socket
        .say(json!({"t":"renew","token":"any"}).to_string())
        .await;
    assert_eq!(socket.hear().await.unwrap()["state"], "renewed");
    let stopping = tokio::spawn(served.stop());
    engine.open();
    acknowledged(&mut socket, 2).await;
    assert_eq!(socket.hear().await, Err(1001));
    let store = soon(stopping).await.unwrap();
    assert_eq!(
        links(&store).last().unwrap().1.as_deref(),
        Some("connection_lost")
    );
}
