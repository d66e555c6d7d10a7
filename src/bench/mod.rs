//! Measures what Rollbook does on this machine. Beside each figure stands a limit that no store can beat: the bytes
//! of the same lines appended to a bare file, with a CRC32C and one fdatasync for each batch. The file takes turns
//! with the store, so that both use the same disk. Seeds are fixed: every run does the same work.
//!
//! | file | what |
//! | --- | --- |
//! | `load` | the lines; the benchmarks in `benches/` use them, too |
//! | `works` | the measured works of a store, one function each |
//! | `live` | a line's way through a server to a subscriber |
//! | `bare` | the bare file |
//! | `clock` | latencies and their percentiles |

mod bare;
mod clock;
#[cfg(all(feature = "client", feature = "server"))]
mod live;
#[doc(hidden)]
pub mod load;
mod works;

use crate::export::record::ExportRow;
use crate::export::schema::{self, TableSchema};
use crate::store::{Durability, RecordError, StoreError};
use serde::Serialize;
use std::path::Path;
use tempfile::TempDir;

/// How much work a run does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Lines that are recorded one by one.
    pub single_lines: usize,
    /// The number of batches that are recorded.
    pub batches: usize,
    /// Lines in a batch.
    pub batch_lines: usize,
    /// The number of channels of the load.
    pub channels: usize,
    /// The number of publishers of the large channel.
    pub publishers: usize,
    /// The number of snapshots of the large channel.
    pub snapshots: usize,
    /// How many times the log is replayed.
    pub replays: usize,
    /// The number of questions about the present.
    pub questions: usize,
    /// The number of questions about random moments.
    pub moments: usize,
}

impl Sizes {
    /// Large enough for published figures: about a minute.
    pub const FULL: Sizes = Sizes {
        single_lines: 5_000,
        batches: 400,
        batch_lines: 1_000,
        channels: 1_000,
        publishers: 100_000,
        snapshots: 40,
        replays: 5,
        questions: 5_000,
        moments: 200,
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
        moments: 20,
    };
}

/// How fast lines are sent, and how many.
#[cfg(all(feature = "client", feature = "server"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineFlow {
    /// Lines per second. Each line is sent at its time, whatever has happened to the lines before it.
    pub per_second: u32,
    /// Lines in all.
    pub lines: usize,
}

#[cfg(all(feature = "client", feature = "server"))]
impl LineFlow {
    /// Large enough for published figures: less than a minute.
    pub const FULL: LineFlow = LineFlow {
        per_second: 1_000,
        lines: 20_000,
    };
    /// A first impression: a few seconds.
    pub const QUICK: LineFlow = LineFlow {
        per_second: 1_000,
        lines: 2_000,
    };
}

/// One figure with its setting, so that it can be read alone.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// What was measured.
    #[serde(flatten)]
    pub work: Work,
    /// Where it was measured.
    #[serde(flatten)]
    pub setting: Setting,
}

impl ExportRow for Figure {
    const TABLE: &'static TableSchema = &schema::BENCH;
}

/// The setting in which figures were taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// What an acknowledged line survives.
    pub durability: &'static str,
    /// The program's version.
    pub version: &'static str,
    /// Whether the build is optimised. Figures of an unoptimised build say little.
    pub optimised: bool,
    /// The machine on which it ran.
    pub machine: Machine,
}

impl Setting {
    fn of(durability: Durability) -> Setting {
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").ok();
        Setting {
            durability: durability.name(),
            version: env!("CARGO_PKG_VERSION"),
            optimised: !cfg!(debug_assertions),
            machine: Machine {
                cores: std::thread::available_parallelism().map_or(1, usize::from),
                system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
                kernel: kernel.map(|kernel| kernel.trim().to_owned()),
            },
        }
    }
}

/// The machine on which figures were taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// Cores that this process may use.
    pub cores: usize,
    /// Operating system and architecture.
    pub system: String,
    /// The kernel's release, if it is known.
    pub kernel: Option<String>,
}

