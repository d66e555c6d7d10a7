//! Shared by the test programs and the fuzz targets: stores, feeds, servers, the program as a child process, the
//! model. Helpers that only one test program needs are in that program.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing, clippy::new_without_default, missing_docs)]

pub mod answers;
pub mod certificates;
pub mod desk;
pub mod engine;
pub mod feeds;
pub mod fuzzed;
pub mod mock;
pub mod model;
pub mod parts;
pub mod program;
pub mod pruned;
pub mod recording;
pub mod reference;
pub mod reliability;
pub mod server;
pub mod serving;
mod shapes;
pub mod stores;
pub mod traced;

use rollbook::ingest::{IngestOptions, IngestOutcome, ingest, source::Source};
use rollbook::query::HistoryFilter;
use rollbook::query::answer::HistoryEntry;
use rollbook::{Options, Store};
use std::io::Write;
use std::path::PathBuf;

/// Options with a clock that stands still, so that times are known.
pub fn options() -> Options {
    Options::default().clock(|| 1_800_000_000_000)
}

/// A store in memory that has ingested these lines.
pub fn store_of(lines: &str) -> Store {
    let store = Store::in_memory(options()).unwrap();
    take(&store, lines, &IngestOptions::default());
    store
}

/// Ingests lines.
pub fn take(store: &Store, lines: &str, how: &IngestOptions) -> IngestOutcome {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(lines.as_bytes()).unwrap();
    ingest(store, Source::open(file.path()).unwrap(), how, &mut ()).unwrap()
}

/// All entries.
pub fn history(store: &Store) -> Vec<HistoryEntry> {
    let entries = store.history(&HistoryFilter::default()).unwrap();
    entries.collect::<Result<_, _>>().unwrap()
}

/// The folder of data outside the repository that an environment variable names. A test that needs it is
/// `#[ignore]`d, so that it cannot pass without the data; `.ci/run` runs it where the data is.
pub fn data(variable: &str) -> PathBuf {
    let folder = std::env::var_os(variable);
    folder
        .unwrap_or_else(|| panic!("{variable} is not set"))
        .into()
}
