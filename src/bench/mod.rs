//! What a Rollbook does on this machine, and beside each figure that nothing can beat it: the bytes of the same lines
//! to the end of a bare file, a CRC32C and one fdatasync a batch. The file takes turns with the store, so that both
//! meet the same disk. Seeds are fixed: every run does the same work.
//!
//! | file | what |
//! | --- | --- |
//! | `load` | the lines; the benchmarks in `benches/` use them, too |
//! | `works` | the works of a store, one a function |
//! | `live` | a line's way through a server to a subscriber |
//! | `bare` | the bare file |
//! | `clock` | latencies, and what is made of them |

mod bare;
mod clock;
#[cfg(all(feature = "client", feature = "server"))]
mod live;
#[doc(hidden)]
pub mod load;
mod works;

use crate::export::record::ExportRow;
use crate::store::{Durability, StoreError};
use serde::Serialize;
use std::path::Path;
use tempfile::TempDir;

/// How much is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// Questions about now.
    pub questions: usize,
    /// Questions about random moments.
    pub moments: usize,
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

/// How steadily lines come, and how many.
#[cfg(all(feature = "client", feature = "server"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineFlow {
    /// Lines a second, each sent in its time whatever has become of those before it.
    pub per_second: u32,
    /// Lines in all.
    pub lines: usize,
}

#[cfg(all(feature = "client", feature = "server"))]
impl LineFlow {
    /// What is worth publishing: less than a minute.
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

/// One figure, with where it was taken: it can be read alone.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// What was measured.
    #[serde(flatten)]
    pub work: Work,
    /// On what.
    #[serde(flatten)]
    pub setting: Setting,
}

impl ExportRow for Figure {
    const COLUMNS: &'static [&'static str] = &[
        "work",
        "unit",
        "count",
        "per_second",
        "bare_per_second",
        "latency",
        "bare_latency",
        "durability",
        "version",
        "optimised",
        "machine",
    ];
}

/// On what figures were taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// What an acknowledged line survives.
    pub durability: &'static str,
    /// The program's version.
    pub version: &'static str,
    /// An optimised build; figures of another one say little.
    pub optimised: bool,
    /// Where it ran.
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

/// Where it ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// Cores that this process may use.
    pub cores: usize,
    /// Operating system and architecture.
    pub system: String,
    /// The kernel's release, where it is known.
    pub kernel: Option<String>,
}

/// What was done, and how long it took.
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
    /// The longest.
    pub max_us: f64,
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
    /// The live side could not be had, or broke off.
    #[error("the bench's server: {0}")]
    Live(String),
    /// The listener wanted no more.
    #[error("the bench was stopped")]
    Stopped,
}

/// What a listener of the bench is given.
#[derive(Debug)]
pub enum BenchEvent<'a> {
    /// This work begins, or goes on.
    Begins(&'a str),
    /// A work is done.
    Measured(Box<Figure>),
}

/// Who looks on; the bench is ended by returning `false`.
pub type BenchListener<'a> = &'a mut dyn FnMut(BenchEvent<'_>) -> bool;

/// Does all works of a store in a new folder inside `place`, takes that away again, and tells each figure as soon as it
/// is taken.
///
/// # Errors
/// [`BenchError`].
pub fn bench(
    place: &Path,
    sizes: &Sizes,
    durability: Durability,
    onlooker: BenchListener<'_>,
) -> Result<(), BenchError> {
    works::all(&mut BenchRun::new(place, durability, onlooker)?, sizes)
}

/// Has lines recorded by a server and sent on to a subscriber, over WebSockets of this machine: from the moment at which a
/// line was to be sent to the moment at which it is acknowledged, and to that at which the subscriber has it.
///
/// # Errors
/// [`BenchError`].
#[cfg(all(feature = "client", feature = "server"))]
pub fn live(
    place: &Path,
    flow: &LineFlow,
    durability: Durability,
    onlooker: BenchListener<'_>,
) -> Result<(), BenchError> {
    live::all(&mut BenchRun::new(place, durability, onlooker)?, flow)
}

/// One run: its folder, which goes with it, and who is notified.
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
