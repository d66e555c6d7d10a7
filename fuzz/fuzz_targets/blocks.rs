//! See `tests/support/fuzzed/blocks.rs`, which `tests/corpus.rs` runs as well.
#![no_main]

use rollbook_support::fuzzed::blocks;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| blocks::blocks(bytes));
