//! Subscribers that never read, in a store with a channel of many members: the memory that each may cost the server,
//! and that it is released.

use crate::memory::{fallen_to, highest};
use crate::on_its_own;
use crate::source::{Source, socket_on};
use rollbook_support::program::{folder, long, rounds};
use rollbook_support::server::Socket;
use rollbook_support::serving::Serving;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};

/// The number of lines in a message.
const MESSAGE: usize = 500;
/// The system's buffer for a reader, in bytes: small, so that the rest stays in the server.
const RECEIVED_BYTES: u32 = 4 << 10;
/// The most memory per subscriber, in bytes; the second limit is for the short form, unoptimised on any machine.
const EACH_MAX: u64 = 256 << 10;
const EACH_ANYWHERE_MAX: u64 = 512 << 10;
/// The most memory that the server may keep after all subscribers have left, in bytes.
const KEPT_MAX: u64 = 64 << 20;

/// The first subscribers, which are not counted.
const FIRST: usize = 60;

/// Subscribers on sockets and on streams.
#[derive(Default)]
struct Unread(Vec<Socket>, Vec<TcpStream>);

impl Unread {
    /// Adds subscribers: from the beginning, the middle and near the end, of one channel and of all.
    async fn come(&mut self, address: &str, count: usize, entries: usize) {
        for n in 0..count {
            let after = [0, entries / 2, entries - 10][n % 3];
            let query = ["", "&channel=hall"][n / 3 % 2];
            let mut stream = connected(address).await;
            if n % 2 == 0 {
                let path = format!("/v1/subscribe?after_seq={after}{query}");
                self.0.push(socket_on(stream, &path).await);
            } else {
                let head = format!(
                    "GET /v1/stream?after_seq={after}{query} HTTP/1.1\r\nHost: localhost\r\n\r\n"
                );
                stream.write_all(head.as_bytes()).await.unwrap();
                self.1.push(stream);
            }
        }
    }
}

async fn connected(address: &str) -> TcpStream {
    let stream = TcpSocket::new_v4().unwrap();
    stream.set_recv_buffer_size(RECEIVED_BYTES).unwrap();
    stream.connect(address.parse().unwrap()).await.unwrap()
}

#[test]
fn subscribers_who_never_read_cost_little_and_it_is_given_back() {
    on_its_own(async {
        let (present, count) = (rounds(8_000, 50_000), 600);
        let folder = folder!();
        let serving = Serving::start(&folder, &[]);
        let address = serving.address();
        let mut source = Source::start(&address, "door", "").await;
        let meta = "m".repeat(1_000);
        let lines: Vec<String> = (0..present)
            .map(|n| {
                format!(
                    r#"{{"t":"join","channel":"hall","topic":"t","user":"u{n}","ts":{},"meta":"{meta}"}}"#,
                    n + 1
                )
            })
            .collect();
        source.send(&lines, MESSAGE).await;
        // The head's state is loaded before the first subscriber comes.
        folder.run(&["who", "hall"]).ok();
        let before = highest(serving.pid()).await;

        // The first ones pay for what all share.
        let mut unread = Unread::default();
        unread.come(&address, FIRST, present).await;
        let first = highest(serving.pid()).await;
        unread.come(&address, count, present).await;
        let peak = highest(serving.pid()).await;
        let each = peak.saturating_sub(first) / count as u64;
        // Other clients are still served.
        folder.run(&["who", "hall"]).ok();
        drop(unread);
        // Idle threads end after a while, and release their memory.
        let gone = fallen_to(serving.pid(), before + KEPT_MAX, Duration::from_secs(60)).await;
        source.end().await;
        serving.stop();
        println!(
            "{present} present, {count} subscribers who never read: server's memory {} MiB before, {} MiB with the first \
             {FIRST}, {} MiB at most ({} KiB each), {} MiB when they have gone",
            before >> 20,
            first >> 20,
            peak >> 20,
            each >> 10,
            gone >> 20
        );
        let most = if long() { EACH_MAX } else { EACH_ANYWHERE_MAX };
        assert!(each <= most, "{each} bytes each");
        assert!(
            gone <= before + KEPT_MAX,
            "{gone} bytes are kept, {before} before"
        );
    });
}
