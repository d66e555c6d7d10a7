//! Laws, on arbitrary feeds of all shapes and rules.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing, missing_docs)]

#[path = "../support/desk.rs"]
mod desk;
#[path = "../support/feeds.rs"]
mod feeds;
#[path = "../support/reference.rs"]
mod reference;
#[path = "../support/shapes.rs"]
mod shapes;
#[path = "../support/mod.rs"]
mod support;

mod live;
mod log;
mod replay;
mod rules;
mod store;
