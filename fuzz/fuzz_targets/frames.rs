//! See `tests/support/fuzzed/frames.rs`, which `tests/corpus.rs` runs as well.
#![no_main]

use rollbook_support::fuzzed::frames;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| frames::frames(bytes));
