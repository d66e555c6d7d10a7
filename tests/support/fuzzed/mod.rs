//! What each fuzz target does with any bytes. `fuzz/` runs it on bytes that it makes up, `tests/corpus.rs` on those that
//! are kept. No file here may write into the repository.

pub mod bodies;
pub mod checkpoints;
pub mod events;
pub mod feed;
pub mod frames;
