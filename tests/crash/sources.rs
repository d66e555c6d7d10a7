//! Sources of lines for a server that is killed: over POST, over a WebSocket, over a WebSocket with a feed. Each
//! source knows what it has sent, and what was acknowledged.

use rollbook::client::socket::{Socket, SocketInput, SocketTimeouts};
use rollbook::client::transport::Address;
use rollbook_support::program::Dice;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The most lines of a socket in transit.
const WINDOW: u64 = 500;
/// The most lines in a message or body.
const TOGETHER_MAX: u64 = 40;

/// How lines are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Post,
    Socket,
    /// With a feed: it continues where it was when a server is there again.
    Feed,
}

/// A source. Its lines are numbered from 1.
#[derive(Debug)]
pub struct Source {
    way: Way,
    pub name: String,
    /// The last line that was acknowledged, or was found in the store.
    pub acked: u64,
    /// The last line that was sent.
    pub sent: u64,
    dice: Dice,
}

impl Source {
    pub fn new(way: Way, name: String, seed: u64) -> Source {
        Source {
            way,
            name,
            acked: 0,
            sent: 0,
            dice: Dice::quiet(seed),
        }
    }

    /// Sends to a server until it is gone or this many lines are acknowledged. `heard` counts the acknowledged lines.
    pub fn talk(&mut self, address: &str, until: u64, heard: &AtomicU64) {
        if self.way == Way::Post {
            return while self.acked < until && self.post(address, heard) {};
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime
            .unwrap()
            .block_on(self.over_socket(address, until, heard));
    }

    /// Makes the next lines.
    fn more(&mut self) -> String {
        let from = self.sent + 1;
        self.sent = from + self.dice.below(TOGETHER_MAX);
        let name = &self.name;
        let line = |n: u64| {
            let channel = n % 5;
            format!(
                r#"{{"t":"join","channel":"c{channel}","topic":"t","user":"{name}:{n}","ts":{n}}}"#
            )
        };
        let lines: Vec<String> = (from..=self.sent).map(line).collect();
        lines.join("\n")
    }

    /// Posts one body. Returns whether it was accepted.
    fn post(&mut self, address: &str, heard: &AtomicU64) -> bool {
        let body = self.more();
        let request = format!(
            "POST /v1/events?observer={} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            self.name,
            body.len()
        );
        let mut answer = Vec::new();
        let asked = TcpStream::connect(address).and_then(|mut stream| {
            stream.set_read_timeout(Some(Duration::from_secs(60)))?;
            stream.write_all(request.as_bytes())?;
            stream.read_to_end(&mut answer)
        });
        // What was answered before the connection ended counts.
        drop(asked);
        let taken = answer.starts_with(b"HTTP/1.1 200 ");
        if taken {
            heard.fetch_add(self.sent - self.acked, Ordering::SeqCst);
            self.acked = self.sent;
        }
        taken
    }

    async fn over_socket(&mut self, address: &str, until: u64, heard: &AtomicU64) {
        let (name, feed) = (&self.name, self.way == Way::Feed);
        let feed_id = if feed { "&feed=f" } else { "" };
        let url = format!("ws://{address}/v1/ingest?observer={name}{feed_id}");
        let server = Address::parse(&url, ["ws", "wss"]).unwrap();
        let Ok(mut socket) = Socket::log_in(&server, None, SocketTimeouts::default()).await else {
            return;
        };
        let mut may_send = !feed;
        while self.acked < until {
            let sends = may_send && self.sent < until.min(self.acked + WINDOW);
            let next = tokio::select! {
                biased;
                next = socket.next() => next,
                () = std::future::ready(()), if sends => {
                    if socket.send(&self.more()).await.is_err() {
                        return;
                    }
                    tokio::time::sleep(Duration::from_micros(self.dice.below(2_000))).await;
                    continue;
                }
            };
            let SocketInput::Message(message) = next else {
                return;
            };
            let word: serde_json::Value = serde_json::from_slice(&message).unwrap();
            let line = word["line"].as_u64();
            match (word["t"].as_str(), line) {
                (Some("resume"), Some(line)) => {
                    assert_eq!(
                        line,
                        self.acked,
                        "{name} goes on at another line",
                        name = self.name
                    );
                    self.sent = line;
                    may_send = true;
                }
                (Some("ack"), Some(line)) => {
                    heard.fetch_add(line - self.acked, Ordering::SeqCst);
                    self.acked = line;
                }
                _ => return,
            }
        }
        socket.log_out().await;
    }
}
