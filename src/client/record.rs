//! Follows a feed and records it: executes the actions of its [`session`](super::session) with a WebSocket, tokens
//! and a sink for lines. All decisions are made in `session`.

use super::session::{
    Note, SessionAction, SessionEnd, SessionInput, SessionMachine, TOKEN_EXPIRED,
};
use super::sink::FeedSink;
use super::socket::{
    CLOSED_DONE, CLOSED_EXPIRED, LoginError, Socket, SocketEnd, SocketInput, SocketTimeouts,
};
use super::token::{Token, TokenError, TokenSource};
use super::transport::Address;
use crate::domain::event::{EventPayload, TokenState};
use crate::domain::time::Millis;
use crate::feed::{self, Defaults, Settings};
use crate::ingest::LineLocation;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::Deserialize;
use std::collections::VecDeque;
use std::future::{Future, pending};
use std::sync::Arc;
use std::time::Duration;
use tokio::select;

/// A feed to follow.
#[derive(Debug, Clone)]
pub struct Feed {
    /// The feed's address.
    pub address: Address,
    /// Where its tokens come from.
    pub tokens: TokenSource,
    /// The observer for lines that name none, and for the link and token lines that we add.
    pub observer: String,
    /// The observer's own user, for lines that name none.
    pub self_user: Option<String>,
    /// How lines are read.
    pub settings: Settings,
    /// How long to wait for the source.
    pub patience: SocketTimeouts,
    /// The longest rest before a login, ms.
    pub rest_max: Millis,
    /// Decides the jitter of rests.
    pub seed: u64,
}

/// Why following the feed ended without a stop request.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FeedError {
    /// The source refused the login, and trying again will not help.
    #[error("no connection to {address}: {error}")]
    Refused {
        /// The feed's address.
        address: String,
        /// Why the login failed.
        error: LoginError,
    },
    /// The source plays a recording, and not all of it was received.
    #[error("what {address} plays broke off: what was heard before is recorded, and no more")]
    BrokenOff {
        /// The feed's address.
        address: String,
    },
    /// The sink accepts no more lines; its `finish` returns the reason.
    #[error("nothing more is recorded")]
    Full,
}

