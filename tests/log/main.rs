//! The log: frames, their chain, and the engines that keep them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing, missing_docs)]

#[path = "../support/frames.rs"]
mod frames;
#[path = "../support/records.rs"]
mod records;

mod chain;
mod chain_fields;
mod frame;
mod journal;
