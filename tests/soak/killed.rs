//! A server and a source of lines, each killed at any moment: every line is recorded once, and no acknowledged line
//! is missing.

use crate::{alone, source::rate};
use rollbook::client::socket::{Socket, SocketInput, SocketTimeouts};
use rollbook::client::transport::Address;
use rollbook::query::HistoryFilter;
use rollbook::query::answer::EntryType;
use rollbook::{Options, Store};
use rollbook_support::program::{DEADLINE, Dice, folder, rounds, said};
use rollbook_support::serving::Serving;
use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

/// Set in the process that plays the source: the server, the feed, the first line and the last line.
const SOURCE: &str = "ROLLBOOK_TEST_SOURCE";
const TEST: &str = "killed::whoever_is_killed_each_line_is_there_once";
const KILLS: u64 = 5;
/// The number of lines in a message, and the most lines in transit.
const MESSAGE: u64 = 100;
const WINDOW: u64 = 10_000;
/// The time between two messages.
const REST: Duration = Duration::from_millis(1);

#[test]
fn whoever_is_killed_each_line_is_there_once() {
    if let Ok(orders) = std::env::var(SOURCE) {
        return play_source(&orders);
    }
    let _alone = alone();
    let lines = rounds(10_000, 1_000_000) as u64;
    let mut dice = Dice::new(13);
    let folder = folder!();
    let mut serving = Serving::start(&folder, &[]);
    let address = serving.address();
    let start = Instant::now();
    let mut source = Source::start(&address, 0, (1, lines), 0);
    let mut killed = BTreeMap::new();
    for kill in 0..KILLS {
        let (from, length) = (lines * kill / KILLS, lines / KILLS);
        source.until(from + dice.below(length));
        std::thread::sleep(Duration::from_micros(dice.below(1_000)));
        let who = ["the server", "the source", "both"][dice.below(3) as usize];
        *killed.entry(who).or_insert(0) += 1;
        if who != "the server" {
            source.kill();
        }
        if who != "the source" {
            serving.kill();
            serving = Serving::at(&folder, &address, &[]);
        }
        if who != "the server" {
            // The new source knows at most the lines that were acknowledged to the old one.
            let first = source.acked.saturating_sub(dice.below(5_000)) + 1;
            source = Source::start(&address, kill + 1, (first, lines), source.acked);
        }
    }
    source.until(lines);
    source.end();
    let took = start.elapsed();
    serving.stop();

    let store = Store::open(folder.path("store"), Options::default()).unwrap();
    let (mut last, mut links) = (0, BTreeMap::new());
    let all = HistoryFilter::default();
    for entry in store.history(&all).unwrap() {
        let entry = entry.unwrap();
        match (entry.kind, &entry.id) {
            (EntryType::Link, _) => {
                let reason = entry.reason.unwrap_or_else(|| "up".to_owned());
                *links.entry(reason).or_insert(0) += 1;
            }
            (_, Some(id)) => {
                last += 1;
                assert_eq!(*id, last.to_string(), "missing, twice or out of order");
            }
            (_, None) => panic!("nobody sent this: {entry:?}"),
        }
    }
    assert_eq!(last, lines);
    assert!(
        links.len() > 1,
        "all were killed when nothing was left to do"
    );
    drop(store);
    folder.verified();
    println!(
        "{lines} lines, killed {killed:?}: 0 missing, 0 twice; links {links:?}; {}",
        rate(lines as usize, took)
    );
}

/// The source, in its own process.
struct Source {
    child: Child,
    told: Receiver<String>,
    /// The last acknowledged line.
    acked: u64,
}

impl Source {
    /// Starts a source with the line `from`; the lines up to `acked` are acknowledged already.
    fn start(server: &str, feed: u64, (from, to): (u64, u64), acked: u64) -> Source {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let command = command
            .args(["--exact", TEST, "--nocapture"])
            .env(SOURCE, format!("{server} feed-{feed} {from} {to}"))
            .stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let told = said(child.stdout.take().unwrap());
        Source { child, told, acked }
    }

    /// Reads its output until a line is acknowledged.
    fn until(&mut self, line: u64) {
        while self.acked < line {
            let told = self.told.recv_timeout(DEADLINE).expect("it still sends");
            self.hear(&told);
        }
    }

    fn hear(&mut self, told: &str) {
        if let Some((_, line)) = told.split_once("acknowledged ") {
            self.acked = self.acked.max(line.parse().unwrap());
        }
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        while let Ok(told) = self.told.recv() {
            self.hear(&told);
        }
    }

    fn end(mut self) {
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Source {
    /// A failed test leaves no process behind.
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn line(n: u64) -> String {
    let kind = ["join", "leave"][(n / 1_000 % 2) as usize];
    format!(
        r#"{{"t":"{kind}","channel":"c{}","topic":"t","user":"u{}","ts":{n},"id":"{n}"}}"#,
        n % 7,
        n % 1_000
    )
}

/// Sends the ordered lines, on as many connections as needed, and prints what is acknowledged.
fn play_source(orders: &str) {
    let orders: Vec<&str> = orders.split(' ').collect();
    let (first, last) = (orders[2].parse().unwrap(), orders[3].parse().unwrap());
    let url = format!("ws://{}/v1/ingest?observer=x&feed={}", orders[0], orders[1]);
    let address = Address::parse(&url, ["ws", "wss"]).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(async {
        loop {
            if let Ok(mut socket) = Socket::log_in(&address, None, SocketTimeouts::default()).await
                && talk(&mut socket, first, last).await
            {
                socket.log_out().await;
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
}

/// Returns whether all lines are acknowledged; if not, the connection is lost.
async fn talk(socket: &mut Socket, first: u64, last: u64) -> bool {
    // The next line. The server must say first where to begin.
    let (mut next, mut acked) = (None, first - 1);
    while next.is_none() || acked < last {
        let sends = next.filter(|&next| next <= last && next <= acked + WINDOW);
        let heard = tokio::select! {
            biased;
            heard = socket.next() => heard,
            () = std::future::ready(()), if sends.is_some() => {
                let from = sends.unwrap();
                let to = last.min(from + MESSAGE - 1);
                let message: Vec<String> = (from..=to).map(line).collect();
                if socket.send(&message.join("\n")).await.is_err() {
                    return false;
                }
                // Slow enough that it still sends when the next kill comes.
                tokio::time::sleep(REST).await;
                next = Some(to + 1);
                continue;
            }
        };
        let SocketInput::Message(message) = heard else {
            return false;
        };
        let word: serde_json::Value = serde_json::from_slice(&message).unwrap();
        acked = first - 1 + word["line"].as_u64().unwrap();
        println!("acknowledged {acked}");
        match word["t"].as_str().unwrap() {
            "resume" => next = Some(acked + 1),
            "ack" => {}
            _ => panic!("{word}"),
        }
    }
    true
}
