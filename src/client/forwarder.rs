//! Forwards lines to another server's `/v1/ingest`. Lines are kept until they are acknowledged. After a lost
//! connection, the lines after the last one that is durable there are sent again. The lines are not parsed here.

use super::backoff::Backoff;
use super::remote::question;
use super::session::LoginRefusal;
use super::socket::{LoginError, Socket, SocketEnd, SocketInput, SocketTimeouts};
use super::token::{Token, TokenSource};
use super::transport::{Address, AddressError};
use crate::limits::{MESSAGE_BYTES_MAX, RECORD_AHEAD_BYTES_MAX, UPLINK_LINES_MAX};
use crate::query::params::IngestParams;
use serde::Deserialize;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

/// A server that accepts lines.
#[derive(Debug, Clone)]
pub struct Target {
    /// The address of the server itself, without its route.
    pub address: Address,
    /// Where its tokens come from.
    pub tokens: TokenSource,
    /// The observer for lines that name none.
    pub observer: String,
    /// The observer's own user, for lines that name none.
    pub self_user: Option<String>,
    /// How long to wait for the server.
    pub patience: SocketTimeouts,
    /// The longest rest before the next attempt, ms.
    pub rest_max: i64,
    /// Decides the jitter of rests and the names of feeds.
    pub seed: u64,
}

/// Why forwarding ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UplinkError {
    /// The address cannot be used.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The server refused the login.
    #[error("no connection to {address}: {error}")]
    Refused {
        /// The server's address.
        address: String,
        /// Why the login failed.
        error: LoginError,
    },
    /// Another connection writes for the same observer.
    #[error("another connection to {0} speaks for the same observer")]
    Replaced(String),
    /// Its acknowledgements do not match the lines that were sent.
    #[error("{0} speaks of lines that it was not sent: it is no Rollbook's /v1/ingest")]
    Strange(String),
    /// The sending task has panicked or was cancelled.
    #[error("sending broke off")]
    Gone,
}

/// The counts of forwarded lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct ForwardSummary {
    /// Acknowledged lines.
    pub lines: u64,
    /// Acknowledged lines that the server rejected.
    pub rejected: u64,
    /// The `seq` of the last acknowledgement.
    pub last_seq: Option<u64>,
}

/// Called for each rejected line with its number in this run and the reason.
pub type OnReject = Box<dyn FnMut(u64, &str) + Send>;

/// Forwards lines to one server.
pub struct Forwarder {
    lines: UnboundedSender<ForwardItem>,
    room: Arc<Semaphore>,
    task: JoinHandle<Result<ForwardSummary, UplinkError>>,
}

enum ForwardItem {
    Line(Box<str>, OwnedSemaphorePermit),
    /// The lines after this item come from a new connection to the source.
    NewFeed,
}

/// What a line counts in addition to its bytes.
const LINE_COST: usize = 256;
/// The close code of a server when a newer connection of the same observer replaces this one.
const CLOSED_REPLACED: u16 = 4409;
/// The approximate size of a message; it holds several lines.
const PIECE_BYTES: usize = 256 << 10;

impl Forwarder {
    /// Starts to send. Must be called within a runtime.
    #[must_use]
    pub fn start(target: Target, on_reject: OnReject) -> Forwarder {
        let (lines, items) = unbounded_channel();
        let sender = Sender {
            rests: Backoff::new(target.rest_max, target.seed),
            token: None,
            target,
            on_reject,
            items,
            held: VecDeque::new(),
            feed: 0,
            acked: 0,
            on_way: 0,
            more: true,
            sent: ForwardSummary::default(),
        };
        Forwarder {
            lines,
            room: Arc::new(Semaphore::new(RECORD_AHEAD_BYTES_MAX)),
            task: tokio::spawn(sender.run()),
        }
    }

