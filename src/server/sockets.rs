//! How sockets begin: sizes of buffers and messages. Ten thousand idle ones must fit into little memory.

use super::api_error::ApiError;
use crate::limits;
use axum::extract::FromRequestParts;
use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::http::request::Parts;
use axum::response::Response;
use std::future::Future;

/// A request to go on as a WebSocket.
pub struct Upgrade(WebSocketUpgrade);

impl<S: Send + Sync> FromRequestParts<S> for Upgrade {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let upgrade = WebSocketUpgrade::from_request_parts(parts, state).await;
        upgrade
            .map(Upgrade)
            .map_err(|_| ApiError::Bad("this is a WebSocket: ask for an upgrade".into()))
    }
}

/// Gathered before it is written.
const WRITE_BYTES: usize = 16 << 10;

/// Who speaks on a socket.
#[derive(Clone, Copy)]
pub enum Speaker {
    /// The server; the client has little to say.
    Server,
    /// The client: a feed.
    Client,
}

impl Upgrade {
    /// Goes on with a socket of the size that fits who speaks on it.
    pub fn with<F>(
        self,
        speaker: Speaker,
        talk: impl FnOnce(WebSocket) -> F + Send + 'static,
    ) -> Response
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (read_bytes, message_bytes) = match speaker {
            Speaker::Server => (4 << 10, limits::CONTROL_BYTES_MAX),
            Speaker::Client => (64 << 10, limits::MESSAGE_BYTES_MAX),
        };
        let upgrade = self.0.write_buffer_size(WRITE_BYTES);
        let upgrade = upgrade.read_buffer_size(read_bytes);
        let upgrade = upgrade.max_message_size(message_bytes);
        upgrade.max_frame_size(message_bytes).on_upgrade(talk)
    }
}
