//! Places, and how many of them one client may have: whatever one client does, another one is served at once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use rollbook::server::auth::TokenScope;
use rollbook::server::{Config, ServerLimits};
use rollbook::{Options, Store};
use rollbook_support as support;
use rollbook_support::server::{Got, Served, Socket, Tokens, ask, connect, from, lines, soon};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// Longer than any test takes: no client is given up or loses its place.
const LONG: Duration = Duration::from_secs(3_600);
/// The address of most clients, and the address of another client.
const ONE: &str = "127.0.0.1:0";
const OTHER: &str = "127.0.0.2:0";

/// Limits with which a place is free only when its client ends.
fn patient() -> ServerLimits {
    ServerLimits::default()
        .request(LONG)
        .whole(LONG)
        .crowded(LONG)
}

async fn ask_from(address: &str, served: &Served, method: &str, path: &str, body: &str) -> Got {
    let stream = from(address, served.address).await;
    soon(ask(stream, method, path, &[], body)).await
}

async fn socket_from(address: &str, served: &Served, path: &str) -> Result<Socket, Got> {
    soon(connect(from(address, served.address).await, path)).await
}

/// Sends a request, and then nothing more.
async fn silent(address: &str, served: &Served, request: &str) -> TcpStream {
    let mut stream = from(address, served.address).await;
    soon(stream.write_all(request.as_bytes())).await.unwrap();
    stream
}

fn post(query: &str, body: &str) -> String {
    format!(
        "POST /v1/events{query} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10000000\r\n\r\n{body}"
    )
}

