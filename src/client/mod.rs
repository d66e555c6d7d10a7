//! The client: a feed followed and recorded, and a server asked. Nothing here decides what a line means for the log: that is the store's
//! business.
//!
//! | file | what |
//! | --- | --- |
//! | `life` | when to log in and out, and what the log is told of it: pure |
//! | `record` | carries that out |
//! | `sink`, `recorder` | where its lines go; lines into a store |
//! | `follow` | a server's entries as they come |
//! | `rests` | how long to wait before trying again: pure |
//! | `remote` | a server, asked over HTTP |
//! | `owner` | what the owner of a store asks of the process that has it |
//! | `token` | where access tokens come from |
//! | `socket` | one WebSocket connection |
//! | `forwarder` | lines into another server |
//! | `wire` | addresses, and byte streams to them: TCP, TLS, Unix sockets |

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