/// Progress reports for people.
#[derive(Debug)]
pub enum RecordEvent<'a> {
    /// The login succeeded.
    Up,
    /// The connection ended.
    Down(&'a SocketEnd),
    /// The login failed.
    Refused(&'a LoginError),
    /// No token could be taken.
    NoToken(&'a TokenError),
    /// The source accepted a new token on the open connection.
    Renewed,
    /// The source refused a new token, for this reason.
    RenewalRefused(&'a str),
    /// A line about the feed itself is recorded.
    Noted(&'a Note),
    /// The next step follows after this many milliseconds.
    Rest(Millis),
}

/// Follows a feed until `stop`, or until it cannot be followed any more. On return, the lines received so far have
/// been passed to the sink, but may not be durable yet.
///
/// # Errors
/// [`FeedError`].
pub async fn record(
    feed: &Feed,
    sink: &FeedSink,
    stop: impl Future<Output = ()>,
    news: &mut (dyn FnMut(RecordEvent<'_>) + Send),
) -> Result<(), FeedError> {
    let mut hands = Hands {
        feed,
        sink,
        news,
        source: Arc::from(feed.address.to_string()),
        token: None,
        tokens: 0,
        socket: None,
        pending: None,
        refused: None,
        line: 0,
        byte: 0,
    };
    if !feed.tokens.renews() {
        hands.took(feed.tokens.take().await);
    }
    let mut life = SessionMachine::new(feed.tokens.renews(), feed.rest_max, feed.seed);
    let mut happened = VecDeque::from([SessionInput::Started]);
    let mut stop = std::pin::pin!(stop.fuse());
    loop {
        while let Some(next) = happened.pop_front() {
            for deed in life.step(now(), next) {
                match deed {
                    SessionAction::End(None) => return Ok(()),
                    SessionAction::End(Some(_)) => return hands.hopeless(),
                    SessionAction::BreakOff => return Err(hands.broken_off()),
                    deed => hands.carry_out(deed).await?,
                }
            }
        }
        select! {
            biased;
            () = &mut stop => happened.push_back(SessionInput::Stopped),
            done = hands.done() => hands.settle(done, &mut happened).await?,
        }
    }
}

/// The event that ended a wait.
enum Done {
    Took(Result<Option<Token>, TokenError>),
    LoggedIn(Result<Box<Socket>, LoginError>),
    Rested,
    Heard(SocketInput),
}

struct Hands<'a> {
    feed: &'a Feed,
    sink: &'a FeedSink,
    news: &'a mut (dyn FnMut(RecordEvent<'_>) + Send),
    source: Arc<str>,
    token: Option<Token>,
    /// How many times the token has changed; it numbers the tokens.
    tokens: u64,
    socket: Option<Box<Socket>>,
    /// The one operation in progress besides reading the socket.
    pending: Option<BoxFuture<'static, Done>>,
    /// Why the last login failed.
    refused: Option<LoginError>,
    line: u64,
    byte: u64,
}

impl Hands<'_> {
    async fn carry_out(&mut self, deed: SessionAction) -> Result<(), FeedError> {
        match deed {
            SessionAction::Take => {
                let tokens = self.feed.tokens.clone();
                self.pending = Some(async move { Done::Took(tokens.take().await) }.boxed());
            }
            SessionAction::LogIn => {
                let (address, token) = (self.feed.address.clone(), self.token.clone());
                let patience = self.feed.patience;
                let login = async move {
                    let login = Socket::log_in(&address, token.as_ref(), patience).await;
                    Done::LoggedIn(login.map(Box::new))
                };
                self.pending = Some(login.boxed());
            }
            SessionAction::LogOut => {
                if let Some(socket) = self.socket.take() {
                    for message in socket.log_out().await {
                        self.apply_commit(&message, &mut VecDeque::new()).await?;
                    }
                }
            }
            SessionAction::Renew => {
                if let (Some(socket), Some(token)) = (&mut self.socket, &self.token) {
                    // If it cannot be sent, the next read reports why.
                    let _ = socket.send(&token.renewal()).await;
                }
            }
            SessionAction::Say(note) => {
                (self.news)(RecordEvent::Noted(&note));
                if let Ok(line) = serde_json::to_string(&note) {
                    self.apply_commit(line.as_bytes(), &mut VecDeque::new())
                        .await?;
                }
                if note.is_up() == Some(false) {
                    self.sink.new_feed();
                }
            }
            SessionAction::Rest(ms) => {
                (self.news)(RecordEvent::Rest(ms));
                let rest = Duration::from_millis(ms.unsigned_abs());
                self.pending = Some(tokio::time::sleep(rest).map(|()| Done::Rested).boxed());
            }
            SessionAction::End(_) | SessionAction::BreakOff => {}
        }
        Ok(())
    }

    async fn done(&mut self) -> Done {
        let Hands {
            pending: awaited,
            socket,
            ..
        } = self;
        let awaited = async {
            match awaited {
                Some(awaited) => awaited.await,
                None => pending().await,
            }
        };
        let heard = async {
            match socket {
                Some(socket) => socket.next().await,
                None => pending().await,
            }
        };
        select! {
            done = awaited => done,
            heard = heard => Done::Heard(heard),
        }
    }

    async fn settle(
        &mut self,
        done: Done,
        happened: &mut VecDeque<SessionInput>,
    ) -> Result<(), FeedError> {
        if !matches!(done, Done::Heard(_)) {
            self.pending = None;
        }
        happened.push_back(match done {
            Done::Heard(SocketInput::Message(message)) => {
                return self.apply_commit(&message, happened).await;
            }
            Done::Heard(SocketInput::Over(over)) => {
                self.socket = None;
                (self.news)(RecordEvent::Down(&over));
                SessionInput::Ended(match over.code {
                    Some(CLOSED_EXPIRED) => SessionEnd::Expired,
                    Some(CLOSED_DONE) => SessionEnd::Done,
                    _ => SessionEnd::Lost,
                })
            }
            Done::Took(taken) => self.took(taken),
            Done::LoggedIn(Ok(socket)) => {
                let (plays, renews) = (socket.plays(), socket.renews());
                self.socket = Some(socket);
                (self.news)(RecordEvent::Up);
                if plays {
                    SessionInput::Playing
                } else {
                    SessionInput::LoggedIn { renews }
                }
            }
            Done::LoggedIn(Err(error)) => {
                (self.news)(RecordEvent::Refused(&error));
                let refusal = error.refusal;
                self.refused = Some(error);
                SessionInput::Refused(refusal)
            }
            Done::Rested => SessionInput::Woke,
        });
        Ok(())
    }

    fn took(&mut self, taken: Result<Option<Token>, TokenError>) -> SessionInput {
        match taken {
            Ok(token) => {
                self.tokens += u64::from(self.token != token);
                self.token = token;
                SessionInput::Token(self.tokens)
            }
            Err(error) => {
                (self.news)(RecordEvent::NoToken(&error));
                SessionInput::NoToken
            }
        }
    }

    /// Records all lines of a message, and reports to the session what they mean for the feed itself.
    async fn apply_commit(
        &mut self,
        message: &[u8],
        happened: &mut VecDeque<SessionInput>,
    ) -> Result<(), FeedError> {
        let defaults = Defaults {
            observer: &self.feed.observer,
            self_user: self.feed.self_user.as_deref(),
            settings: self.feed.settings,
        };
        for text in message.split(|&byte| byte == b'\n') {
            let text = text.strip_suffix(b"\r").unwrap_or(text);
            let byte = self.byte;
            self.byte += text.len() as u64 + 1;
            if text.trim_ascii().is_empty() {
                continue;
            }
            self.line += 1;
            let at = LineLocation {
                source: &self.source,
                line: self.line,
                byte,
            };
            if let Some(why) = renewal_refused(text) {
                // It is about this connection, so it does not belong in the log.
                (self.news)(RecordEvent::RenewalRefused(&why));
                happened.push_back(SessionInput::RenewalRefused);
                continue;
            }
            let meaning = meaning(text, &defaults);
            if meaning == Some(SessionInput::Renewed) {
                (self.news)(RecordEvent::Renewed);
            }
            happened.extend(meaning);
            if !self.sink.line(at, text).await {
                return Err(FeedError::Full);
            }
        }
        Ok(())
    }

    fn broken_off(&self) -> FeedError {
        let address = self.source.to_string();
        FeedError::BrokenOff { address }
    }

    /// The last login failed, and trying again will not help.
    fn hopeless(&mut self) -> Result<(), FeedError> {
        let address = self.source.to_string();
        let refused = self.refused.take();
        refused.map_or(Ok(()), |error| Err(FeedError::Refused { address, error }))
    }
}

/// What a line means for the feed itself. A token line that names a channel or another observer is not about the
/// token of our login. A link that is down because of the token stays down until the next login.
fn meaning(text: &[u8], defaults: &Defaults<'_>) -> Option<SessionInput> {
    let event = feed::parse(text, defaults).ok()?;
    let observer = defaults.observer;
    match &event.payload {
        EventPayload::Token(token) if token.channel.is_none() && event.observer == observer => {
            match token.state {
                TokenState::WillExpire => Some(SessionInput::WillExpire(notice(text))),
                TokenState::Expired => Some(SessionInput::Expired),
                TokenState::Renewed => Some(SessionInput::Renewed),
                TokenState::Revoked => Some(SessionInput::Spoke),
            }
        }
        EventPayload::Link(link) if !link.state.is_up() && event.observer == observer => {
            match link.reason.as_deref() {
                Some(TOKEN_EXPIRED) => Some(SessionInput::Expired),
                _ => Some(SessionInput::Spoke),
            }
        }
        _ => Some(SessionInput::Spoke),
    }
}

/// The number of milliseconds until the token expires, if the line has it.
fn notice(text: &[u8]) -> Option<Millis> {
    #[derive(Deserialize)]
    struct Notice {
        in_ms: Option<Millis>,
    }
    serde_json::from_slice::<Notice>(text).ok()?.in_ms
}

/// Why a Rollbook refuses a new token, if the line is about that.
fn renewal_refused(text: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct FeedRefused {
        t: String,
        state: String,
        reason: Option<String>,
    }
    const WORD: &[u8] = b"\"refused\"";
    if !text.windows(WORD.len()).take(256).any(|part| part == WORD) {
        return None;
    }
    let refused: FeedRefused = serde_json::from_slice(text).ok()?;
    let is = refused.t == "token" && refused.state == "refused";
    is.then(|| refused.reason.unwrap_or_default())
}

fn now() -> Millis {
    chrono::Utc::now().timestamp_millis()
}
