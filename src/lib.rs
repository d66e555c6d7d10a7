//! Rollbook: an event-sourced presence store.

#[doc(hidden)]
pub mod cli;
pub mod domain;
pub mod limits;
pub mod query;
