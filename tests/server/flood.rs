//! Floods: unpacked bytes, lines that are rejected, and work whose client has gone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use flate2::{Compression, write::GzEncoder};
use rollbook::limits;
use rollbook::{Options, Store};
use rollbook_support::reliability::row;
use rollbook_support::server::{Served, join, soon};
use std::io::Write;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

async fn served() -> Served {
    Served::open(Store::in_memory(Options::default()).unwrap()).await
}

fn packed(pieces: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    for piece in pieces {
        packed.write_all(&piece).unwrap();
    }
    packed.finish().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_body_does_not_unpack_for_ever() {
    let served = served().await;
    let mut blank = vec![b' '; 1 << 20];
    blank.push(b'\n');
    let first = (join("room", "ana", 1) + "\n").into_bytes();
    let body = packed(std::iter::once(first).chain((0..200).map(|_| blank.clone())));
    let error = served.post("/v1/events", &body).await.expect(413).error();
    let most = format!("unpacks to more than {} bytes", limits::UNPACKED_BYTES_FREE);
    assert!(error.contains(&most), "{error}");
    assert_eq!(served.stop().await.head(), 1);
    let found = [("answered 413", 1), ("lines before it lost", 0)];
    row("a small gzip body that unpacks to 200 MiB", 1, &found);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_endless_rejects_only_so_many_are_kept_and_the_rest_is_counted() {
    let served = served().await;
    let body = join("room", "ana", 1) + "\n" + &"x\n".repeat(250_000);
    let mut rejected = 0;
    for _ in 0..3 {
        let answer = served.post("/v1/events", &body).await.expect(413);
        let most = format!("more than {} lines", limits::REJECTS_PER_SOURCE_MAX);
        assert!(answer.error().contains(&most), "{}", answer.error());
        rejected += answer.json()["rejected"].as_u64().unwrap();
    }
    // The rejects of another source are kept as usual.
    served
        .post("/v1/events?observer=eve", "{bad")
        .await
        .expect(422);
    let store = served.stop().await;
    store.close().unwrap();
    let (mut kept, mut counted, mut records) = (0, 0, 0);
    for reject in store.rejects().unwrap() {
        let reject: rollbook::query::answer::RejectAnswer = reject.unwrap();
        match reject.reason.split_once(" lines from this one on") {
            Some((count, _)) => {
                counted += count.parse::<u64>().unwrap();
                records += 1;
            }
            None => kept += 1,
        }
    }
    assert_eq!(kept, limits::REJECTS_PER_SOURCE_MAX + 1);
    assert_eq!(kept + counted, rejected + 1);
    assert!(records < 60, "{records}");
    let found = [("kept", kept), ("only counted", counted), ("lost", 0)];
    row("bodies of 250,000 lines that are none", 3, &found);
}

#[tokio::test(flavor = "multi_thread")]
async fn work_ends_when_nobody_waits_for_its_answer() {
    const LINES: i64 = 1_500_000;
    let served = served().await;
    let body = packed((0..LINES).map(|n| (join("room", &format!("u{}", n % 7), n) + "\n").into()));
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    soon(stream.write_all(&body)).await.unwrap();
    let store = served.store.clone();
    let rests = async |apart: u64| loop {
        let before = store.head();
        tokio::time::sleep(Duration::from_millis(apart)).await;
        if store.head() == before && before > 0 {
            break before;
        }
    };
    soon(async {
        while store.head() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    drop(stream);
    let head = soon(rests(500)).await;
    assert!(head < LINES as u64, "{head}");
    served.stop().await;
    let found = [("lines recorded after it was given up", 0)];
    row("a body of 1,500,000 lines whose client hangs up", 1, &found);
}
