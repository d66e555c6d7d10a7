//! What survives: a program that is killed at any moment loses no acknowledged line; damaged, missing, old and
//! foreign files are reported.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod damaged;
mod exchanged;
mod ingest;
mod repair;
#[cfg(all(feature = "client", feature = "server", target_os = "linux"))]
mod serve;
#[cfg(all(feature = "client", feature = "server", target_os = "linux"))]
mod sources;
mod upkeep;
