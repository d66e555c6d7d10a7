//! Forwards a stream of messages to a socket: the common part of all sockets on which only the server sends data.

use crate::server::access::auth::AuthContext;
use crate::server::api_error::ApiError;
use crate::server::net::session::{SocketOutcome, SocketSession, code};
use axum::extract::ws::Message;

/// A source of messages for a socket.
pub trait MessageStream {
    /// One item of the stream.
    type Said;

    /// Waits for the next item. Cancel-safe.
    ///
    /// # Errors
    /// [`StreamEnd`].
    async fn next(&mut self) -> Result<Self::Said, StreamEnd>;
}

/// Why a stream has ended.
pub enum StreamEnd {
    /// Everything was sent.
    Done,
    /// The reader is too slow.
    TooSlow,
    /// The server stops.
    Closed,
    /// The log cannot be read.
    Failed(ApiError),
}

/// Forwards a stream to a socket until one of them ends; `words` turns an item into messages.
pub async fn forward<S: MessageStream>(
    mut session: SocketSession,
    mut source: S,
    mut words: impl FnMut(&AuthContext, S::Said) -> Vec<Message>,
) {
    let (code, reason) = loop {
        let said = tokio::select! {
            biased;
            event = session.event(true) => match session.meet(event).await {
                SocketOutcome::Nothing | SocketOutcome::Text(_) => continue,
                SocketOutcome::Gone { .. } => return,
                SocketOutcome::End(code, reason) => break (code, reason),
            },
            said = source.next() => said,
        };
        match said {
            Ok(said) => {
                let messages = words(session.pass(), said);
                if session.send_all(messages.into_iter()).await.is_err() {
                    break TOO_SLOW;
                }
            }
            Err(StreamEnd::Done) => break (code::DONE, "all is said"),
            Err(StreamEnd::TooSlow) => break TOO_SLOW,
            Err(StreamEnd::Closed) => break (code::AWAY, "the server stops"),
            Err(StreamEnd::Failed(ApiError::PastRetention { .. })) => {
                break (code::FAILED, "past retention: what comes next was pruned");
            }
            Err(StreamEnd::Failed(fault)) => {
                tracing::error!(event = "request_failed", "{fault}");
                break (code::FAILED, "the log cannot be read");
            }
        }
    };
    // Releases the stream's places before the close handshake.
    drop(source);
    if code == code::TOO_SLOW {
        session.count_as_too_slow();
    }
    session.close(code, reason).await;
}

const TOO_SLOW: (u16, &str) = (code::TOO_SLOW, "too slow");
