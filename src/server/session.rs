//! What all sockets have in common: the life of the token, whether the peer is still there, the server's end, and a
//! proper farewell. What is said on a socket is its own business.
//!
//! A socket waits for [`SocketSession::event`] beside its own affairs, and gives what comes to [`SocketSession::meet`]: waiting can
//! be given up at any time, meeting cannot.

use super::app::{App, AuthContext};
use super::auth::Access;
use super::listen::ConnectionGuard;
use crate::domain::time::Millis;
use crate::limits;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use futures_util::{FutureExt, SinkExt};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

/// Close codes: RFC 6455's, and those of the contract.
pub mod code {
    /// All is said.
    pub const DONE: u16 = 1000;
    /// The server stops.
    pub const AWAY: u16 = 1001;
    /// What came is no WebSocket.
    pub const NO_PROTOCOL: u16 = 1002;
    /// A text is not UTF-8.
    pub const NO_TEXT: u16 = 1007;
    /// A message is too large.
    pub const TOO_LARGE: u16 = 1009;
    /// The server failed.
    pub const FAILED: u16 = 1011;
    /// The token has expired.
    pub const EXPIRED: u16 = 4401;
    /// The reader was too slow.
    pub const TOO_SLOW: u16 = 4408;
    /// A newer connection speaks for this observer.
    pub const REPLACED: u16 = 4409;
}

/// How long the peer's own farewell is waited for.
const FAREWELL_MAX: Duration = Duration::from_secs(2);

/// A socket and its surroundings.
pub struct SocketSession {
    socket: WebSocket,
    app: Arc<App>,
    pass: AuthContext,
    /// When the peer is told that its token will expire, unless it has been.
    warn_at: Option<Millis>,
    heard: Instant,
    pinged: Instant,
    /// Another has taken its place.
    over: CancellationToken,
    /// Counts the connection as open.
    _guest: ConnectionGuard,
}

/// Something that happens to a socket.
pub enum SocketEvent {
    /// A message came; `None`: the connection is gone.
    Message(Option<Message>),
    /// What came is no WebSocket, or too much; with the code and reason for it.
    Broken(u16, &'static str),
    /// The token will expire, in so many ms.
    WillExpire(Millis),
    /// It has.
    Expired,
    /// Nothing was heard for a while.
    Quiet,
    /// Another has taken its place.
    Replaced,
    /// The server stops.
    Stop,
}

/// What it means for the socket's own affairs.
pub enum SocketOutcome {
    /// Nothing.
    Nothing,
    /// The peer says something.
    Text(Utf8Bytes),
    /// The peer is gone; in order or not.
    Gone {
        /// With close code 1000.
        in_order: bool,
    },
    /// It is to end, with this code and reason.
    End(u16, &'static str),
}

/// The peer does not take what is sent.
pub struct PeerLost;

/// What the server says of tokens.
#[derive(Serialize)]
#[serde(tag = "t", rename = "token")]
struct TokenNews<'a> {
    state: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    in_ms: Option<Millis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

#[derive(Deserialize)]
struct Renew {
    t: String,
    token: String,
}

impl SocketSession {
    /// One that has just begun.
    #[must_use]
    pub fn new(
        socket: WebSocket,
        app: Arc<App>,
        pass: AuthContext,
        guest: ConnectionGuard,
    ) -> SocketSession {
        let now = Instant::now();
        SocketSession {
            socket,
            warn_at: warning(&pass.access, app.now()),
            app,
            pass,
            heard: now,
            pinged: now,
            over: CancellationToken::new(),
            _guest: guest,
        }
    }

    /// The same, until another takes its place: then it says nothing more but farewell.
    #[must_use]
    pub fn until(self, over: CancellationToken) -> SocketSession {
        SocketSession { over, ..self }
    }

    /// What it was let in with, or has shown since.
    #[must_use]
    pub fn pass(&self) -> &AuthContext {
        &self.pass
    }

    /// Counts its end as that of a reader who was too slow.
    pub fn count_as_too_slow(&self) {
        self.app.metrics.too_slow.inc();
    }

