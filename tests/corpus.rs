//! Runs the stored corpus of the fuzz targets (`fuzz/`) as the fuzzer would: no old bug may come back.
#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing, missing_docs)]

use rollbook_support::fuzzed::{blocks, bodies, checkpoints, events, feed, frames};
use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// The folder of the corpus.
const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus");
/// Larger than any single allocation that a small file needs.
const ALLOCATION_MAX: usize = 32 << 20;
/// The largest single allocation so far.
static LARGEST: AtomicUsize = AtomicUsize::new(0);

struct Watched;

#[global_allocator]
static ALLOCATOR: Watched = Watched;

// Notices a large allocation that a few bytes of input cause. No other test sees it: unwritten memory costs nothing.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        LARGEST.fetch_max(size, Ordering::Relaxed);
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { System.dealloc(at, layout) }
    }
}

/// The number of panics on all threads. A server catches the panics of its tasks, but they must not happen.
static PANICS: AtomicU64 = AtomicU64::new(0);
static ONE: Mutex<()> = Mutex::new(());

/// Runs every file of a target's corpus.
fn run(target: &str, body: fn(&[u8])) {
    let _one_at_a_time = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICS.fetch_add(1, Ordering::SeqCst);
        told(panic);
    }));
    let folder = Path::new(CORPUS).join(target);
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{}", folder.display());
    for file in files {
        let done = std::panic::catch_unwind(|| body(&std::fs::read(&file).unwrap()));
        let panics = PANICS.swap(0, Ordering::SeqCst);
        assert!(done.is_ok() && panics == 0, "{}", file.display());
        let largest = LARGEST.swap(0, Ordering::SeqCst);
        assert!(largest <= ALLOCATION_MAX, "{}: {largest}", file.display());
    }
}

#[test]
fn feed() {
    run("feed", feed::feed);
}

#[test]
fn frames() {
    run("frames", frames::frames);
}

#[test]
fn checkpoints() {
    run("checkpoints", checkpoints::checkpoints);
}

#[test]
fn blocks() {
    run("blocks", blocks::blocks);
}

#[test]
fn bodies() {
    run("bodies", bodies::bodies);
}

#[test]
fn events() {
    run("events", events::events);
}

#[test]
#[ignore = "writes the corpus anew, for a new version of checkpoints, frames or blocks"]
fn write_seeds() {
    for (path, seed) in checkpoints::seeds().into_iter().chain(blocks::seeds()) {
        std::fs::write(Path::new(CORPUS).join(path), seed).unwrap();
    }
}
