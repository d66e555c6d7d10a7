//! Rollbook: an event-sourced presence store.

pub mod domain;
pub mod limits;
pub mod log;
