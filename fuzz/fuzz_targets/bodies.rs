//! See `tests/support/fuzzed/bodies.rs`, which `tests/corpus.rs` runs as well.
#![no_main]

#[path = "../../tests/support/fuzzed/bodies.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::bodies(bytes));
