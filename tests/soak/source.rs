//! A source of lines for these tests: one ingest socket that never has more than a window of lines in transit, and
//! waits until all are acknowledged.

use rollbook_support::server::{Socket, connect, soon};
use serde_json::Value;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

/// The most lines in transit.
const WINDOW: u64 = 8_192;

/// An ingest socket.
pub struct Source {
    socket: Socket,
    sent: u64,
    acked: u64,
}

/// A WebSocket at an address.
pub async fn socket(address: &str, path: &str) -> Socket {
    socket_on(TcpStream::connect(address).await.unwrap(), path).await
}

/// A WebSocket on a connection.
pub async fn socket_on(stream: TcpStream, path: &str) -> Socket {
    stream.set_nodelay(true).unwrap();
    soon(connect(stream, path)).await.unwrap()
}

impl Source {
    /// Starts a source for this observer; `query` adds parameters such as `&access_token=…`.
    pub async fn start(address: &str, observer: &str, query: &str) -> Source {
        let path = format!("/v1/ingest?observer={observer}{query}");
        Source {
            socket: socket(address, &path).await,
            sent: 0,
            acked: 0,
        }
    }

    /// Sends lines, `together` in each message, and waits until all are acknowledged. Returns the time it took.
    pub async fn send(&mut self, lines: &[String], together: usize) -> Duration {
        let start = Instant::now();
        for lines in lines.chunks(together) {
            self.socket.say(lines.join("\n")).await;
            self.sent += lines.len() as u64;
            self.wait(self.sent.saturating_sub(WINDOW)).await;
        }
        self.wait(self.sent).await;
        start.elapsed()
    }

    async fn wait(&mut self, line: u64) {
        while self.acked < line {
            let word: Value = self.socket.hear().await.unwrap();
            assert_eq!(word["t"], "ack", "{word}");
            self.acked = word["line"].as_u64().unwrap();
        }
    }

    /// Closes it properly.
    pub async fn end(self) {
        self.socket.close().await;
    }
}

/// The rate as text.
pub fn rate(count: usize, took: Duration) -> String {
    format!("{:.0} lines/s", count as f64 / took.as_secs_f64())
}