    /// The next thing that happens. `listening`: messages are to be read. May be given up at any time.
    pub async fn event(&mut self, listening: bool) -> SocketEvent {
        let expires_at = self.pass.access.expires_at();
        let token = async {
            let Some(at) = expires_at else {
                return std::future::pending().await;
            };
            let Some(warn_at) = self.warn_at else {
                self.app.clock.until(at).await;
                return SocketEvent::Expired;
            };
            self.app.clock.until(warn_at).await;
            match at.saturating_sub(self.app.now()) {
                left @ 1.. => SocketEvent::WillExpire(left),
                _ => SocketEvent::Expired,
            }
        };
        tokio::select! {
            biased;
            () = self.app.stop.cancelled() => SocketEvent::Stop,
            () = self.over.cancelled() => SocketEvent::Replaced,
            event = token => event,
            message = self.socket.recv(), if listening => heard(message),
            () = sleep_until(self.heard.max(self.pinged) + self.app.bounds.ping) => SocketEvent::Quiet,
        }
    }

    /// What a message says that is there already.
    pub fn ready(&mut self) -> Option<SocketEvent> {
        self.socket.recv().now_or_never().map(heard)
    }

    /// Does what is to be done about an event.
    pub async fn meet(&mut self, event: SocketEvent) -> SocketOutcome {
        let done = match event {
            SocketEvent::Message(None) => return SocketOutcome::Gone { in_order: false },
            SocketEvent::Message(Some(message)) => {
                self.heard = Instant::now();
                match message {
                    Message::Text(text) => match renewal(&text) {
                        Some(token) => self.renew(&token).await,
                        None => return SocketOutcome::Text(text),
                    },
                    Message::Close(frame) => {
                        let code = frame.map(|frame| frame.code);
                        // The answer to it, which the library has prepared.
                        let _ = timeout(FAREWELL_MAX, self.socket.flush()).await;
                        return SocketOutcome::Gone {
                            in_order: code == Some(code::DONE),
                        };
                    }
                    Message::Binary(_) => return SocketOutcome::End(1003, "say it as text"),
                    Message::Ping(_) | Message::Pong(_) => Ok(()),
                }
            }
            SocketEvent::Broken(code, reason) => return SocketOutcome::End(code, reason),
            SocketEvent::WillExpire(in_ms) => {
                self.warn_at = None;
                self.say(&TokenNews {
                    state: "will_expire",
                    in_ms: Some(in_ms),
                    reason: None,
                })
                .await
            }
            SocketEvent::Expired => {
                return SocketOutcome::End(code::EXPIRED, "the token has expired");
            }
            SocketEvent::Quiet if self.heard.elapsed() >= self.app.bounds.silence => Err(PeerLost),
            SocketEvent::Quiet => {
                self.pinged = Instant::now();
                self.send(Message::Ping(axum::body::Bytes::new())).await
            }
            SocketEvent::Replaced => {
                return SocketOutcome::End(
                    code::REPLACED,
                    "a newer connection speaks for this observer",
                );
            }
            SocketEvent::Stop => return SocketOutcome::End(code::AWAY, "the server stops"),
        };
        match done {
            Ok(()) => SocketOutcome::Nothing,
            Err(PeerLost) => SocketOutcome::Gone { in_order: false },
        }
    }

    /// A newer token, good for the same, takes the place of the old one; any other changes nothing.
    async fn renew(&mut self, token: &str) -> Result<(), PeerLost> {
        let AuthContext {
            door,
            scope,
            channel,
            ..
        } = &self.pass;
        let admitted = door.admit(Some(token), *scope, channel.as_deref(), self.app.now());
        let news = match admitted {
            Ok(access) => {
                self.warn_at = warning(&access, self.app.now());
                self.pass.access = access;
                TokenNews {
                    state: "renewed",
                    in_ms: None,
                    reason: None,
                }
            }
            Err(fault) => TokenNews {
                state: "refused",
                in_ms: None,
                reason: Some(fault.to_string()),
            },
        };
        self.say(&news).await
    }

