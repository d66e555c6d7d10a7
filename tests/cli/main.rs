//! The command line from the outside: one subject in each file.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing, missing_docs)]

mod answers;
mod attendance;
mod backup;
mod bench;
mod commands;
mod export;
mod files;
mod forget;
mod help;
mod hostile;
mod ingest;
mod input;
mod output;
mod readme;
mod rejects;
mod replay;
mod resume;
mod retention;
mod settings;
mod snapshots;
mod timeline;
mod times;
mod trace;
mod unfit;
mod zones;