/// Waits until a figure of `/metrics` has this value.
async fn figure_becomes(served: &Served, name: &str, value: u64) {
    let wanted = format!("rollbook_{name} {value}\n");
    let becomes = async {
        while !served.get("/metrics").await.body.contains(&wanted) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon(becomes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unfinished_bodies_of_one_client_leave_places_to_another() {
    let served = Served::within(patient()).await;
    let long = lines(2_000);
    let mut unfinished = Vec::new();
    for _ in 0..60 {
        unfinished.push(silent(ONE, &served, &post("", &long)).await);
    }
    for _ in 0..20 {
        let posted = ask_from(OTHER, &served, "POST", "/v1/events", &lines(3)).await;
        posted.expect(200);
    }
    drop(unfinished);
    // Its own places are free again.
    served.post("/v1/events", lines(3)).await.expect(200);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn starts_of_bodies_of_one_client_leave_places_to_another() {
    let bounds = patient().starts(4);
    let served = Served::within(bounds).await;
    let mut unfinished = Vec::new();
    for _ in 0..60 {
        unfinished.push(silent(ONE, &served, &post("", &lines(1))).await);
    }
    let posted = ask_from(OTHER, &served, "POST", "/v1/events", &lines(3)).await;
    posted.expect(200);
    drop(unfinished);
    served.post("/v1/events", lines(3)).await.expect(200);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_beyond_the_share_wait_and_are_then_refused_with_429() {
    // A client that has a place and sends continuously keeps it.
    let bounds = ServerLimits::default()
        .starts(1)
        .request(Duration::from_secs(2))
        .rate(0)
        .whole(LONG)
        .crowded(LONG);
    let served = Served::within(bounds).await;
    let request = "POST /v1/events HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10000000\r\n\
        expect: 100-continue\r\n\r\n";
    let (mut reader, mut writer) = silent(ONE, &served, request).await.into_split();
    // The server asks for the body as soon as the client has its place.
    let mut status = [0; 12];
    soon(reader.read_exact(&mut status)).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 100");
    let drip = tokio::spawn(async move {
        while writer.write_all(b"\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let refused = served.post("/v1/events", lines(1)).await.expect(429);
    assert_eq!(refused.header("retry-after"), "1");
    let error = refused.error();
    assert!(
        error.starts_with("too many bodies of this client"),
        "{error}"
    );
    drip.abort();
    // The place is free when the connection has ended.
    let _ = soon(reader.read_to_end(&mut Vec::new())).await;
    served.post("/v1/events", lines(1)).await.expect(200);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_readers_of_one_client_leave_places_to_another() {
    let bounds = patient().queries(4).slow_readers(4);
    let served = Served::within(bounds).await;
    served.post("/v1/events", lines(60_000)).await.expect(200);
    let request = "GET /v1/history HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let mut slow = Vec::new();
    for _ in 0..20 {
        slow.push(silent(ONE, &served, request).await);
    }
    // Three of them occupy places for slow readers, and three more the client's share of the places for queries.
    for stream in slow.iter_mut().take(3) {
        soon(stream.read_exact(&mut [0; 12])).await.unwrap();
    }
    for path in ["/v1/who?channel=room", "/v1/history"] {
        let answer = ask_from(OTHER, &served, "GET", path, "").await.expect(200);
        assert!(answer.body.contains("u59999"));
    }
    drop(slow);
    served.get("/v1/who?channel=room").await.expect(200);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_and_streams_beyond_the_share_are_refused_and_leave_nothing_behind() {
    let bounds = ServerLimits::default().sockets(4);
    let served = Served::within(bounds).await;
    let mut first = served.socket("/v1/subscribe").await.unwrap();
    first.hear_until(|said| said["t"] == "live").await;
    let second = served.socket("/v1/feed?channel=room").await.unwrap();
    let stream = "GET /v1/stream HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let mut stream = silent(ONE, &served, stream).await;
    soon(stream.read_exact(&mut [0; 12])).await.unwrap();
    for path in ["/v1/subscribe", "/v1/ingest", "/v1/feed?channel=room"] {
        let Err(refused) = served.socket(path).await else {
            panic!("{path}");
        };
        assert_eq!(refused.status, 429, "{path}");
        assert_eq!(refused.header("retry-after"), "1");
    }
    let refused = served.get("/v1/stream").await.expect(429);
    assert!(
        refused
            .error()
            .starts_with("too many sockets and streams of this client"),
        "{refused:?}"
    );
    // Requests have their own places.
    served.post("/v1/events", lines(1)).await.expect(200);
    // Another client takes the last place; after that there is none.
    let other = socket_from(OTHER, &served, "/v1/subscribe").await.unwrap();
    figure_becomes(&served, "socket_clients", 2).await;
    let Err(refused) = socket_from("127.0.0.3:0", &served, "/v1/subscribe").await else {
        panic!("all are taken");
    };
    assert_eq!(refused.status, 503);
    // Closed properly, broken off, or ended as HTTP: each place is free again.
    second.close().await;
    first.drop();
    drop(stream);
    other.close().await;
    figure_becomes(&served, "socket_clients", 0).await;
    for _ in 0..8 {
        let again = served.socket("/v1/ingest").await.unwrap();
        again.close().await;
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_share_of_an_address_are_told_so() {
    let bounds = ServerLimits::default().connections(8);
    let served = Served::within(bounds).await;
    let mut silent = Vec::new();
    for _ in 0..6 {
        silent.push(from(ONE, served.address).await);
    }
    let refused = served.get("/healthz").await.expect(429);
    assert!(
        refused
            .error()
            .starts_with("too many connections of this client")
    );
    assert_eq!(refused.header("connection"), "close");
    for _ in 0..20 {
        let answer = ask_from(OTHER, &served, "GET", "/healthz", "").await;
        answer.expect(200);
    }
    drop(silent);
    let again = async { while served.get("/healthz").await.status != 200 {} };
    soon(again).await;
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tokens_of_one_address_are_two_clients_and_two_of_one_subject_are_one() {
    let tokens = Tokens::new();
    let bounds = patient().sockets(4);
    let config = tokens.config().bounds(bounds);
    let store = Store::in_memory(Options::default()).unwrap();
    let served = Served::start(store, config).await;
    let both = [TokenScope::Read, TokenScope::Ingest];
    let [one, other] = [50_000, 60_000].map(|ms| tokens.make(&both, None, ms));
    let query = format!("?access_token={one}");
    let long = lines(2_000);
    let mut unfinished = Vec::new();
    for _ in 0..60 {
        unfinished.push(silent(ONE, &served, &post(&query, &long)).await);
    }
    let path = format!("/v1/events?access_token={other}");
    served.post(&path, lines(3)).await.expect(200);
    drop(unfinished);

    let subject = |ms| tokens.make_of("ana", &both, ms);
    let mut sockets = Vec::new();
    for ms in [10_000, 20_000, 30_000] {
        let path = format!("/v1/subscribe?access_token={}", subject(ms));
        sockets.push(served.socket(&path).await.unwrap());
    }
    let path = format!("/v1/subscribe?access_token={}", subject(40_000));
    let Err(refused) = served.socket(&path).await else {
        panic!("ana has her share");
    };
    assert_eq!(refused.status, 429);
    let path = format!("/v1/subscribe?access_token={other}");
    served.socket(&path).await.unwrap().close().await;
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_has_as_many_places_as_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let (listener, _file) = rollbook::server::socket::bind(folder.path()).unwrap();
    let path = folder.path().join("rollbook.sock");
    let bounds = ServerLimits::default().sockets(2).connections(3);
    let config = Config::default().bounds(bounds);
    let store = std::sync::Arc::new(Store::in_memory(Options::default()).unwrap());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let listeners = vec![rollbook::server::Listener::Unix(listener)];
    let served = tokio::spawn(rollbook::server::serve(store, listeners, config, async {
        drop(stopped.await);
    }));
    let request = "GET /v1/stream HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let mut streams = Vec::new();
    for _ in 0..2 {
        let mut stream = tokio::net::UnixStream::connect(&path).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut status = [0; 12];
        soon(stream.read_exact(&mut status)).await.unwrap();
        assert_eq!(&status, b"HTTP/1.1 200");
        streams.push(stream);
    }
    let answer = support::server::ask_owner(&path, "/v1/channels").await;
    answer.expect(200);
    drop(streams);
    stop.send(()).unwrap();
    soon(served).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_of_a_stream_who_takes_nothing_is_let_go() {
    let bounds = ServerLimits::default().request(Duration::from_millis(100));
    let served = Served::within(bounds).await;
    let request = "GET /v1/stream HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(8 << 10).unwrap();
    let mut stream = soon(socket.connect(served.address)).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    soon(stream.read_exact(&mut [0; 12])).await.unwrap();
    figure_becomes(&served, "socket_clients", 1).await;
    // Not over HTTP: a posted body would have the same short deadline.
    for _ in 0..20 {
        served.store_lines(&lines(1_000));
    }
    figure_becomes(&served, "socket_clients", 0).await;
    drop(stream);
    served.stop().await;
}
