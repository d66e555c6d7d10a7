//! See `tests/support/fuzzed/feed.rs`, which `tests/corpus.rs` runs as well.
#![no_main]

use rollbook_support::fuzzed::feed;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| feed::feed(bytes));
