//! Lines into another server's `/v1/ingest`: kept until they are acknowledged, and sent again after a lost connection
//! behind the last one that is durable there. What a line says is not looked at here.

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

/// A server that takes lines.
#[derive(Debug, Clone)]
pub struct Target {
    /// Where it is: the server itself, not its route.
    pub address: Address,
    /// Where its tokens come from.
    pub tokens: TokenSource,
    /// The observer of lines that name none.
    pub observer: String,
    /// The observer's own user, of lines that name none.
    pub self_user: Option<String>,
    /// How long to wait for it.
    pub patience: SocketTimeouts,
    /// The longest rest before it is tried again, ms.
    pub rest_max: i64,
    /// Decides the jitter of rests, and the names of feeds.
    pub seed: u64,
}

/// Why lines are not taken any more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UplinkError {
    /// The server cannot be asked.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// It does not let us in.
    #[error("no connection to {address}: {error}")]
    Refused {
        /// The server.
        address: String,
        /// Why not.
        error: LoginError,
    },
    /// Somebody else speaks for the same observer.
    #[error("another connection to {0} speaks for the same observer")]
    Replaced(String),
    /// It says what makes no sense.
    #[error("{0} speaks of lines that it was not sent: it is no Rollbook's /v1/ingest")]
    Strange(String),
    /// The task that sends is gone.
    #[error("sending broke off")]
    Gone,
}

/// What became of the lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct ForwardSummary {
    /// Lines acknowledged.
    pub lines: u64,
    /// Those among them that were rejected.
    pub rejected: u64,
    /// The last entry that the server told of.
    pub last_seq: Option<u64>,
}

/// Who is told of a line that was rejected: its number in this run, and why.
pub type OnReject = Box<dyn FnMut(u64, &str) + Send>;

/// The way to a server.
pub struct Forwarder {
    lines: UnboundedSender<ForwardItem>,
    room: Arc<Semaphore>,
    task: JoinHandle<Result<ForwardSummary, UplinkError>>,
}

enum ForwardItem {
    Line(Box<str>, OwnedSemaphorePermit),
    /// What follows comes from another connection to the source.
    NewFeed,
}

/// What a line costs beyond its bytes.
const LINE_COST: usize = 256;
/// The close code with which a server says that a newer connection has taken over.
const CLOSED_REPLACED: u16 = 4409;
/// Lines are gathered into messages of about this size.
const PIECE_BYTES: usize = 256 << 10;

impl Forwarder {
    /// Begins to send. Must be called within a runtime.
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

    /// Takes a line, without its newline; waits while too many are on the way. `false`: nothing more is taken, and
    /// [`finish`](Forwarder::finish) says why.
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

    /// What follows is no continuation: it comes from a new connection to the source.
    pub fn new_feed(&self) {
        // Where nobody takes it, the next line tells.
        let _ = self.lines.send(ForwardItem::NewFeed);
    }

    /// Waits until all is acknowledged, and gives what became of it.
    ///
    /// # Errors
    /// [`UplinkError`].
    pub async fn finish(self) -> Result<ForwardSummary, UplinkError> {
        drop(self.lines);
        self.task.await.unwrap_or(Err(UplinkError::Gone))
    }
}

/// What a server says.
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
    /// Feeds so far.
    feed: u64,
    /// Lines of this feed that are acknowledged.
    acked: u64,
    /// How many of those that are held were sent on this connection.
    on_way: usize,
    /// More may come for this feed.
    more: bool,
    sent: ForwardSummary,
}

/// How a connection came to its end.
enum ForwardEnd {
    /// All of the feed is acknowledged.
    Done,
    /// It was lost.
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

    /// Sends all lines of a feed, on as many connections as that takes.
    async fn send_feed(&mut self) -> Result<(), UplinkError> {
        let feed = format!("{:016x}-{}", self.target.seed, self.feed);
        // An observer that the URL names is meant.
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

    /// A connection; `None`: not now.
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

    /// Sends and hears on one connection, until it is lost or all is acknowledged.
    async fn talk(&mut self, socket: &mut Socket) -> Result<ForwardEnd, UplinkError> {
        // Nothing is sent before the server has said where to go on.
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

    /// The lines that come next, as one message.
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
            // The next connection has a new token, and goes on where this one ends.
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

    /// All lines of the feed up to this one are durable there.
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
