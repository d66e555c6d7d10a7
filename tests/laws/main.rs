//! Laws, checked on arbitrary feeds of all shapes and rules.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing, missing_docs)]

mod live;
mod log;
mod people;
mod pruned;
mod replay;
mod retention;
mod rosters;
mod rules;
mod sealed;
mod store;
mod timeline;

use rollbook_support::feeds::Tape;

/// The example of the README.
fn evening() -> Tape {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/examples/weak-network-evening.jsonl"
    );
    Tape::of_text(&std::fs::read_to_string(path).unwrap())
}
