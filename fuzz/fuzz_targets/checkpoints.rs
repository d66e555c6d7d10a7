//! See `tests/support/fuzzed/checkpoints.rs`, which `tests/corpus.rs` runs as well.
#![no_main]

use rollbook_support::fuzzed::checkpoints;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checkpoints::checkpoints(bytes));
