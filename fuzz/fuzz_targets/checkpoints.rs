//! See `tests/support/fuzzed/checkpoints.rs`, which `tests/corpus.rs` runs as well.
#![no_main]

#[path = "../../tests/support/fuzzed/checkpoints.rs"]
mod checkpoints;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checkpoints::checkpoints(bytes));
