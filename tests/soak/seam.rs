//! Many subscribers who come at any time and ask from any entry: all receive the same, without a hole and without a
//! repetition where history passes into live entries.

use crate::on_its_own;
use crate::source::{Source, socket};
use rollbook_support::program::{Dice, folder, rounds};
use rollbook_support::server::{ask, join, soon};
use rollbook_support::serving::Serving;
use serde::Deserialize;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

/// The number of lines in one message of the source.
const BURST: usize = 20;
/// The time between two messages: so the subscribers, which share the machine with the server, can keep up.
const REST: Duration = Duration::from_millis(20);
/// After this many messages the source waits for the subscribers that are not live yet: on a busy machine each line that it
/// sends would keep them back further.
const BURSTS_AHEAD: usize = 150;
/// The number of handshakes at a time.
const HANDSHAKES: usize = 32;
/// The user whose join is the last entry.
const LAST: &str = "last";

/// An entry as a subscriber keeps it: its seq, and the hash of its text.
type Kept = (u64, u64);

#[derive(Deserialize)]
struct Said {
    seq: u64,
    t: Option<String>,
    user: Option<String>,
}

fn kept(text: &str) -> (Said, Kept) {
    let said: Said = serde_json::from_str(text).unwrap();
    let mut hash = DefaultHasher::new();
    text.hash(&mut hash);
    let kept = (said.seq, hash.finish());
    (said, kept)
}

/// The state that all subscribers share.
struct Hall {
    address: String,
    doors: Semaphore,
    live: AtomicUsize,
    too_slow: AtomicUsize,
}

/// Receives all entries after `after`, up to the last one.
async fn subscribe(hall: Arc<Hall>, mut after: u64) -> Vec<Kept> {
    let (mut heard, mut was_live) = (Vec::<Kept>::new(), false);
    loop {
        let channel = if after.is_multiple_of(2) {
            "&channel=room"
        } else {
            ""
        };
        let path = format!("/v1/subscribe?after_seq={after}{channel}");
        let door = hall.doors.acquire().await.unwrap();
        let mut socket = socket(&hall.address, &path).await;
        drop(door);
        let mut live = None;
        let code = loop {
            let text = match soon(socket.text()).await {
                Ok(text) => text,
                Err(code) => break code,
            };
            let (said, kept) = kept(&text);
            if said.t.as_deref() == Some("live") {
                assert!(live.replace(said.seq).is_none(), "it goes live once");
                assert!(heard.last().is_none_or(|last| last.0 <= said.seq));
                if !std::mem::replace(&mut was_live, true) {
                    hall.live.fetch_add(1, Ordering::SeqCst);
                }
                continue;
            }
            assert!(live.is_none_or(|live| live < said.seq));
            heard.push(kept);
            if said.user.as_deref() == Some(LAST) {
                assert!(live.is_some());
                return heard;
            }
        };
        assert_eq!(code, 4408);
        hall.too_slow.fetch_add(1, Ordering::SeqCst);
        after = heard.last().map_or(after, |last| last.0);
    }
}

#[test]
fn all_subscribers_are_told_the_same_whoever_joins_when() {
    on_its_own(async {
        let (subscribers, history) = (rounds(25, 1_000), rounds(600, 4_000));
        let mut dice = Dice::new(17);
        let folder = folder!();
        let serving = Serving::start(&folder, &[]);
        let hall = Arc::new(Hall {
            address: serving.address(),
            doors: Semaphore::new(HANDSHAKES),
            live: AtomicUsize::new(0),
            too_slow: AtomicUsize::new(0),
        });
        let mut source = Source::start(&hall.address, "x", "").await;
        let mut users = 0;
        let mut burst = |count: usize| {
            users += count;
            let line = |n: usize| join("room", &format!("user-{n}"), n as i64 + 1);
            (users - count..users).map(line).collect::<Vec<_>>()
        };
        source.send(&burst(history), 500).await;

        let start = Instant::now();
        let (mut listening, mut bursts) = (Vec::new(), 0);
        // Until all are live, and then as many bursts again.
        let mut to_come = usize::MAX;
        while bursts < to_come {
            let all_live = hall.live.load(Ordering::SeqCst) == subscribers;
            if all_live || bursts < BURSTS_AHEAD {
                source.send(&burst(BURST), BURST).await;
                bursts += 1;
            }
            for _ in 0..(subscribers - listening.len()).min(1 + subscribers / 50) {
                let after = dice.below((history + bursts * BURST) as u64);
                let one = subscribe(Arc::clone(&hall), after);
                listening.push((after, tokio::spawn(one)));
            }
            if all_live {
                to_come = to_come.min(2 * bursts);
            }
            tokio::time::sleep(REST).await;
        }
        let last = join("room", LAST, i64::from(u32::MAX));
        source.send(&[last], 1).await;

        let stream = TcpStream::connect(&hall.address).await.unwrap();
        let all = soon(ask(stream, "GET", "/v1/history?channel=room", &[], "")).await;
        let all = all.expect(200).body;
        let all: Vec<Kept> = all.lines().map(|line| kept(line).1).collect();
        let mut told = 0;
        for (after, heard) in listening {
            let heard = heard.await.unwrap();
            told += heard.len();
            let wanted = &all[all.partition_point(|kept| kept.0 <= after)..];
            let mut both = heard.iter().zip(wanted);
            let differ = both.find(|(heard, wanted)| heard != wanted);
            assert_eq!((differ, heard.len()), (None, wanted.len()), "after {after}");
        }
        let took = start.elapsed().as_secs_f64();
        source.end().await;
        serving.stop();
        println!(
            "{subscribers} subscribers, {} entries; {told} told in {took:.1} s ({:.0}/s), no hole, nothing twice; \
             {} times one was too slow and went on",
            all.len(),
            told as f64 / took,
            hall.too_slow.load(Ordering::SeqCst)
        );
    });
}
