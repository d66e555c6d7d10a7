//! How far a log has been synced, in two small files beside it: a floor under what a damaged or shortened log may say.
//!
//! An engine that recovers to a shorter log without an error cannot be told from one that never held more. The mark
//! can. It is written after each sync and not synced itself: after a power cut it says too little, never too much. It
//! stands in two files, so that what damages the log and one of them is still noticed.

use super::files::for_owner;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::Path;

/// Its files.
const FILES: [&str; 2] = ["synced", "synced.copy"];

/// The position, and its CRC32C.
const MARK_BYTES: usize = 12;

/// The mark of one log, open.
#[derive(Debug)]
pub(super) struct Mark {
    files: [File; 2],
    /// What the files say; 0 where they say nothing.
    synced: u64,
}

/// What a file says; 0 where it is damaged.
fn read(file: &File) -> io::Result<u64> {
    let mut bytes = Vec::with_capacity(MARK_BYTES);
    file.take(MARK_BYTES as u64).read_to_end(&mut bytes)?;
    let position = || {
        let (position, sum) = bytes.split_first_chunk::<8>()?;
        (sum == crc32c::crc32c(position).to_le_bytes()).then(|| u64::from_le_bytes(*position))
    };
    Ok(position().unwrap_or(0))
}

impl Mark {
    /// Opens it in the log's folder, and makes an empty one where there is none. Of its files the one that says more
    /// counts.
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

    /// The last position that is known to have been synced.
    pub fn synced(&self) -> u64 {
        self.synced
    }

    /// Everything up to this position has been synced.
    pub fn raise(&mut self, synced: u64) -> io::Result<()> {
        if synced > self.synced {
            self.write(synced)?;
        }
        Ok(())
    }

    /// What lies behind this position is about to be cut off.
    pub fn lower(&mut self, head: u64) -> io::Result<()> {
        if head < self.synced {
            self.write(head)?;
            // Else a power cut could bring back a mark that the log no longer reaches.
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
