//! See `tests/support/fuzzed/bodies.rs`, which `tests/corpus.rs` runs as well.
#![no_main]

use rollbook_support::fuzzed::bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bodies::bodies(bytes));