    /// Takes a line without its newline. Waits while too many bytes are not acknowledged. `false`: no more lines are
    /// accepted, and [`finish`](Forwarder::finish) returns the reason.
    pub async fn line(&self, text: &str) -> bool {
        let cost = (text.len() + LINE_COST).min(RECORD_AHEAD_BYTES_MAX);
        let cost = u32::try_from(cost).unwrap_or(u32::MAX);
        match Arc::clone(&self.room).acquire_many_owned(cost).await {
            Ok(room) => self
                .lines
                .send(ForwardItem::Line(text.into(), room))
                .is_ok(),
            Err(_) => false,
        }
    }

    /// Starts a new feed: the lines after this call come from a new connection to the source.
    pub fn new_feed(&self) {
        // If the task has ended, the next call of `line` reports it.
        let _ = self.lines.send(ForwardItem::NewFeed);
    }

    /// Waits until all lines are acknowledged, and returns the summary.
    ///
    /// # Errors
    /// [`UplinkError`].
    pub async fn finish(self) -> Result<ForwardSummary, UplinkError> {
        drop(self.lines);
        self.task.await.unwrap_or(Err(UplinkError::Gone))
    }
}

/// A message from the server.
#[derive(Deserialize)]
struct UplinkMessage {
    t: String,
    line: Option<u64>,
    seq: Option<u64>,
    reason: Option<String>,
    state: Option<String>,
}

struct Sender {
    target: Target,
    on_reject: OnReject,
    rests: Backoff,
    token: Option<Token>,
    items: UnboundedReceiver<ForwardItem>,
    /// Lines that are not acknowledged, in order.
    held: VecDeque<(Box<str>, OwnedSemaphorePermit)>,
    /// The number of feeds so far.
    feed: u64,
    /// Lines of this feed that are acknowledged.
    acked: u64,
    /// How many of the `held` lines were sent on this connection.
    on_way: usize,
    /// Whether more lines may come for this feed.
    more: bool,
    sent: ForwardSummary,
}

/// How a connection ended.
enum ForwardEnd {
    /// All lines of the feed are acknowledged.
    Done,
    /// The connection was lost.
    Lost(SocketEnd),
}

impl Sender {
    async fn run(mut self) -> Result<ForwardSummary, UplinkError> {
        while let Some(item) = self.items.recv().await {
            if let ForwardItem::Line(text, room) = item {
                self.held.push_back((text, room));
                self.feed += 1;
                (self.acked, self.more) = (0, true);
                self.send_feed().await?;
            }
        }
        Ok(self.sent)
    }

    /// Sends all lines of a feed, on as many connections as needed.
    async fn send_feed(&mut self) -> Result<(), UplinkError> {
        let feed = format!("{:016x}-{}", self.target.seed, self.feed);
        // An observer in the URL has priority over the target's.
        let named = self.target.address.has("observer");
        let params = IngestParams {
            observer: (!named).then(|| self.target.observer.clone()),
            self_user: self.target.self_user.clone(),
            feed: Some(feed),
        };
        let address = self
            .target
            .address
            .under("ws", &question("ingest", &params))?;
        while self.more || !self.held.is_empty() {
            if let Some(mut socket) = self.log_in(&address).await? {
                let before = self.sent.lines;
                let end = self.talk(&mut socket).await?;
                self.rests.count(self.sent.lines > before);
                match end {
                    ForwardEnd::Done => {
                        socket.log_out().await;
                        return Ok(());
                    }
                    ForwardEnd::Lost(over) if over.code == Some(CLOSED_REPLACED) => {
                        return Err(UplinkError::Replaced(self.target.address.to_string()));
                    }
                    ForwardEnd::Lost(_) => {}
                }
            }
            let rest = self.rests.draw().unsigned_abs();
            tokio::time::sleep(Duration::from_millis(rest)).await;
        }
        Ok(())
    }

    /// Opens a connection; `None`: try again later.
    async fn log_in(&mut self, address: &Address) -> Result<Option<Socket>, UplinkError> {
        if self.token.is_none() || self.target.tokens.renews() {
            match self.target.tokens.take().await {
                Ok(token) => self.token = token,
                Err(_) => {
                    self.rests.count(false);
                    return Ok(None);
                }
            }
        }
        let login = Socket::log_in(address, self.token.as_ref(), self.target.patience).await;
        let error = match login {
            Ok(socket) => return Ok(Some(socket)),
            Err(error) => error,
        };
        self.rests.count(false);
        let hopeless = match error.refusal {
            LoginRefusal::Away => false,
            LoginRefusal::Token => !self.target.tokens.renews(),
            LoginRefusal::Wrong | LoginRefusal::Untrusted => self.sent.lines == 0,
        };
        if hopeless {
            let address = self.target.address.to_string();
            return Err(UplinkError::Refused { address, error });
        }
        Ok(None)
    }

