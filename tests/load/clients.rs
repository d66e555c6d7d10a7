//! The clients of the server: writers that also query, subscribers, slow readers, and bodies that do not end.

use crate::figures::Histogram;
use crate::{ADDRESSES, CHANNELS, LINES};
use rollbook_support::server::{DEADLINE, ask, connect, from};
use serde::Deserialize;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// The server, and what was sent to it.
#[derive(Clone)]
pub struct Load(Arc<Sent>);

struct Sent {
    to: SocketAddr,
    connections: AtomicUsize,
    acknowledged: Vec<AtomicU64>,
}

impl Load {
    pub fn on(to: SocketAddr) -> Load {
        Load(Arc::new(Sent {
            to,
            connections: AtomicUsize::new(CHANNELS),
            acknowledged: (0..CHANNELS).map(|_| AtomicU64::new(0)).collect(),
        }))
    }

    /// The number of the next connection.
    pub fn next(&self) -> usize {
        self.0.connections.fetch_add(1, Ordering::Relaxed)
    }

    /// The number of acknowledged lines.
    pub fn acknowledged(&self) -> u64 {
        (0..CHANNELS).map(|channel| self.of_channel(channel)).sum()
    }

    /// The same for one channel.
    pub fn of_channel(&self, channel: usize) -> u64 {
        self.0.acknowledged[channel].load(Ordering::SeqCst)
    }

    /// Posts lines of users who join and leave, on a new connection. Returns the time until they are acknowledged.
    pub async fn post(&self, connection: usize) -> Duration {
        let channel = connection % CHANNELS;
        let line = |n: usize| {
            let what = if n.is_multiple_of(2) { "join" } else { "leave" };
            let user = connection * LINES + n / 2;
            format!(
                "{{\"t\":\"{what}\",\"channel\":\"room-{channel}\",\"topic\":\"t\",\"user\":\"user-{user}\",\
                 \"conn\":\"c{user}\",\"id\":\"{what}-{user}\"}}\n"
            )
        };
        let body: String = (0..LINES).map(line).collect();
        let began = Instant::now();
        let stream = from(&self.address(connection), self.0.to).await;
        let path = "/v1/events?observer=load";
        let answer = timeout(DEADLINE, ask(stream, "POST", path, &[], body)).await;
        let answer = answer.unwrap().expect(200).json();
        let took = began.elapsed();
        assert_eq!(answer["entries"], LINES, "{answer}");
        self.0.acknowledged[channel].fetch_add(LINES as u64, Ordering::SeqCst);
        took
    }

    fn address(&self, connection: usize) -> String {
        format!("127.0.1.{}:0", 1 + connection % ADDRESSES)
    }

    /// Asks who is in a channel. Returns the time that this takes.
    pub async fn who(&self) -> Duration {
        let began = Instant::now();
        let stream = from("127.0.0.2:0", self.0.to).await;
        let answer = timeout(
            DEADLINE,
            ask(stream, "GET", "/v1/who?channel=room-7", &[], ""),
        )
        .await;
        answer.unwrap().expect(200);
        began.elapsed()
    }

    /// Asks about ten times a second.
    pub async fn ask_now_and_then(&self, over: &CancellationToken) -> Histogram {
        let mut took = Histogram::new(3).unwrap();
        while !over.is_cancelled() {
            took.saturating_record(self.who().await.as_micros() as u64);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        took
    }

    /// Reads the history slowly, and begins again whenever the server gives it up. Returns how often.
    pub async fn read_slowly(&self, over: &CancellationToken) -> u64 {
        let request = "GET /v1/history HTTP/1.1\r\nhost: localhost\r\n\r\n";
        let mut again = 0;
        loop {
            let mut stream = self.slow("127.0.0.3:0").await;
            let reading = async {
                stream.write_all(request.as_bytes()).await?;
                let mut some = vec![0; 4 << 10];
                while stream.read(&mut some).await? > 0 {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                std::io::Result::Ok(())
            };
            tokio::select! {
                () = over.cancelled() => return again,
                // However it ends.
                _ = reading => again += 1,
            }
        }
    }

    /// Begins a body and does not end it, and begins again whenever the server gives it up. Returns how often.
    pub async fn begin_bodies(&self, over: &CancellationToken) -> u64 {
        let request =
            "POST /v1/events HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10000000\r\n\r\n";
        let mut again = 0;
        loop {
            let mut stream = self.slow("127.0.0.4:0").await;
            let talking = async {
                stream.write_all(request.as_bytes()).await?;
                // White space, more than the start of a body: each then needs a place, and about half get one.
                stream.write_all(&vec![b'\n'; 80 << 10]).await?;
                stream.read_to_end(&mut Vec::new()).await
            };
            tokio::select! {
                () = over.cancelled() => return again,
                _ = talking => again += 1,
            }
        }
    }

    async fn slow(&self, address: &str) -> tokio::net::TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(16 << 10).unwrap();
        socket.bind(address.parse().unwrap()).unwrap();
        socket.connect(self.0.to).await.unwrap()
    }
}

#[derive(Deserialize)]
struct Said {
    seq: u64,
    t: Option<String>,
}

/// A subscriber of a channel. When it was too slow, it continues where it was.
pub struct Subscriber {
    load: Load,
    channel: usize,
    heard: u64,
    at: u64,
    too_slow: u64,
}

impl Subscriber {
    pub fn new(load: &Load, channel: usize) -> Subscriber {
        Subscriber {
            load: load.clone(),
            channel,
            heard: 0,
            at: 0,
            too_slow: 0,
        }
    }

    /// Listens until it has received all acknowledged lines. Returns how often it was too slow.
    pub async fn listen(mut self, over: CancellationToken) -> u64 {
        while !self.hear(&over).await {
            self.too_slow += 1;
        }
        self.too_slow
    }

    /// Returns whether it has received everything; if not, it was too slow.
    async fn hear(&mut self, over: &CancellationToken) -> bool {
        let path = format!(
            "/v1/subscribe?channel=room-{}&after_seq={}",
            self.channel, self.at
        );
        let stream = from("127.0.0.5:0", self.load.0.to).await;
        let mut socket = connect(stream, &path).await.unwrap();
        loop {
            if over.is_cancelled() && self.heard == self.load.of_channel(self.channel) {
                return true;
            }
            let ended = over.is_cancelled();
            let text = tokio::select! {
                text = socket.text() => text,
                () = over.cancelled(), if !ended => continue,
                () = tokio::time::sleep(DEADLINE), if ended => panic!("not all is told"),
            };
            let said: Said = match text {
                Ok(text) => serde_json::from_str(&text).unwrap(),
                Err(4408) => return false,
                Err(code) => panic!("closed with {code}"),
            };
            // In order and without repetition: so if the number is right, nothing is missing.
            if said.t.is_none() {
                assert!(said.seq > self.at, "{} after {}", said.seq, self.at);
                self.heard += 1;
                self.at = said.seq;
            }
        }
    }
}
