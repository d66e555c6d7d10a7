//! Recorded history as a live feed: complete for each client, at its own pace, and nothing else of the store.
#![cfg(feature = "server")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use rollbook::limits::{CLIENT_SHARE_PERCENT, PLAYS_AT_ONCE_MAX};
use rollbook::replay::{LineShape, PlayedLine, ReplayFilter, Speed};
use rollbook::server::auth::TokenScope;
use rollbook::server::clock::ServerClock;
use rollbook::server::{Config, Play};
use rollbook::{Options, Store};
use rollbook_support::server::{
    NOW, Served, Set, Socket, Tokens, connect, from, join, snapshot, soon,
};
use serde_json::Value;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// A store with these lines.
async fn store_of(lines: &[String]) -> Store {
    let served = Served::open(Store::in_memory(Options::default()).unwrap()).await;
    let taken = served.post("/v1/events", &lines.join("\n")).await;
    assert_eq!(taken.expect(200).json()["rejected"], 0);
    Arc::into_inner(served.stop().await).unwrap()
}

/// A store with events of two channels over a minute.
async fn house() -> Store {
    let lines = [
        snapshot("room", &["ana", "tony"], 1_000),
        snapshot("attic", &["kim"], 1_500),
        join("room", "lily", 11_000),
        join("attic", "zoe", 20_000),
        snapshot("room", &["ana"], 61_000),
    ];
    store_of(&lines).await
}

fn playing(play: Play) -> Config {
    Config::default().play(play)
}

/// The lines that `replay` prints of a channel.
fn printed(store: &Store, channel: &str) -> Vec<Value> {
    let filter = ReplayFilter::default().channel(channel);
    let mut lines = Vec::new();
    let mut each = |line: &PlayedLine<'_>| {
        lines.push(serde_json::from_str(line.text).unwrap());
        true
    };
    store.play(&filter, LineShape::Agora, &mut each).unwrap();
    lines
}

