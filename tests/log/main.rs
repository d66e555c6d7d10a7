//! The log: frames, their chain, and the engines that store them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing, missing_docs)]

mod base;
mod block;
mod chain;
mod chain_fields;
mod frame;
mod frames;
mod journal;
mod records;
