//! How sockets begin: sizes of buffers and messages. Ten thousand idle ones must fit into little memory.

use super::fault::Fault;
use crate::limits;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{FromRequestParts, ws};
use axum::http::request::Parts;

/// A request to go on as a WebSocket.
pub struct Upgrade(pub ws::WebSocketUpgrade);

impl<S: Send + Sync> FromRequestParts<S> for Upgrade {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
        let upgrade = WebSocketUpgrade::from_request_parts(parts, state).await;
        upgrade
            .map(Upgrade)
            .map_err(|_| Fault::Bad("this is a WebSocket: ask for an upgrade".into()))
    }
}

/// Read at a time from those who have little to say.
const SMALL_READ_BYTES: usize = 4 << 10;
/// Read at a time from a feed.
const LARGE_READ_BYTES: usize = 64 << 10;
/// Gathered before it is written.
const WRITE_BYTES: usize = 16 << 10;

/// A socket on which the server speaks.
pub fn listening(upgrade: WebSocketUpgrade) -> WebSocketUpgrade {
    let upgrade = upgrade
        .read_buffer_size(SMALL_READ_BYTES)
        .write_buffer_size(WRITE_BYTES);
    upgrade
        .max_message_size(limits::CONTROL_BYTES_MAX)
        .max_frame_size(limits::CONTROL_BYTES_MAX)
}

/// A socket on which the client speaks.
pub fn speaking(upgrade: WebSocketUpgrade) -> WebSocketUpgrade {
    let upgrade = upgrade
        .read_buffer_size(LARGE_READ_BYTES)
        .write_buffer_size(WRITE_BYTES);
    upgrade
        .max_message_size(limits::MESSAGE_BYTES_MAX)
        .max_frame_size(limits::MESSAGE_BYTES_MAX)
}
