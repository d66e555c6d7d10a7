//! Rollbook: an event-sourced presence store.

pub mod domain;
pub mod feed;
pub mod ingest;
pub mod limits;
pub mod log;
