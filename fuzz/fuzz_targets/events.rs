//! See `tests/support/fuzzed/events.rs`, which `tests/corpus.rs` runs as well.
#![no_main]

use rollbook_support::fuzzed::events;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| events::events(bytes));
