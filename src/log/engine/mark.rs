//! How far a log has been synced, in two small files beside it. A log that ends before this position is damaged.
//!
//! Without the mark, an engine that recovers to a shorter log without an error looks like one that never held more.
//! The mark is written after each sync and is not synced itself: after a power cut it may be too low, never too high.
//! It has two files, so that damage to the log and to one of them is still noticed.

use super::files::for_owner;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::Path;

/// The names of its files.
const FILES: [&str; 2] = ["synced", "synced.copy"];

/// The position, and its CRC32C.
const MARK_BYTES: usize = 12;

/// The open mark of one log.
#[derive(Debug)]
pub(super) struct Mark {
    files: [File; 2],
    /// The position in the files; 0 if they have none.
    synced: u64,
}

/// The position in a file; 0 if the file is damaged.
fn read(file: &File) -> io::Result<u64> {
    let mut bytes = Vec::with_capacity(MARK_BYTES);
    file.take(MARK_BYTES as u64).read_to_end(&mut bytes)?;
    let position = || {
        let (position, sum) = bytes.split_first_chunk::<8>()?;
        (sum == crc32c::crc32c(position).to_le_bytes()).then(|| u64::from_le_bytes(*position))
    };
    Ok(position().unwrap_or(0))
}

/// The position up to which the log in a folder was synced, as far as its files tell; `None`: neither does. Nothing is changed.
pub(crate) fn synced(folder: &Path) -> Option<u64> {
    let known = FILES.iter().filter_map(|name| {
        let file = File::open(folder.join(name)).ok()?;
        read(&file).ok().filter(|&position| position > 0)
    });
    known.max()
}

impl Mark {
    /// Opens the mark in the log's folder, and creates an empty one if there is none. The higher position of the two
    /// files counts.
    pub fn open(folder: &Path) -> io::Result<Mark> {
        let open = |name: &str| {
            let mut options = OpenOptions::new();
            let options = options.read(true).write(true).create(true).truncate(false);
            for_owner(options).open(folder.join(name))
        };
        let [one, other] = FILES;
        let files = [open(one)?, open(other)?];
        let [one, other] = &files;
        let synced = read(one)?.max(read(other)?);
        Ok(Mark { files, synced })
    }

    /// The last position that is known to be synced.
    pub fn synced(&self) -> u64 {
        self.synced
    }

    /// Notes that everything up to this position has been synced.
    pub fn raise(&mut self, synced: u64) -> io::Result<()> {
        if synced > self.synced {
            self.write(synced)?;
        }
        Ok(())
    }

    /// Lowers the mark before the log is cut after this position.
    pub fn lower(&mut self, head: u64) -> io::Result<()> {
        if head < self.synced {
            self.write(head)?;
            // Otherwise a power cut could restore a mark that the log no longer reaches.
            self.files.iter().try_for_each(File::sync_data)?;
        }
        Ok(())
    }

    fn write(&mut self, synced: u64) -> io::Result<()> {
        let mut bytes = [0; MARK_BYTES];
        let position = synced.to_le_bytes();
        let sum = crc32c::crc32c(&position).to_le_bytes();
        for (to, from) in bytes.iter_mut().zip(position.iter().chain(&sum)) {
            *to = *from;
        }
        for file in &mut self.files {
            file.rewind()?;
            file.write_all(&bytes)?;
        }
        self.synced = synced;
        Ok(())
    }
}
