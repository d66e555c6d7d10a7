//! One WebSocket connection: opened within a time limit, checked with pings, and closed after too long a silence. The
//! content of messages is not known here.

use super::session::LoginRefusal;
use super::token::Token;
use super::transport::{Address, ByteStream, ConnectError};
use crate::limits;
use crate::query::params::{FEED_HEADER, FEED_LIVE, FEED_PLAYED};
use futures_util::{SinkExt, StreamExt};
use hyper::StatusCode;
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::UrlError;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::AUTHORIZATION;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};

/// The close code of a server when the token has expired ([guide](crate::guide::server#close-codes)).
pub const CLOSED_EXPIRED: u16 = 4401;

/// The close code of a side that has sent everything.
pub const CLOSED_DONE: u16 = 1000;

/// Time limits for the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketTimeouts {
    /// The limit for the connection and its handshake.
    pub connect: Duration,
    /// The silence before a ping is sent.
    pub ping: Duration,
    /// The silence after which the connection is given up.
    pub idle: Duration,
}

impl Default for SocketTimeouts {
    fn default() -> Self {
        SocketTimeouts {
            connect: Duration::from_millis(limits::CONNECT_MS_MAX),
            ping: Duration::from_millis(limits::PING_MS),
            idle: Duration::from_millis(limits::SILENCE_MS_MAX),
        }
    }
}

impl SocketTimeouts {
    /// The limits for a given idle time: the ping follows after a third of it.
    #[must_use]
    pub fn idle(idle: Duration) -> SocketTimeouts {
        SocketTimeouts {
            connect: SocketTimeouts::default().connect.min(idle),
            ping: idle / 3,
            idle,
        }
    }
}

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct LoginError {
    /// Whether trying again may help.
    pub refusal: LoginRefusal,
    /// What happened, for people.
    pub why: String,
}

/// What [`Socket::next`] returns.
#[derive(Debug)]
pub enum SocketInput {
    /// A message; it may be binary.
    Message(Bytes),
    /// The connection ended.
    Over(SocketEnd),
}

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketEnd {
    /// The code of the close frame, if there was one.
    pub code: Option<u16>,
    /// What happened, for people.
    pub why: String,
}

/// A WebSocket connection.
pub struct Socket {
    stream: WebSocketStream<Box<dyn ByteStream>>,
    patience: SocketTimeouts,
    plays: bool,
    renews: bool,
    heard_at: Instant,
    pinged: bool,
}

impl Socket {
    /// Connects and logs in.
    ///
    /// # Errors
    /// [`LoginError`].
    pub async fn log_in(
        address: &Address,
        token: Option<&Token>,
        patience: SocketTimeouts,
    ) -> Result<Socket, LoginError> {
        let slow = |_| LoginError {
            refusal: LoginRefusal::Away,
            why: format!("no answer within {:?}", patience.connect),
        };
        let connecting = async {
            let mut request = address.uri().into_client_request().map_err(refused)?;
            if let Some(token) = token {
                let value = HeaderValue::from_str(&token.bearer());
                let mut value = value.map_err(|error| refused(Error::from(error)))?;
                value.set_sensitive(true);
                request.headers_mut().insert(AUTHORIZATION, value);
            }
            let config = WebSocketConfig::default()
                .max_message_size(Some(limits::MESSAGE_BYTES_MAX))
                .max_frame_size(Some(limits::MESSAGE_BYTES_MAX));
            let stream = address.connect().await.map_err(|error| LoginError {
                refusal: match error {
                    ConnectError::Away(_) => LoginRefusal::Away,
                    ConnectError::Untrusted(_) | ConnectError::Plain => LoginRefusal::Untrusted,
                },
                why: error.to_string(),
            })?;
            let joined = tokio_tungstenite::client_async_with_config(request, stream, Some(config));
            joined.await.map_err(refused)
        };
        let (stream, response) = timeout(patience.connect, connecting)
            .await
            .map_err(slow)??;
        let kind = response.headers().get(FEED_HEADER);
        let is = |word: &str| kind.is_some_and(|kind| kind == word);
        Ok(Socket {
            stream,
            patience,
            plays: is(FEED_PLAYED),
            renews: is(FEED_LIVE),
            heard_at: Instant::now(),
            pinged: false,
        })
    }

    /// Whether the other side reported that it plays a recording.
    #[must_use]
    pub fn plays(&self) -> bool {
        self.plays
    }

