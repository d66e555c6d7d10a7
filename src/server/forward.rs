//! What comes from somewhere, poured into a socket: the part of all sockets on which only the server speaks.

use super::api_error::ApiError;
use super::app::AuthContext;
use super::session::{SocketOutcome, SocketSession, code};
use axum::extract::ws::Message;

/// Where what is said on a socket comes from.
pub trait MessageStream {
    /// What comes at a time.
    type Said;

    /// What comes next; waits for it. May be given up at any time, and asked again.
    ///
    /// # Errors
    /// [`StreamEnd`].
    async fn next(&mut self) -> Result<Self::Said, StreamEnd>;
}

/// Why nothing more comes.
pub enum StreamEnd {
    /// All is said.
    Done,
    /// The reader is too slow for what comes.
    TooSlow,
    /// The server stops.
    Closed,
    /// The log cannot be read.
    Failed(ApiError),
}

/// Pours what comes into a socket, put into words by `words`, until one of the two ends.
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
            Err(StreamEnd::Failed(fault)) => {
                tracing::error!("{fault}");
                break (code::FAILED, "the log cannot be read");
            }
        }
    };
    // Others need the room.
    drop(source);
    if code == code::TOO_SLOW {
        session.count_as_too_slow();
    }
    session.close(code, reason).await;
}

const TOO_SLOW: (u16, &str) = (code::TOO_SLOW, "too slow");
