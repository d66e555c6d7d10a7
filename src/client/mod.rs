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

pub mod backoff;
pub mod follow;
pub mod forwarder;
pub mod owner;
pub mod record;
pub mod recorder;
pub mod remote;
pub mod session;
pub mod sink;
pub mod socket;
pub mod token;
pub mod transport;
