//! Subscribers who never read what they are sent, beside a channel in which many are present: what each may cost the
//! server, and that it is given back.

use crate::memory::settled;
use crate::on_its_own;
use crate::source::{Source, socket_on};
use crate::support::program::{Folder, rounds};
use crate::support::serving::Serving;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};

/// Lines of a message.
const MESSAGE: usize = 500;
/// What the system keeps for a reader, bytes: little, so that the rest stays with the server.
const RECEIVED_BYTES: u32 = 4 << 10;
/// What one may cost, bytes.
const EACH_MAX: u64 = 256 << 10;
/// What the server may keep of all when they have gone, bytes.
const KEPT_MAX: u64 = 64 << 20;

async fn connected(address: &str) -> TcpStream {
    let stream = TcpSocket::new_v4().unwrap();
    stream.set_recv_buffer_size(RECEIVED_BYTES).unwrap();
    stream.connect(address.parse().unwrap()).await.unwrap()
}

#[test]
fn subscribers_who_never_read_cost_little_and_it_is_given_back() {
    on_its_own(async {
        let (present, count) = (rounds(8_000, 50_000), 600);
        let folder = Folder::new();
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
        // The head's state is at hand before anybody comes.
        folder.run(&["who", "hall"]).ok();
        let before = settled(serving.pid(), Duration::from_secs(20), |_| false).await;

        // From the beginning, from the middle, of one channel and of all, as sockets and as streams.
        let (mut sockets, mut streams) = (Vec::new(), Vec::new());
        for n in 0..count {
            let after = [0, present / 2, present - 10][n % 3];
            let query = ["", "&channel=hall"][n / 3 % 2];
            let stream = connected(&address).await;
            if n % 2 == 0 {
                let path = format!("/v1/subscribe?after_seq={after}{query}");
                sockets.push(socket_on(stream, &path).await);
            } else {
                let mut stream = stream;
                let head = format!(
                    "GET /v1/stream?after_seq={after}{query} HTTP/1.1\r\nHost: localhost\r\n\r\n"
                );
                stream.write_all(head.as_bytes()).await.unwrap();
                streams.push(stream);
            }
        }
        let mut peak = 0;
        let unread = settled(serving.pid(), Duration::from_secs(20), |now| {
            peak = peak.max(now);
            false
        })
        .await;
        let each = peak.saturating_sub(before) / count as u64;
        // Who reads is served all the same.
        folder.run(&["who", "hall"]).ok();
        drop((sockets, streams));
        let gone = settled(serving.pid(), Duration::from_secs(40), |now| {
            now <= before + KEPT_MAX
        })
        .await;
        source.end().await;
        serving.stop();
        println!(
            "{present} present, {count} subscribers who never read: server's memory {} MiB before, {} MiB at most ({} KiB \
             each), {} MiB in the end, {} MiB when they have gone",
            before >> 20,
            peak >> 20,
            each >> 10,
            unread >> 20,
            gone >> 20
        );
        assert!(each <= EACH_MAX, "{each} bytes each");
        assert!(
            gone <= before + KEPT_MAX,
            "{gone} bytes are kept, {before} before"
        );
    });
}
