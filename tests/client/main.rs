//! The client side: what follows, records, asks and sends, over real sockets.
#![cfg(all(feature = "client", feature = "server"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing, missing_docs)]

#[path = "../support/certificates.rs"]
mod certificates;
#[path = "../support/mock.rs"]
mod mock;
#[path = "../support/program.rs"]
mod program;
#[path = "../support/recording.rs"]
mod recording;
#[path = "../support/serving.rs"]
mod serving;

mod beside;
mod follow;
mod life;
mod play;
mod record;
mod remote;
mod tls;
mod uplink;
