//! Rollbook: an event-sourced presence store.

pub mod care;
#[doc(hidden)]
pub mod cli;
pub mod domain;
pub mod feed;
pub mod ingest;
pub mod limits;
pub mod log;
pub mod query;
pub mod replay;
pub mod store;

pub use store::{Options, Projection, Store, StoreError};
