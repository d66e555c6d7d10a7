//! Laws, checked on arbitrary feeds of all shapes and rules.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing, missing_docs)]

mod live;
mod log;
mod pruned;
mod replay;
mod retention;
mod rules;
mod sealed;
mod store;
