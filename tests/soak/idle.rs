//! Many subscribers while nothing happens: the memory that the server needs, and that all still receive an entry.

use crate::on_its_own;
use crate::source::{Source, socket};
use rollbook_support::program::{folder, long, rounds};
use rollbook_support::server::{Socket, join, soon};
use rollbook_support::serving::{Serving, memory, resident};
use rustix::process::{Resource, getrlimit, setrlimit};
use std::time::{Duration, Instant};

/// Files that are open besides the subscribers' sockets, in this process and in the server.
const OTHER_FILES: u64 = 256;
/// The number of handshakes at a time.
const HANDSHAKES: usize = 100;
/// The most memory that the server may need, in bytes.
const MEMORY_MAX: u64 = 512 << 20;
/// How long they are held: each must have answered a ping by then, or it is given up.
const HELD: Duration = Duration::from_secs(100);

/// As many subscribers as files can be open here. The server raises its own limit.
fn subscribers(wanted: u64) -> u64 {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // If this fails, the old limit stays.
    let _ = setrlimit(Resource::Nofile, limit);
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let most = files.saturating_sub(OTHER_FILES).min(wanted);
    if most < wanted {
        println!("only {files} files may be open: {most} subscribers instead of {wanted}");
    }
    most
}

/// Waits for a message that contains `word`.
async fn told(mut socket: Socket, word: &str) -> Socket {
    while !socket.text().await.unwrap().contains(word) {}
    socket
}

/// Sends the server a line, and leaves: a client that stays and does not read is given up.
async fn tell(address: &str, line: &str) {
    let mut source = Source::start(address, "x", "").await;
    source.send(&[line.to_owned()], 1).await;
    source.end().await;
}

#[test]
fn many_idle_subscribers_fit_into_little_memory_and_all_are_told() {
    on_its_own(async {
        let count = subscribers(rounds(500, 10_000) as u64);
        let folder = folder!();
        let serving = Serving::start(&folder, &[]);
        let address = serving.address();
        tell(&address, &join("room", "tony", 1)).await;
        let before = resident(serving.pid());

        let start = Instant::now();
        let mut idle = Vec::new();
        while (idle.len() as u64) < count {
            let some = (count as usize - idle.len()).min(HANDSHAKES);
            let joining: Vec<_> = (0..some)
                .map(|_| {
                    let address = address.clone();
                    tokio::spawn(async move {
                        let socket = socket(&address, "/v1/subscribe?channel=room").await;
                        soon(told(socket, r#""t":"live""#)).await
                    })
                })
                .collect();
            for joined in joining {
                idle.push(joined.await.unwrap());
            }
        }
        let joined = start.elapsed();
        let waiting: Vec<_> = idle
            .into_iter()
            .map(|socket| tokio::spawn(told(socket, r#""user":"lily""#)))
            .collect();
        if long() {
            tokio::time::sleep(HELD).await;
        }
        let held = resident(serving.pid());
        assert!(waiting.iter().all(|waits| !waits.is_finished()));

        let start = Instant::now();
        tell(&address, &join("room", "lily", 2)).await;
        let mut all = Vec::new();
        for waits in waiting {
            all.push(soon(waits).await.unwrap());
        }
        let took = start.elapsed();
        let peak = memory(serving.pid(), "VmHWM:");
        assert!(peak <= MEMORY_MAX, "{peak} bytes");
        println!(
            "{count} subscribers, there after {:.1} s, held {:?}: server's memory {} MiB before, {} MiB idle ({} KiB each), \
             {} MiB at most; one entry told to all in {} ms",
            joined.as_secs_f64(),
            if long() { HELD } else { Duration::ZERO },
            before >> 20,
            held >> 20,
            (held.saturating_sub(before) / count) >> 10,
            peak >> 20,
            took.as_millis()
        );
        drop(all);
        serving.stop();
    });
}
