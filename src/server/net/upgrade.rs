//! WebSocket upgrades with buffer and message sizes. Ten thousand idle sockets must fit into little memory.

use crate::limits;
use crate::server::api_error::ApiError;
use axum::extract::FromRequestParts;
use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::http::request::Parts;
use axum::response::Response;
use std::future::Future;

/// A request to upgrade to a WebSocket.
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

/// Bytes gathered before a write.
const WRITE_BYTES: usize = 16 << 10;

/// Which side sends the data on a socket.
#[derive(Clone, Copy)]
pub enum Speaker {
    /// The server; the client sends only small control messages.
    Server,
    /// The client: it sends lines.
    Client,
}

impl Upgrade {
    /// Upgrades to a socket with buffers for the side that sends the data.
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
