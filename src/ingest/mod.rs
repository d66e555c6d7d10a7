//! Sources, line by line, into a store. What a line says is `feed`'s business, what follows from it the store's.

pub mod line;
mod retry;
mod run;
pub mod source;
mod summary;

pub use retry::retry;
pub use run::{How, IngestError, Outcome, Watcher, ingest};
pub use summary::IngestSummary;
