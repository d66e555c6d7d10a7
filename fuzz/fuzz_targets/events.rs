//! See `tests/support/fuzzed/events.rs`, which `tests/corpus.rs` runs as well.
#![no_main]

#[path = "../../tests/support/fuzzed/events.rs"]
mod events;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| events::events(bytes));
