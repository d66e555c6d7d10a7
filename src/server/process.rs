//! Figures of the process and of its disk, as the system gives them. What a system does not give is left out.

use rustix::fs::statvfs;
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};
use std::path::Path;

/// Figures of this process.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProcessFigures {
    /// Time of the processor that it has used, s.
    pub cpu_seconds: f64,
    /// Memory that it holds, bytes.
    pub resident_bytes: Option<u64>,
    /// Address space that it has, bytes.
    pub virtual_bytes: Option<u64>,
    /// Open files, sockets among them.
    pub open_files: Option<u64>,
    /// How many it may have open.
    pub open_files_max: Option<u64>,
    /// When it began, Unix s.
    pub started_at: Option<f64>,
}

/// Figures of the disk on which a folder is.
#[derive(Debug, Clone, Copy)]
pub struct DiskFigures {
    /// What this user may still write, bytes.
    pub free_bytes: u64,
    /// All of it, bytes.
    pub bytes: u64,
}

impl ProcessFigures {
    /// The figures of now.
    #[must_use]
    pub fn now() -> ProcessFigures {
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        // No process runs so long that the sum would lose a microsecond.
        #[allow(clippy::cast_precision_loss)]
        let cpu_seconds = cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9;
        let known = ProcessFigures {
            cpu_seconds,
            open_files_max: getrlimit(Resource::Nofile).current,
            ..ProcessFigures::default()
        };
        known.with_proc()
    }

    #[cfg(not(target_os = "linux"))]
    fn with_proc(self) -> ProcessFigures {
        self
    }

    /// Adds what Linux has in `/proc`.
    #[cfg(target_os = "linux")]
    fn with_proc(self) -> ProcessFigures {
        let read = |path: &str| std::fs::read_to_string(path).ok();
        let pages = read("/proc/self/statm");
        let page = rustix::param::page_size() as u64;
        let bytes = |column: usize| {
            let pages = pages.as_ref()?.split_whitespace().nth(column)?;
            Some(pages.parse::<u64>().ok()?.saturating_mul(page))
        };
        // The folder itself is open while it is read.
        let files = std::fs::read_dir("/proc/self/fd").map(|files| files.count() as u64);
        ProcessFigures {
            resident_bytes: bytes(1),
            virtual_bytes: bytes(0),
            open_files: files.ok().map(|files| files.saturating_sub(1)),
            started_at: started_at(&read),
            ..self
        }
    }
}

/// When this process began, by Linux: ticks after the system did.
#[cfg(target_os = "linux")]
fn started_at(read: &dyn Fn(&str) -> Option<String>) -> Option<f64> {
    let own = read("/proc/self/stat")?;
    // The name of the program, in brackets, may have anything in it.
    let (_, behind) = own.rsplit_once(')')?;
    let ticks: f64 = behind.split_whitespace().nth(19)?.parse().ok()?;
    let system = read("/proc/stat")?;
    let mut lines = system.lines();
    let booted: f64 = lines
        .find_map(|line| line.strip_prefix("btime "))?
        .trim()
        .parse()
        .ok()?;
    #[allow(clippy::cast_precision_loss)]
    let per_second = rustix::param::clock_ticks_per_second() as f64;
    Some(booted + ticks / per_second)
}

impl DiskFigures {
    /// Those of the disk on which a folder is.
    #[must_use]
    pub fn of(folder: &Path) -> Option<DiskFigures> {
        let disk = statvfs(folder).ok()?;
        Some(DiskFigures {
            free_bytes: disk.f_bavail.saturating_mul(disk.f_frsize),
            bytes: disk.f_blocks.saturating_mul(disk.f_frsize),
        })
    }
}
