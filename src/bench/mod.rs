//! What a Rollbook does on this machine, and beside each figure that nothing can beat it: the bytes of the same lines to
//! the end of a bare file, a CRC32C and one fdatasync a batch. The file takes turns with the store, so that both meet
//! the same disk. Seeds are fixed: every run does the same work.
//!
//! | file | what |
//! | --- | --- |
//! | `load` | the lines; the benchmarks in `benches/` use them, too |
//! | `works` | the works, one a function |
//! | `clock` | latencies, and what is made of them |
mod clock;
#[doc(hidden)]
pub mod load;
mod works;

use crate::export::record::Record;
use crate::store::{Durability, StoreError};
use serde::Serialize;
use std::path::Path;

/// How much is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Sizes {
    /// Lines that are recorded one by one.
    pub single_lines: usize,
    /// Batches that are recorded.
    pub batches: usize,
    /// Lines in a batch.
    pub batch_lines: usize,
    /// Channels of the load.
    pub channels: usize,
    /// Publishers of the large channel.
    pub publishers: usize,
    /// Snapshots of it.
    pub snapshots: usize,
    /// Times that the log is replayed.
    pub replays: usize,
    /// Questions of each kind.
    pub questions: usize,
}

impl Sizes {
    /// What is worth publishing: a minute or so.
    pub const FULL: Sizes = Sizes {
        single_lines: 5_000,
        batches: 400,
        batch_lines: 1_000,
        channels: 1_000,
        publishers: 100_000,
        snapshots: 40,
        replays: 5,
        questions: 5_000,
    };
    /// A first impression: a few seconds.
    pub const QUICK: Sizes = Sizes {
        single_lines: 100,
        batches: 10,
        batch_lines: 1_000,
        channels: 100,
        publishers: 2_000,
        snapshots: 4,
        replays: 1,
        questions: 100,
    };
}

/// The answer of `bench`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bench {
    /// The program's version.
    pub version: &'static str,
    /// An optimised build; figures of another one say little.
    pub optimised: bool,
    /// What an acknowledged line survives.
    pub durability: &'static str,
    /// Where it ran.
    pub machine: Machine,
    /// How much was done.
    pub sizes: Sizes,
    /// The works, in the order in which they were done.
    pub works: Vec<Work>,
}

impl Record for Bench {
    const COLUMNS: &'static [&'static str] = &[
        "version",
        "optimised",
        "durability",
        "machine",
        "sizes",
        "works",
    ];
}

/// Where it ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// Cores that this process may use.
    pub cores: usize,
    /// Operating system and architecture.
    pub system: String,
    /// The kernel's release, where that can be told.
    pub kernel: Option<String>,
}

/// One figure.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Work {
    /// What was done.
    pub work: String,
    /// What is counted.
    pub unit: &'static str,
    /// How many.
    pub count: u64,
    /// How many a second.
    pub per_second: f64,
    /// How many a second the bare file did.
    pub bare_per_second: Option<f64>,
    /// How long one took, or one batch where they come in batches.
    pub latency: Latency,
    /// The same of the bare file.
    pub bare_latency: Option<Latency>,
}

/// Percentiles, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Latency {
    /// Half took no longer.
    pub p50_us: f64,
    /// Nine in ten.
    pub p90_us: f64,
    /// All but one in a hundred.
    pub p99_us: f64,
    /// All but one in a thousand.
    pub p999_us: f64,
}

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BenchError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The bare file, or the folder for both, could not be written.
    #[error("the bench's folder: {0}")]
    File(#[from] std::io::Error),
    /// The load cannot be read: a bug of ours.
    #[error("the load is no feed: {0}")]
    Load(String),
    /// Whoever looked on wanted no more.
    #[error("the bench was stopped")]
    Stopped,
}

/// Does all works in a new folder inside `place`, and takes it away again. `progress` is told each work before it begins;
/// it ends the bench by returning `false`.
///
/// # Errors
/// [`BenchError`].
pub fn bench(
    place: &Path,
    sizes: &Sizes,
    durability: Durability,
    progress: &mut dyn FnMut(&str) -> bool,
) -> Result<Bench, BenchError> {
    let folder = tempfile::Builder::new()
        .prefix(".rollbook-bench-")
        .tempdir_in(place)?;
    let works = works::all(folder.path(), sizes, durability, progress)?;
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").ok();
    Ok(Bench {
        version: env!("CARGO_PKG_VERSION"),
        optimised: !cfg!(debug_assertions),
        durability: match durability {
            Durability::Power => "power",
            Durability::Process => "process",
            Durability::None => "none",
        },
        machine: Machine {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            kernel: kernel.map(|kernel| kernel.trim().to_owned()),
        },
        sizes: *sizes,
        works,
    })
}
