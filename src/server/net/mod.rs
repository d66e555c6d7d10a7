//! Connections, before anybody knows what they are for: listeners, TLS, the owner's socket, WebSockets, and each
//! client's share of the places and of the time.
//!
//! | file | what |
//! | --- | --- |
//! | `listen`, `tls` | accepts connections over TCP and TLS, and serves them until the server stops |
//! | [`socket`] | the owner's socket: its file, and who may open it |
//! | `shared` | the clock, limits, metrics and the stop signal, which all connections share |
//! | `upgrade` | upgrades to WebSockets, with the sizes of their buffers |
//! | `session` | the common part of all sockets: pings, renewals of tokens, the close handshake |
//! | `connection_log` | what the log says of a socket or stream |
//! | `crowd` | clients, and limited numbers of places for them |
//! | `patience` | time limits for slow clients |
//!
//! Nothing here calls the store, or knows lines, entries or routes. Of [`access`](super::access) the sessions know what a
//! token allows, since it may expire or be renewed while a socket is open.

pub(super) mod connection_log;
pub(super) mod crowd;
pub(super) mod listen;
pub(super) mod patience;
pub(super) mod session;
pub(super) mod shared;
pub mod socket;
pub mod tls;
pub(super) mod upgrade;
