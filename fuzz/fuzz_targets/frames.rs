//! See `tests/support/fuzzed/frames.rs`, which `tests/corpus.rs` runs as well.
#![no_main]

#[path = "../../tests/support/fuzzed/frames.rs"]
mod frames;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| frames::frames(bytes));
