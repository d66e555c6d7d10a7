//! Shared by the benchmarks: a load with fixed seeds, stores that have recorded it, and sizes.
#![allow(dead_code)] // each benchmark uses a part of it

pub mod line;

use rollbook::bench::load::Load;
use rollbook::domain::entry::Rules;
use rollbook::feed::{self, Defaults};
use rollbook::store::{Batch, BatchLine, BatchText};
use rollbook::{Options, Store};
use std::path::Path;
use tempfile::TempDir;

/// The program's allocator, so that the benchmarks measure what the program does.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Lines in a batch.
pub const BATCH: usize = 1_000;

/// Chooses a size: `measured` for `cargo bench`, `tried` when a run only checks that everything works
/// (`cargo test --benches`, `cargo bench -- --test`).
pub fn size(measured: usize, tried: usize) -> usize {
    let has = |wanted: &str| std::env::args().any(|arg| arg == wanted);
    if has("--bench") && !has("--test") {
        measured
    } else {
        tried
    }
}

/// A folder beside the build's own files: it is on a disk, while a temporary folder may be in memory.
pub fn folder() -> TempDir {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR"));
    std::fs::create_dir_all(place).unwrap();
    tempfile::tempdir_in(place).unwrap()
}

/// Parses lines into a batch for the writer.
pub fn parsed(lines: &[String]) -> Batch {
    let text = BatchText {
        bytes: lines.join("\n").into_bytes(),
        ..BatchText::default()
    };
    let defaults = Defaults::of("default");
    Batch::read(text, Rules::default(), |text| {
        let lines = text.bytes.split(|&byte| byte == b'\n');
        let event = |line| feed::parse(line, &defaults).unwrap();
        lines
            .map(|line| BatchLine::Event(event(line).into()))
            .collect()
    })
}

/// Records this many lines of the load.
pub fn fill(store: &Store, load: &mut Load, lines: usize) {
    let mut left = lines;
    while left > 0 {
        let batch: Vec<String> = load.take(left.min(BATCH)).collect();
        left -= batch.len();
        let receipt = store.submit(parsed(&batch)).unwrap().wait().unwrap();
        assert_eq!(receipt.rejected, []);
    }
}

/// A store in a folder that holds this many lines of the load, closed and opened again. The caller keeps the folder.
pub fn filled(load: &mut Load, lines: usize) -> (TempDir, Store) {
    let folder = folder();
    let store = Store::open(folder.path(), Options::default()).unwrap();
    fill(&store, load, lines);
    drop(store);
    let store = Store::open(folder.path(), Options::default()).unwrap();
    (folder, store)
}