    /// Says something in JSON.
    ///
    /// # Errors
    /// [`PeerLost`].
    pub async fn say(&mut self, what: &impl Serialize) -> Result<(), PeerLost> {
        let text = serde_json::to_string(what).map_err(|_| PeerLost)?;
        self.send(Message::text(text)).await
    }

    /// Sends a message. A peer that does not take it in time is given up.
    ///
    /// # Errors
    /// [`PeerLost`].
    pub async fn send(&mut self, message: Message) -> Result<(), PeerLost> {
        self.send_all(std::iter::once(message)).await
    }

    /// Sends messages together.
    ///
    /// # Errors
    /// [`PeerLost`].
    pub async fn send_all(
        &mut self,
        messages: impl Iterator<Item = Message>,
    ) -> Result<(), PeerLost> {
        let patience = self.app.bounds.request;
        let SocketSession { socket, over, .. } = self;
        let sent = async {
            for message in messages {
                timeout(patience, socket.feed(message)).await.ok()?.ok()?;
            }
            timeout(patience, socket.flush()).await.ok()?.ok()
        };
        tokio::select! {
            biased;
            () = over.cancelled() => Err(PeerLost),
            sent = sent => sent.ok_or(PeerLost),
        }
    }

    /// Says farewell, and waits a moment for the peer's: what it still sends would otherwise undo ours on the way.
    pub async fn close(mut self, code: u16, reason: &'static str) {
        let frame = CloseFrame {
            code,
            reason: reason.into(),
        };
        let farewell = async {
            if self.socket.send(Message::Close(Some(frame))).await.is_ok() {
                while let Some(Ok(_)) = self.socket.recv().await {}
                // Nothing is read behind an error, but what is closed on unread bytes takes our farewell with it.
                let errors = [code::NO_PROTOCOL, code::NO_TEXT, code::TOO_LARGE];
                if errors.contains(&code) {
                    std::future::pending().await
                }
            }
        };
        // A peer that says none has had its time. One that is too slow has more to take before it.
        let most = if code == code::TOO_SLOW {
            self.app.bounds.request
        } else {
            FAREWELL_MAX
        };
        let _ = timeout(most, farewell).await;
    }
}

/// What has been heard; `None`: the connection is gone.
fn heard(message: Option<Result<Message, axum::Error>>) -> SocketEvent {
    match message {
        None => SocketEvent::Message(None),
        Some(Ok(message)) => SocketEvent::Message(Some(message)),
        Some(Err(error)) => match broken(error) {
            Some((code, reason)) => SocketEvent::Broken(code, reason),
            None => SocketEvent::Message(None),
        },
    }
}

/// The code and reason for an error that is the peer's; `None` where it is only gone.
fn broken(error: axum::Error) -> Option<(u16, &'static str)> {
    use tokio_tungstenite::tungstenite::Error;
    use tokio_tungstenite::tungstenite::error::ProtocolError;
    match error.into_inner().downcast_ref()? {
        Error::Capacity(_) => Some((code::TOO_LARGE, "the message is too large")),
        Error::Utf8(_) => Some((code::NO_TEXT, "the text is not UTF-8")),
        Error::Protocol(
            ProtocolError::ResetWithoutClosingHandshake | ProtocolError::ReceivedAfterClosing,
        ) => None,
        Error::Protocol(_) => Some((code::NO_PROTOCOL, "that is no WebSocket")),
        _ => None,
    }
}

/// When a peer is told that its token will expire. One that is shorter than the warning ahead is used for half of what
/// is left of it: who renews it at each warning would else be warned again at once, for ever.
fn warning(access: &Access, now: Millis) -> Option<Millis> {
    let at = access.expires_at()?;
    let left = at.saturating_sub(now).max(0);
    let ahead = if left < limits::TOKEN_WARNING_MS {
        left / 2
    } else {
        limits::TOKEN_WARNING_MS
    };
    Some(at.saturating_sub(ahead))
}

/// The token of a message that is `{"t":"renew","token":…}` and nothing else.
fn renewal(text: &str) -> Option<String> {
    if !text.contains("\"renew\"") {
        return None;
    }
    let renew: Renew = serde_json::from_str(text).ok()?;
    (renew.t == "renew").then_some(renew.token)
}
