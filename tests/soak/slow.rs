//! A reader that stops reading: it is closed, it can go on where it was, and the writer does not notice.

use crate::on_its_own;
use crate::source::{Source, rate, socket_on};
use rollbook_support::program::{folder, rounds};
use rollbook_support::server::{Socket, join};
use rollbook_support::serving::Serving;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::net::TcpSocket;

/// Lines of a message.
const MESSAGE: usize = 256;
/// What the system keeps for a reader, bytes: little, so that it soon shows that nobody reads.
const RECEIVED_BYTES: u32 = 64 << 10;

#[derive(Deserialize)]
struct Said {
    seq: u64,
    t: Option<String>,
}

/// A subscriber that is live, and the entry up to which it has heard.
struct Reader {
    socket: Socket,
    at: u64,
}

impl Reader {
    /// One who has heard all up to this entry, or says that he has.
    async fn start(address: &str, at: u64) -> Reader {
        let stream = TcpSocket::new_v4().unwrap();
        stream.set_recv_buffer_size(RECEIVED_BYTES).unwrap();
        let stream = stream.connect(address.parse().unwrap()).await.unwrap();
        let path = format!("/v1/subscribe?channel=room&after_seq={at}");
        let socket = socket_on(stream, &path).await;
        Reader { socket, at }
    }

    /// Hears entries up to this one, of which none may be missing or come twice; or the code with which it was closed.
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
        // The link that comes up, once and for all.
        source.send(&[join("room", "first", 1)], 1).await;
        let mut head = 2;
        for _ in 0..turns {
            *took.entry("no reader").or_default() += source.send(&some(), MESSAGE).await;
            head += lines as u64;

            let mut reader = Reader::start(&address, head).await;
            reader.live().await;
            let reading = tokio::spawn(async move { reader.read_to(head + lines as u64).await });
            *took.entry("one that reads").or_default() += source.send(&some(), MESSAGE).await;
            // It may be too slow, too: it shares the machine.
            let _ = reading.await.unwrap();
            head += lines as u64;

            let [mut reader, mut witness] = [
                Reader::start(&address, head).await,
                Reader::start(&address, head).await,
            ];
            reader.live().await;
            witness.live().await;
            // All is acknowledged while neither reads.
            *took.entry("two that stopped").or_default() += source.send(&some(), MESSAGE).await;
            head += lines as u64;
            // An acknowledgement comes before what is told. Whether the witness then hears it all or was too slow: more
            // was told than could wait for the other.
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
