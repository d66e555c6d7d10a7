//! See `tests/support/fuzzed/feed.rs`, which `tests/corpus.rs` runs as well.
#![no_main]

#[path = "../../tests/support/fuzzed/feed.rs"]
mod feed;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| feed::feed(bytes));
