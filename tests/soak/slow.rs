//! A reader that stops reading is closed, can continue where it was, and does not slow down the writer.

use crate::on_its_own;
use crate::source::{Source, rate, socket_on};
use rollbook_support::program::{folder, rounds};
use rollbook_support::server::{Socket, join};
use rollbook_support::serving::Serving;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::net::TcpSocket;

/// The number of lines in a message.
const MESSAGE: usize = 256;
/// The system's buffer for a reader, in bytes: small, so that the server soon notices that it does not read.
const RECEIVED_BYTES: u32 = 64 << 10;

#[derive(Deserialize)]
struct Said {
    seq: u64,
    t: Option<String>,
}

/// A live subscriber, and the last entry that it has received.
struct Reader {
    socket: Socket,
    at: u64,
}

impl Reader {
    /// Starts a subscriber that continues after this entry.
    async fn start(address: &str, at: u64) -> Reader {
        let stream = TcpSocket::new_v4().unwrap();
        stream.set_recv_buffer_size(RECEIVED_BYTES).unwrap();
        let stream = stream.connect(address.parse().unwrap()).await.unwrap();
        let path = format!("/v1/subscribe?channel=room&after_seq={at}");
        let socket = socket_on(stream, &path).await;
        Reader { socket, at }
    }

    /// Receives entries up to this one; none may be missing or come twice. Or the code with which it was closed.
    async fn read_to(&mut self, seq: u64) -> Result<(), u16> {
        while self.at < seq {
            let text = self.socket.text().await?;
            let said: Said = serde_json::from_str(&text).unwrap();
            if said.t.is_none() {
                assert_eq!(said.seq, self.at + 1);
                self.at = said.seq;
            }
        }
        Ok(())
    }

    async fn live(&mut self) {
        loop {
            let text = self.socket.text().await.unwrap();
            let said: Said = serde_json::from_str(&text).unwrap();
            if said.t.is_some() {
                return self.at = said.seq;
            }
        }
    }
}

#[test]
fn a_reader_that_stops_reading_is_closed_and_the_writer_does_not_notice() {
    on_its_own(async {
        let (turns, lines) = (rounds(1, 5), rounds(30_000, 100_000));
        let folder = folder!();
        let serving = Serving::start(&folder, &[]);
        let address = serving.address();
        let mut source = Source::start(&address, "x", "").await;
        let (mut sent, mut took) = (0, BTreeMap::<&str, Duration>::new());
        let mut some = || {
            sent += lines;
            let line = |n: usize| join("room", &format!("u{}", n % 10_000), n as i64 + 1);
            (sent - lines..sent).map(line).collect::<Vec<_>>()
        };
        // The link up is one entry.
        source.send(&[join("room", "first", 1)], 1).await;
        let mut head = 2;
        for _ in 0..turns {
            *took.entry("no reader").or_default() += source.send(&some(), MESSAGE).await;
            head += lines as u64;

            let mut reader = Reader::start(&address, head).await;
            reader.live().await;
            let reading = tokio::spawn(async move { reader.read_to(head + lines as u64).await });
            *took.entry("one that reads").or_default() += source.send(&some(), MESSAGE).await;
            // This reader may be too slow, too: it shares the machine.
            let _ = reading.await.unwrap();
            head += lines as u64;

            let [mut reader, mut witness] = [
                Reader::start(&address, head).await,
                Reader::start(&address, head).await,
            ];
            reader.live().await;
            witness.live().await;
            // All lines are acknowledged while neither reads.
            *took.entry("two that stopped").or_default() += source.send(&some(), MESSAGE).await;
            head += lines as u64;
            // Acknowledgements come before deliveries. So the test reads the witness first: afterwards more has been
            // delivered than the other reader's buffer holds, whether the witness got all of it or was too slow.
            let _ = witness.read_to(head).await;
            assert_eq!(reader.read_to(head).await, Err(4408));
            let mut again = Reader::start(&address, reader.at).await;
            assert_eq!(again.read_to(head).await, Ok(()));
        }
        source.end().await;
        serving.stop();
        assert_eq!(folder.verified(), head);
        let rates = took
            .iter()
            .map(|(who, took)| format!("{who}: {}", rate(turns * lines, *took)));
        println!(
            "a reader that stopped was closed with 4408 and went on, {turns} times; {}",
            rates.collect::<Vec<_>>().join(", ")
        );
    });
}
