//! See `tests/support/fuzzed/bodies.rs`, which `tests/corpus.rs` runs as well.
#![no_main]

use rollbook_support::fuzzed::bodies;
use signal_hook::consts::SIGPIPE;

libfuzzer_sys::fuzz_target!(
    init: {
        // A client that hangs up must not end the fuzzer. What cargo ignores, its children do not.
        let noted = std::sync::Arc::<std::sync::atomic::AtomicBool>::default();
        signal_hook::flag::register(SIGPIPE, noted).expect("a handler of SIGPIPE");
    },
    |bytes: &[u8]| bodies::bodies(bytes)
);