/// What was done, and how long it took.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Work {
    /// What was done.
    pub work: String,
    /// What is counted.
    pub unit: &'static str,
    /// How many were done.
    pub count: u64,
    /// How many were done per second.
    pub per_second: f64,
    /// How many the bare file did per second.
    pub bare_per_second: Option<f64>,
    /// How long one took; or one batch, where they come in batches.
    pub latency: Latency,
    /// The latency of the bare file.
    pub bare_latency: Option<Latency>,
    /// Bytes that each has on the disk afterwards.
    pub bytes_each: Option<f64>,
}

/// Percentiles, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Latency {
    /// At least half took no longer.
    pub p50_us: f64,
    /// At least 90 % took no longer.
    pub p90_us: f64,
    /// At least 99 % took no longer.
    pub p99_us: f64,
    /// At least 99.9 % took no longer.
    pub p999_us: f64,
    /// The longest.
    pub max_us: f64,
}

/// Why a bench gave no figures.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BenchError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The bare file or the bench's folder could not be written.
    #[error("the bench's folder: {0}")]
    File(#[from] std::io::Error),
    /// The load cannot be parsed: a bug in Rollbook.
    #[error("the load is no feed: {0}")]
    Load(String),
    /// The server or a client failed, or the connection broke off.
    #[error("the bench's server: {0}")]
    Live(String),
    /// The listener stopped the bench.
    #[error("the bench was stopped")]
    Stopped,
}

impl From<RecordError> for BenchError {
    fn from(error: RecordError) -> BenchError {
        BenchError::Store(error.into())
    }
}

/// What a listener of the bench receives.
#[derive(Debug)]
pub enum BenchEvent<'a> {
    /// This work begins, or continues.
    Begins(&'a str),
    /// A work is done, and this is its figure.
    Measured(Box<Figure>),
}

/// Receives the events of a bench. It stops the bench by returning `false`.
pub type BenchListener<'a> = &'a mut dyn FnMut(BenchEvent<'_>) -> bool;

/// Measures all works of a store in a new folder inside `place`, and removes the folder afterwards. Each figure is
/// reported as soon as it is taken.
///
/// # Errors
/// [`BenchError`] when the store, the folder or the load fails, or when the listener returns `false`.
pub fn bench(
    place: &Path,
    sizes: &Sizes,
    durability: Durability,
    onlooker: BenchListener<'_>,
) -> Result<(), BenchError> {
    works::all(&mut BenchRun::new(place, durability, onlooker)?, sizes)
}

/// Measures how lines are recorded by a server and delivered to a subscriber, over WebSockets on this machine. The
/// time runs from the moment when a line was due until it is acknowledged, and until the subscriber has it.
///
/// # Errors
/// [`BenchError`] when the store, the folder, the server or a client fails, or when the listener returns `false`.
#[cfg(all(feature = "client", feature = "server"))]
pub fn live(
    place: &Path,
    flow: &LineFlow,
    durability: Durability,
    onlooker: BenchListener<'_>,
) -> Result<(), BenchError> {
    live::all(&mut BenchRun::new(place, durability, onlooker)?, flow)
}

/// One run: its folder, which is removed with it, and its listener.
struct BenchRun<'a> {
    folder: TempDir,
    durability: Durability,
    setting: Setting,
    onlooker: BenchListener<'a>,
}

impl<'a> BenchRun<'a> {
    fn new(
        place: &Path,
        durability: Durability,
        onlooker: BenchListener<'a>,
    ) -> Result<Self, BenchError> {
        let mut folder = tempfile::Builder::new();
        Ok(BenchRun {
            folder: folder.prefix(".rollbook-bench-").tempdir_in(place)?,
            durability,
            setting: Setting::of(durability),
            onlooker,
        })
    }

    fn begins(&mut self, work: &str) -> Result<(), BenchError> {
        self.tell(BenchEvent::Begins(work))
    }

    fn measured(&mut self, work: Work) -> Result<(), BenchError> {
        let setting = self.setting.clone();
        self.tell(BenchEvent::Measured(Box::new(Figure { work, setting })))
    }

    fn tell(&mut self, news: BenchEvent<'_>) -> Result<(), BenchError> {
        match (self.onlooker)(news) {
            true => Ok(()),
            false => Err(BenchError::Stopped),
        }
    }
}
