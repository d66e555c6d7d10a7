//! The client: follows and records a feed, and queries a server. What a line means for the log is decided by the
//! store, not here.
//!
//! | file | what |
//! | --- | --- |
//! | `session` | when to log in and out, and what to record about it: pure |
//! | `record` | executes the actions of `session` |
//! | `sink`, `recorder` | where the lines of a feed go; lines into a store |
//! | `follow` | a server's entries as they come |
//! | `backoff` | how long to wait before the next attempt: pure |
//! | `remote` | a server, queried over HTTP |
//! | `owner` | what the owner of a store asks the process that has it open |
//! | `token` | where access tokens come from |
//! | `socket` | one WebSocket connection |
//! | `forwarder` | lines into another server |
//! | `transport` | addresses, and byte streams to them: TCP, TLS, Unix sockets |

#[doc(hidden)]
pub mod backoff;
#[doc(hidden)]
pub mod follow;
#[doc(hidden)]
pub mod forwarder;
#[doc(hidden)]
pub mod owner;
#[doc(hidden)]
pub mod record;
#[doc(hidden)]
pub mod recorder;
#[doc(hidden)]
pub mod remote;
#[doc(hidden)]
pub mod session;
#[doc(hidden)]
pub mod sink;
#[doc(hidden)]
pub mod socket;
#[doc(hidden)]
pub mod token;
#[doc(hidden)]
pub mod transport;

pub use remote::{RemoteError, ServerClient};
pub use token::{Token, TokenError};
pub use transport::{Address, AddressError};