/// All messages on a socket, and the code with which it ends.
async fn all(socket: &mut Socket) -> (Vec<Value>, u16) {
    let mut heard = Vec::new();
    loop {
        match socket.hear().await {
            Ok(said) => heard.push(said),
            Err(code) => return (heard, code),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_client_hears_the_whole_history_of_its_channel() {
    let served = Served::start(house().await, playing(Play::default())).await;
    let [room, attic] = ["room", "attic"].map(|channel| printed(&served.store, channel));
    assert_eq!((room.len(), attic.len()), (3, 2));
    let mut sockets = Vec::new();
    for channel in ["room", "attic", "room"] {
        let path = format!("/v1/feed?channel={channel}");
        sockets.push(served.socket(&path).await.unwrap());
    }
    for (socket, wanted) in sockets.iter_mut().zip([&room, &attic, &room]) {
        assert_eq!(all(socket).await, (wanted.clone(), 1000));
    }
    drop(sockets);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_is_waited_for() {
    // More than the buffers of two sockets hold.
    let long = "x".repeat(1_000);
    let lines: Vec<String> = (0..20_000)
        .map(|n| join("room", &format!("{long}{n}"), n))
        .collect();
    let served = Served::start(store_of(&lines).await, playing(Play::default())).await;
    let mut slow = served.socket("/v1/feed?channel=room").await.unwrap();
    let mut quick = served.socket("/v1/feed?channel=room").await.unwrap();
    let (heard, code) = all(&mut quick).await;
    assert_eq!((heard.len(), code), (lines.len(), 1000));
    assert_eq!(all(&mut slow).await, (heard, 1000));
    drop((slow, quick));
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_the_feed_is_served() {
    let only = Play::default().filter(ReplayFilter::default().channel("room"));
    let served = Served::start(house().await, playing(only)).await;
    for channel in ["attic", "cellar"] {
        let path = format!("/v1/feed?channel={channel}");
        let Err(refusal) = served.socket(&path).await else {
            panic!("{channel} is played");
        };
        assert!(refusal.expect(404).error().contains(channel));
    }
    for path in ["/v1/feed", "/v1/feed?channel=room", "/v1/feed?topic=chat"] {
        served.get(path).await.expect(400);
    }
    for path in ["/v1/who?channel=room", "/v1/subscribe", "/metrics", "/"] {
        served.get(path).await.expect(404);
    }
    served
        .post("/v1/events", &join("room", "eve", 1))
        .await
        .expect(404);
    assert_eq!(served.get("/healthz").await.expect(200).body, "ok\n");
    let bridge = served.get("/bridge.js").await.expect(200);
    assert!(bridge.kind.starts_with("text/javascript"), "{bridge:?}");
    let described = served.get("/openapi.json").await.expect(200).json();
    let paths: Vec<&String> = described["paths"].as_object().unwrap().keys().collect();
    assert_eq!(
        paths,
        ["/bridge.js", "/healthz", "/openapi.json", "/v1/feed"]
    );
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_asked_for_as_everywhere() {
    let tokens = Tokens::new();
    let config = tokens.config().play(Play::default());
    let served = Served::start(house().await, config).await;
    let attic = tokens.make(&[TokenScope::Read], Some(&["attic"]), 60_000);
    for (channel, token, status) in [
        ("room", "", 401),
        ("room", &*attic, 403),
        ("attic", &*attic, 101),
    ] {
        let path = format!("/v1/feed?channel={channel}&access_token={token}");
        match served.socket(&path).await {
            Ok(mut socket) => assert_eq!((all(&mut socket).await.1, status), (1000, 101)),
            Err(refusal) => drop(refusal.expect(status)),
        }
    }
    served.get("/bridge.js").await.expect(200);
    served.stop().await;
}

/// A clock that jumps to each time for which it is asked to wait.
struct Hurried(AtomicI64);

impl ServerClock for Hurried {
    fn now(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    fn until(&self, at: i64) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.0.fetch_max(at, Ordering::SeqCst);
        Box::pin(std::future::ready(()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_takes_as_long_as_it_did_at_the_speed_asked_for() {
    // The first and the last line are a minute apart. Each rest is exact to a millisecond.
    for (speed, least, most) in [
        (Speed::Times(1.0), 60_000, 61_000),
        (Speed::Times(10.0), 6_000, 6_100),
        (Speed::Max, 0, 0),
    ] {
        let clock = Arc::new(Hurried(AtomicI64::new(NOW)));
        let config = playing(Play::default().speed(speed)).clock(Arc::<Hurried>::clone(&clock));
        let served = Served::start(house().await, config).await;
        let mut socket = served.socket("/v1/feed?channel=room").await.unwrap();
        assert_eq!(
            all(&mut socket).await,
            (printed(&served.store, "room"), 1000)
        );
        let took = clock.now() - NOW;
        assert!((least..=most).contains(&took), "{speed:?}: {took}");
        drop(socket);
        served.stop().await;
    }
}

/// A server that plays by a clock that stands still.
async fn standing() -> Served {
    let play = Play::default().speed(Speed::Times(1.0));
    let config = playing(play).clock(Set::at(NOW));
    Served::start(house().await, config).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_ends_what_it_plays() {
    let served = standing().await;
    let mut socket = served.socket("/v1/feed?channel=room").await.unwrap();
    assert_eq!(socket.hear().await.unwrap()["eventType"], "SNAPSHOT");
    let (ended, _) = tokio::join!(all(&mut socket), served.stop());
    assert_eq!(ended, (Vec::new(), 1001));
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_are_played_to_and_no_more() {
    let served = standing().await;
    let path = "/v1/feed?channel=room";
    let of_one = (PLAYS_AT_ONCE_MAX * CLIENT_SHARE_PERCENT).div_ceil(100);
    let mut sockets = Vec::new();
    for _ in 0..of_one {
        sockets.push(served.socket(path).await.unwrap());
    }
    let Err(refusal) = served.socket(path).await else {
        panic!("one client has more than its share");
    };
    assert!(refusal.expect(429).error().contains("plays of this client"));
    let other = async || connect(from("127.0.0.2:0", served.address).await, path).await;
    for _ in of_one..PLAYS_AT_ONCE_MAX {
        sockets.push(other().await.unwrap());
    }
    let Err(refusal) = other().await else {
        panic!("there is room for one more");
    };
    assert!(refusal.expect(503).error().contains("come again"));
    // After one client has left, there is a place again.
    sockets.pop().unwrap().close().await;
    let again = async { while other().await.is_err() {} };
    soon(again).await;
    drop(sockets);
    served.stop().await;
}
