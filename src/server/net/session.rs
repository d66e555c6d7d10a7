//! The common part of all sockets: the token's lifetime, pings, the server's shutdown, and the close handshake. The
//! data on a socket is not known here.
//!
//! A socket's own code waits for [`SocketSession::event`] besides its own work, and passes the event to
//! [`SocketSession::meet`]. Waiting is cancel-safe, `meet` is not.

use super::connection_log::ConnectionLog;
use super::listen::ConnectionGuard;
use super::shared::NetShared;
use crate::domain::time::Millis;
use crate::limits;
use crate::server::access::auth::{Access, AuthContext};
use crate::server::api_error::ApiError;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use futures_util::{FutureExt, SinkExt};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

/// Close codes: those of RFC 6455, and [those of Rollbook](crate::guide::server#close-codes).
pub mod code {
    /// Everything was sent.
    pub const DONE: u16 = 1000;
    /// The server stops.
    pub const AWAY: u16 = 1001;
    /// A close frame without a code.
    pub const NO_CODE: u16 = 1005;
    /// The peer violated the WebSocket protocol.
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
    /// A newer connection writes for this observer.
    pub const REPLACED: u16 = 4409;
}

/// How long to wait for the peer's close frame.
const FAREWELL_MAX: Duration = Duration::from_secs(2);

/// A socket with its authorization and timers.
pub struct SocketSession {
    socket: WebSocket,
    net: Arc<NetShared>,
    pass: AuthContext,
    /// When to warn the peer that its token will expire; `None`: done, or no expiry.
    warn_at: Option<Millis>,
    heard: Instant,
    pinged: Instant,
    /// Cancelled when a newer connection replaces this one.
    over: CancellationToken,
    log: ConnectionLog,
    /// Counts the connection as open.
    guest: ConnectionGuard,
}

/// An event of a socket.
pub enum SocketEvent {
    /// A message came; `None`: the connection is gone.
    Message(Option<Message>),
    /// The peer broke the protocol or a size limit; with the close code and reason.
    Broken(u16, &'static str),
    /// The token will expire in this many ms.
    WillExpire(Millis),
    /// The token has expired.
    Expired,
    /// Nothing was received for a while.
    Quiet,
    /// A newer connection replaces this one.
    Replaced,
    /// The server stops.
    Stop,
}

/// What remains for the socket's own code to do after an event.
pub enum SocketOutcome {
    /// Nothing.
    Nothing,
    /// A text message from the peer.
    Text(Utf8Bytes),
    /// The peer is gone.
    Gone {
        /// Whether it closed with code 1000.
        in_order: bool,
    },
    /// The socket must end, with this code and reason.
    End(u16, &'static str),
}

/// The peer does not take what is sent, or is gone.
pub struct PeerLost;

/// A message of the server about tokens.
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
    /// A session that has just started.
    #[must_use]
    pub fn new(
        socket: WebSocket,
        net: Arc<NetShared>,
        pass: AuthContext,
        guest: ConnectionGuard,
    ) -> SocketSession {
        let now = Instant::now();
        SocketSession {
            socket,
            log: ConnectionLog::begin(&pass, guest.address()),
            warn_at: warning(&pass.access, net.now()),
            net,
            pass,
            heard: now,
            pinged: now,
            over: CancellationToken::new(),
            guest,
        }
    }

    /// The same session until `over` is cancelled: then it sends only a close frame.
    #[must_use]
    pub fn until(self, over: CancellationToken) -> SocketSession {
        SocketSession { over, ..self }
    }

    /// The authorization from the login or from the last renewal.
    #[must_use]
    pub fn pass(&self) -> &AuthContext {
        &self.pass
    }

    /// Counts a session that ends because the reader was too slow.
    pub fn count_as_too_slow(&self) {
        self.net.metrics.too_slow.inc();
    }

