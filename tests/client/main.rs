//! The client side over real sockets: following, recording, asking and sending.
#![cfg(all(feature = "client", feature = "server"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing, missing_docs)]

mod beside;
mod follow;
mod life;
mod play;
mod record;
mod remote;
mod tls;
mod uplink;
