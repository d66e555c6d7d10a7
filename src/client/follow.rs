//! A server's entries as they come: those after a position, and then the new ones; none missing and none twice, however
//! often the connection is lost on the way.

use super::backoff::Backoff;
use super::remote::question;
use super::session::LoginRefusal;
use super::socket::{LoginError, Socket, SocketInput, SocketTimeouts};
use super::token::Token;
use super::transport::{Address, AddressError};
use crate::query::answer::HistoryEntry;
use crate::query::params::SubscribeParams;
use serde::Deserialize;
use std::time::Duration;

/// Why entries are not followed any more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FollowError {
    /// The server cannot be asked.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// It does not let us in.
    #[error("no connection to {address}: {error}")]
    Refused {
        /// The server.
        address: String,
        /// Why not.
        error: LoginError,
    },
}

/// What comes.
#[derive(Debug)]
pub enum FollowItem<'a> {
    /// An entry.
    Entry(Box<HistoryEntry>),
    /// All that there was has come; what comes now is new.
    Live,
    /// The connection is lost, or there is none yet: what happened.
    Away(&'a str),
}

/// Gives what comes to `each`, until that returns `false`.
///
/// # Errors
/// [`FollowError`]; a server that is away is waited for.
pub async fn follow(
    server: &Address,
    token: Option<&Token>,
    mut from: SubscribeParams,
    mut rests: Backoff,
    each: &mut dyn FnMut(FollowItem<'_>) -> bool,
) -> Result<(), FollowError> {
    loop {
        let address = server.under("ws", &question("subscribe", &from))?;
        let why = match Socket::log_in(&address, token, SocketTimeouts::default()).await {
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
                                // What was not shown need not be looked at again.
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
            Err(error) if error.refusal == LoginRefusal::Away => {
                rests.count(false);
                error.why
            }
            Err(error) => {
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

enum FollowMessage {
    Entry(Box<HistoryEntry>),
    Live(u64),
}

/// What a message says; nothing where it is about the connection itself.
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