    /// Sends and receives on one connection, until it is lost or all lines are acknowledged.
    async fn talk(&mut self, socket: &mut Socket) -> Result<ForwardEnd, UplinkError> {
        // Nothing is sent before the server has reported (`resume`) where to continue.
        let mut begun = false;
        self.on_way = 0;
        loop {
            if begun && !self.more && self.held.is_empty() {
                return Ok(ForwardEnd::Done);
            }
            if begun && self.on_way < self.held.len().min(UPLINK_LINES_MAX) {
                let message = self.next_message();
                if let Err(over) = socket.send(&message).await {
                    return Ok(ForwardEnd::Lost(over));
                }
            }
            let sends = begun && self.on_way < self.held.len().min(UPLINK_LINES_MAX);
            tokio::select! {
                biased;
                heard = socket.next() => match heard {
                    SocketInput::Over(over) => return Ok(ForwardEnd::Lost(over)),
                    SocketInput::Message(message) => {
                        if let Some(over) = self.hear(&message, &mut begun)? {
                            return Ok(ForwardEnd::Lost(over));
                        }
                    }
                },
                item = self.items.recv(), if self.more && !sends => match item {
                    Some(ForwardItem::Line(text, room)) => self.held.push_back((text, room)),
                    Some(ForwardItem::NewFeed) | None => self.more = false,
                },
                () = std::future::ready(()), if sends => {}
            }
        }
    }

    /// The next lines to send, as one message.
    fn next_message(&mut self) -> String {
        let mut message = String::new();
        for (line, _) in self.held.iter().skip(self.on_way) {
            let long = message.len() + line.len() > PIECE_BYTES.min(MESSAGE_BYTES_MAX);
            if long && !message.is_empty() {
                break;
            }
            message.push_str(line);
            message.push('\n');
            self.on_way += 1;
        }
        message
    }

    fn hear(&mut self, message: &[u8], begun: &mut bool) -> Result<Option<SocketEnd>, UplinkError> {
        let Ok(word) = serde_json::from_slice::<UplinkMessage>(message) else {
            return Ok(None);
        };
        match (word.t.as_str(), word.line) {
            ("resume", Some(line)) => {
                self.acknowledge(line, usize::MAX)?;
                *begun = true;
            }
            ("ack", Some(line)) => {
                self.sent.last_seq = word.seq.or(self.sent.last_seq);
                self.acknowledge(line, self.on_way)?;
            }
            ("reject", Some(line)) => {
                self.sent.rejected += 1;
                let number = self.sent.lines + line.saturating_sub(self.acked);
                (self.on_reject)(number, word.reason.as_deref().unwrap_or_default());
            }
            // End this connection: the next one has a new token, and continues where this one ends.
            ("token", _)
                if word.state.as_deref() == Some("will_expire") && self.target.tokens.renews() =>
            {
                let why = "the token will expire".to_owned();
                return Ok(Some(SocketEnd { code: None, why }));
            }
            _ => {}
        }
        Ok(None)
    }

    /// Drops the lines of the feed up to this one: they are durable on the server.
    fn acknowledge(&mut self, line: u64, on_way: usize) -> Result<(), UplinkError> {
        let strange = || UplinkError::Strange(self.target.address.to_string());
        let done = line.checked_sub(self.acked).ok_or_else(strange)?;
        let count = usize::try_from(done).unwrap_or(usize::MAX);
        if count > self.held.len() || count > on_way {
            return Err(strange());
        }
        self.held.drain(..count);
        self.on_way = self.on_way.saturating_sub(count);
        self.acked = line;
        self.sent.lines += done;
        Ok(())
    }
}