    /// Waits for the next event. `listening`: also read messages. Cancel-safe.
    pub async fn event(&mut self, listening: bool) -> SocketEvent {
        let expires_at = self.pass.access.expires_at();
        let token = async {
            let Some(at) = expires_at else {
                return std::future::pending().await;
            };
            let Some(warn_at) = self.warn_at else {
                self.net.clock.until(at).await;
                return SocketEvent::Expired;
            };
            self.net.clock.until(warn_at).await;
            match at.saturating_sub(self.net.now()) {
                left @ 1.. => SocketEvent::WillExpire(left),
                _ => SocketEvent::Expired,
            }
        };
        tokio::select! {
            biased;
            () = self.net.stop.cancelled() => SocketEvent::Stop,
            () = self.over.cancelled() => SocketEvent::Replaced,
            event = token => event,
            message = self.socket.recv(), if listening => heard(message),
            () = sleep_until(self.heard.max(self.pinged) + self.net.bounds.ping) => SocketEvent::Quiet,
        }
    }

    /// The event for a message that has already arrived, if any.
    pub fn ready(&mut self) -> Option<SocketEvent> {
        self.socket.recv().now_or_never().map(heard)
    }

    /// Handles an event, and returns what remains to do.
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
                        let reason = "the client has closed it";
                        self.log.ends(code.or(Some(code::NO_CODE)), reason);
                        // Sends the close frame that the library has prepared as the answer.
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
            SocketEvent::Quiet if self.heard.elapsed() >= self.net.bounds.silence => {
                self.log.ends(None, "nothing was heard of the client");
                return SocketOutcome::Gone { in_order: false };
            }
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

    /// Replaces the token by a newer one with the same access; an insufficient token changes nothing.
    async fn renew(&mut self, token: &str) -> Result<(), PeerLost> {
        let AuthContext {
            door,
            scope,
            channel,
            ..
        } = &self.pass;
        let admitted = door.admit(Some(token), *scope, channel.as_deref(), self.net.now());
        let news = match admitted {
            Ok(access) => {
                self.warn_at = warning(&access, self.net.now());
                self.pass.access = access;
                TokenNews {
                    state: "renewed",
                    in_ms: None,
                    reason: None,
                }
            }
            Err(fault) => {
                if let ApiError::Unknown(_, why) | ApiError::Lacks(why, _) = &fault {
                    let address = self.guest.address();
                    self.net.metrics.refused(*why, self.pass.route, address);
                }
                TokenNews {
                    state: "refused",
                    in_ms: None,
                    reason: Some(fault.to_string()),
                }
            }
        };
        self.say(&news).await
    }

    /// Sends a message in JSON.
    ///
    /// # Errors
    /// [`PeerLost`].
    pub async fn say(&mut self, what: &impl Serialize) -> Result<(), PeerLost> {
        let text = serde_json::to_string(what).map_err(|_| PeerLost)?;
        self.send(Message::text(text)).await
    }

    /// Sends a message. Fails if the peer does not take it in time.
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
        let patience = self.net.bounds.request;
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

    /// Sends a close frame, and waits briefly for the peer's: unread data from the peer could make it lose ours.
    pub async fn close(mut self, code: u16, reason: &'static str) {
        self.log.ends(Some(code), reason);
        let frame = CloseFrame {
            code,
            reason: reason.into(),
        };
        let farewell = async {
            if self.socket.send(Message::Close(Some(frame))).await.is_ok() {
                while let Some(Ok(_)) = self.socket.recv().await {}
                // Nothing can be read after an error. But closing with unread bytes would lose our close frame: wait.
                let errors = [code::NO_PROTOCOL, code::NO_TEXT, code::TOO_LARGE];
                if errors.contains(&code) {
                    std::future::pending().await
                }
            }
        };
        // A peer that does not answer had enough time. A slow one first has to take what was sent before.
        let most = if code == code::TOO_SLOW {
            self.net.bounds.request
        } else {
            FAREWELL_MAX
        };
        let _ = timeout(most, farewell).await;
    }
}

/// The event for a read result; `None`: the connection is gone.
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

/// The close code and reason for an error of the peer; `None` if the peer is only gone.
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

/// When to warn a peer that its token will expire. If less time is left than the usual warning time, half of it is
/// used first. Otherwise a client that renews at each warning would be warned again at once, without end.
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

/// The token of a `{"t":"renew","token":…}` message.
fn renewal(text: &str) -> Option<String> {
    if !text.contains("\"renew\"") {
        return None;
    }
    let renew: Renew = serde_json::from_str(text).ok()?;
    (renew.t == "renew").then_some(renew.token)
}
