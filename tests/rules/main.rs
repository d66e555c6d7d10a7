//! The rules of the contract, case by case: one subject a file.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing, missing_docs)]

mod attendance;
mod connections;
mod counts;
mod late;
mod live;
mod order;
mod own_list;
mod pages;
mod people;
mod resync;
mod snapshot;
mod told;
mod unfit;
mod watch;
mod who;
mod windows;
