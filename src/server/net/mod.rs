//! Connections, before anybody knows what they are for: listeners, TLS, the owner's socket, WebSockets, and each
//! client's share of the places and of the time.
//!
//! | file | what |
//! | --- | --- |
//! | `listen`, `tls` | accepts connections over TCP and TLS, and serves them until the server stops |
//! | [`socket`] | the owner's socket: its file, and who may open it |
//! | `sockets` | upgrades to WebSockets, with the sizes of their buffers |
//! | `session` | the common part of all sockets: pings, renewals of tokens, the close handshake |
//! | `crowd` | clients, and limited numbers of places for them |
//! | `patience` | time limits for slow clients |
//!
//! Nothing here knows lines, entries or routes.

pub(super) mod crowd;
pub(super) mod listen;
pub(super) mod patience;
pub(super) mod session;
pub mod socket;
pub(super) mod sockets;
pub mod tls;
