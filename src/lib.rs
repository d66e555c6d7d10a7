//! Rollbook: an event-sourced presence store.

pub mod domain;
pub mod feed;
pub mod limits;