    /// Whether the other side accepts new tokens on this connection, as a Rollbook does.
    #[must_use]
    pub fn renews(&self) -> bool {
        self.renews
    }

    /// The next message. Cancel-safe: a dropped call loses nothing.
    pub async fn next(&mut self) -> SocketInput {
        loop {
            let wait = if self.pinged {
                self.patience.idle
            } else {
                self.patience.ping
            };
            let Ok(next) = timeout_at(self.heard_at + wait, self.stream.next()).await else {
                if self.pinged {
                    let why = format!("nothing was heard for {:?}", self.patience.idle);
                    return SocketInput::Over(SocketEnd { code: None, why });
                }
                self.pinged = true;
                // If the ping cannot be sent, the next read reports why.
                let _ = timeout(
                    self.patience.idle,
                    self.stream.send(Message::Ping(Bytes::new())),
                )
                .await;
                continue;
            };
            self.heard_at = Instant::now();
            self.pinged = false;
            match next {
                Some(Ok(Message::Text(text))) => return SocketInput::Message(text.into()),
                Some(Ok(Message::Binary(bytes))) => return SocketInput::Message(bytes),
                Some(Ok(Message::Close(frame))) => return SocketInput::Over(closed(frame)),
                Some(Ok(_)) => {}
                Some(Err(error)) => {
                    let why = error.to_string();
                    return SocketInput::Over(SocketEnd { code: None, why });
                }
                None => {
                    let why = "the connection is closed".to_owned();
                    return SocketInput::Over(SocketEnd { code: None, why });
                }
            }
        }
    }

    /// Sends a message. Waits while the other side does not read.
    ///
    /// # Errors
    /// How the connection ended.
    pub async fn send(&mut self, text: &str) -> Result<(), SocketEnd> {
        let sent = timeout(self.patience.idle, self.stream.send(Message::text(text))).await;
        let over = |why| SocketEnd { code: None, why };
        match sent {
            Ok(sent) => sent.map_err(|error| over(error.to_string())),
            Err(_) => Err(over("the other side does not read".to_owned())),
        }
    }

    /// Closes the connection, and returns the messages that arrive before the other side closes, too.
    pub async fn log_out(mut self) -> Vec<Bytes> {
        let frame = CloseFrame {
            code: CloseCode::Normal,
            reason: "".into(),
        };
        let mut last = Vec::new();
        let closing = async {
            let mut bytes = 0;
            if self.stream.close(Some(frame)).await.is_err() {
                return;
            }
            while let Some(Ok(message)) = self.stream.next().await
                && bytes < limits::MESSAGE_BYTES_MAX
            {
                if message.is_text() || message.is_binary() {
                    bytes += message.len();
                    last.push(message.into_data());
                }
            }
        };
        let _ = timeout(Duration::from_millis(limits::CLOSE_MS_MAX), closing).await;
        last
    }
}

fn closed(frame: Option<CloseFrame>) -> SocketEnd {
    let Some(frame) = frame else {
        let why = "it was closed without a code".to_owned();
        return SocketEnd { code: None, why };
    };
    let code = u16::from(frame.code);
    let why = match frame.reason.as_str() {
        "" => format!("it was closed with code {code}"),
        reason => format!("it was closed with code {code}: {reason}"),
    };
    SocketEnd {
        code: Some(code),
        why,
    }
}

fn refused(error: Error) -> LoginError {
    let refusal = match &error {
        Error::Http(response) => match response.status() {
            StatusCode::UNAUTHORIZED => LoginRefusal::Token,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => LoginRefusal::Away,
            status if status.is_client_error() => LoginRefusal::Wrong,
            _ => LoginRefusal::Away,
        },
        Error::Url(UrlError::TlsFeatureNotEnabled) | Error::Io(_) => LoginRefusal::Away,
        Error::Url(_) | Error::HttpFormat(_) => LoginRefusal::Wrong,
        _ => LoginRefusal::Away,
    };
    let why = match &error {
        Error::Http(response) => {
            let said = response.body().as_deref().map(String::from_utf8_lossy);
            let said = said.unwrap_or_default();
            let said = said.lines().next().unwrap_or_default().trim();
            match said {
                "" => format!("it answers {}", response.status()),
                said => format!("it answers {}: {said}", response.status()),
            }
        }
        error => error.to_string(),
    };
    LoginError { refusal, why }
}
