//! A server under a load of ever new users, ids and connections, with subscribers, slow readers and unfinished
//! bodies. All acknowledged lines must be recorded, subscribers must receive all of them, and no client may be
//! refused. It runs for some seconds, or for twenty minutes with `ROLLBOOK_LONG` (`ROLLBOOK_LOAD_SECONDS` sets
//! another time). The figures are printed (`--nocapture`), and nothing depends on them.
#![cfg(all(feature = "client", feature = "server", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing, missing_docs)]

mod clients;
mod figures;

use clients::{Load, Subscriber};
use figures::{Figures, Latencies};
use rollbook_support::program::{folder, rounds};
use rollbook_support::serving::Serving;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The number of lines per second, and of lines on one connection.
const LINES_A_SECOND: usize = 2_000;
pub const LINES: usize = 4;
/// The number of channels; each has a subscriber.
pub const CHANNELS: usize = 100;
const SLOW_READERS: usize = 20;
const BODIES: usize = 60;
/// The number of addresses of the writers: each address has a limited number of ports.
pub const ADDRESSES: usize = 32;

fn seconds() -> u64 {
    let asked = std::env::var("ROLLBOOK_LOAD_SECONDS").ok();
    asked.map_or(rounds(5, 1_200) as u64, |asked| asked.parse().unwrap())
}

#[test]
fn new_users_and_connections_beside_slow_ones_are_served_and_none_is_lost() {
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let (seconds, quiet) = (seconds(), rounds(1, 20) as u64);
        let folder = folder!();
        let serving = Serving::start(&folder, &[]);
        let load = Load::on(serving.address().parse().unwrap());
        let figures = Arc::new(Figures::of(serving.pid()));

        // Each channel has a first entry.
        for connection in 0..CHANNELS {
            load.post(connection).await;
        }
        let before = quietly(&load, quiet).await;
        figures.note("before");

        let over = CancellationToken::new();
        let subscribers: Vec<_> = (0..CHANNELS)
            .map(|channel| tokio::spawn(Subscriber::new(&load, channel).listen(over.clone())))
            .collect();
        let mut others: Vec<JoinHandle<u64>> = Vec::new();
        for n in 0..SLOW_READERS.max(BODIES) {
            let each = |wanted: bool| wanted.then(|| (load.clone(), over.clone()));
            if let Some((load, over)) = each(n < SLOW_READERS) {
                others.push(tokio::spawn(async move { load.read_slowly(&over).await }));
            }
            if let Some((load, over)) = each(n < BODIES) {
                others.push(tokio::spawn(async move { load.begin_bodies(&over).await }));
            }
        }
        let sampling = figures.sample(&over);
        let asking = tokio::spawn({
            let (load, over) = (load.clone(), over.clone());
            async move { load.ask_now_and_then(&over).await }
        });
        let during = under_load(&load, seconds).await;
        over.cancel();
        let during = Latencies {
            who: asking.await.unwrap(),
            ..during
        };
        sampling.await.unwrap();
        let mut came_again = 0;
        for other in others {
            came_again += other.await.unwrap();
        }
        // Each subscriber receives its whole channel, in order and without repetition.
        for subscriber in subscribers {
            figures.too_slow(subscriber.await.unwrap());
        }
        figures.note("just after");
        let after = quietly(&load, quiet).await;
        figures.note("after");
        serving.stop();
        let acknowledged = load.acknowledged();
        assert_eq!(folder.verified(), acknowledged);

        println!(
            "{seconds} s of {LINES_A_SECOND} lines/s in connections of {LINES} lines, beside {CHANNELS} subscribers, \
             {SLOW_READERS} slow readers, {BODIES} unfinished bodies (which came again {came_again} times): \
             {acknowledged} lines acknowledged, all are there"
        );
        for (when, latencies) in [("before", before), ("during", during), ("after", after)] {
            println!("{when}: {latencies}");
        }
        println!("{figures}");
    });
}

/// The number of lines that are posted while all is quiet.
fn quiet_lines(seconds: u64) -> usize {
    seconds as usize * 50 * LINES
}

/// One post and one query at a time.
async fn quietly(load: &Load, seconds: u64) -> Latencies {
    let mut latencies = Latencies::new();
    for _ in 0..quiet_lines(seconds) / LINES {
        latencies.posted(load.post(load.next()).await);
        latencies.asked(load.who().await);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    latencies
}

/// Posts at the full rate, however long the answers take.
async fn under_load(load: &Load, seconds: u64) -> Latencies {
    let connections = seconds as usize * LINES_A_SECOND / LINES;
    let pause = Duration::from_secs(1) * LINES as u32 / LINES_A_SECOND as u32;
    let mut ticks = tokio::time::interval(pause);
    let mut posting = tokio::task::JoinSet::new();
    let mut latencies = Latencies::new();
    for _ in 0..connections {
        ticks.tick().await;
        let (load, connection) = (load.clone(), load.next());
        posting.spawn(async move { load.post(connection).await });
        while let Some(took) = posting.try_join_next() {
            latencies.posted(took.unwrap());
        }
    }
    while let Some(took) = posting.join_next().await {
        latencies.posted(took.unwrap());
    }
    latencies
}
