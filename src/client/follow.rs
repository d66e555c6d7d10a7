//! Follows a server's entries: first those after a position, then the new ones. None is missing and none comes twice,
//! even if the connection is lost in between.

use super::backoff::Backoff;
use super::remote::question;
use super::session::LoginRefusal;
use super::socket::{LoginError, Socket, SocketInput, SocketTimeouts};
use super::token::{TokenError, TokenSource};
use super::transport::{Address, AddressError};
use crate::query::answer::HistoryEntry;
use crate::query::params::SubscribeParams;
use serde::Deserialize;
use std::time::Duration;

/// Why following ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FollowError {
    /// The address cannot be used.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The server refused the login.
    #[error("no connection to {address}: {error}")]
    Refused {
        /// The server's address.
        address: String,
        /// Why the login failed.
        error: LoginError,
    },
}

/// What `follow` passes to its caller.
#[derive(Debug)]
pub enum FollowItem<'a> {
    /// An entry.
    Entry(Box<HistoryEntry>),
    /// All earlier entries were delivered; the following ones are new.
    Live,
    /// The connection is lost, or there is none yet; the text says why.
    Away(&'a str),
}

/// Passes each item to `each`, until `each` returns `false`.
///
/// # Errors
/// [`FollowError`]. A server that is not reachable is not an error, nor is a token that cannot be had: `follow` tries again.
pub async fn follow(
    server: &Address,
    tokens: &TokenSource,
    mut from: SubscribeParams,
    mut rests: Backoff,
    each: &mut dyn FnMut(FollowItem<'_>) -> bool,
) -> Result<(), FollowError> {
    loop {
        let address = server.under("ws", &question("subscribe", &from))?;
        let why = match log_in(&address, tokens).await {
            Ok(mut socket) => loop {
                match socket.next().await {
                    SocketInput::Message(message) => {
                        rests.count(true);
                        let go_on = match read(&message) {
                            Some(FollowMessage::Entry(entry)) => {
                                from.after_seq = entry.seq;
                                each(FollowItem::Entry(entry))
                            }
                            Some(FollowMessage::Live(seq)) => {
                                // The server has scanned up to `seq`: the next connection can start after it.
                                from.after_seq = from.after_seq.max(seq);
                                each(FollowItem::Live)
                            }
                            None => true,
                        };
                        if !go_on {
                            socket.log_out().await;
                            return Ok(());
                        }
                    }
                    SocketInput::Over(over) => break over.why,
                }
            },
            Err(NoSocket::Token(error)) => {
                rests.count(false);
                format!("no token: {error}")
            }
            Err(NoSocket::Login(error)) if error.refusal == LoginRefusal::Away => {
                rests.count(false);
                error.why
            }
            Err(NoSocket::Login(error)) => {
                let address = server.to_string();
                return Err(FollowError::Refused { address, error });
            }
        };
        if !each(FollowItem::Away(&why)) {
            return Ok(());
        }
        let rest = rests.draw().unsigned_abs();
        tokio::time::sleep(Duration::from_millis(rest)).await;
    }
}

/// Why there is no socket.
enum NoSocket {
    Token(TokenError),
    Login(LoginError),
}

/// Logs in, with a token of now.
async fn log_in(address: &Address, tokens: &TokenSource) -> Result<Socket, NoSocket> {
    let token = tokens.take().await.map_err(NoSocket::Token)?;
    let socket = Socket::log_in(address, token.as_ref(), SocketTimeouts::default()).await;
    socket.map_err(NoSocket::Login)
}

enum FollowMessage {
    Entry(Box<HistoryEntry>),
    Live(u64),
}

/// What a message contains; `None` if it is about the connection itself.
fn read(message: &[u8]) -> Option<FollowMessage> {
    #[derive(Deserialize)]
    struct Control {
        t: String,
        seq: Option<u64>,
    }
    match serde_json::from_slice::<Control>(message) {
        Ok(control) if control.t == "live" => control.seq.map(FollowMessage::Live),
        Ok(_) => None,
        Err(_) => serde_json::from_slice(message)
            .ok()
            .map(FollowMessage::Entry),
    }
}
