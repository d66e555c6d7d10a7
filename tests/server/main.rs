//! The server, over real sockets.
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing, missing_docs)]

mod auth;
mod bodies;
mod bounds;
mod crowd;
mod flood;
mod ingest;
mod keys;
mod limits;
mod log;
mod metrics;
mod pages;
mod panics;
mod play;
mod program;
mod queries;
mod reach;
mod refusals;
mod retention;
mod slow;
mod subscribe;
mod writer;
