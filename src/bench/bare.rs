//! The limit for a store: bytes appended to a bare file, with a checksum and one sync. Nothing is read or decided.

use crate::store::Durability;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// A bare file.
pub(super) struct Bare {
    file: File,
    durability: Durability,
}

impl Bare {
    /// Creates a new file. Its bytes must survive the same failures as those of a store.
    pub fn create(path: &Path, durability: Durability) -> io::Result<Bare> {
        let file = File::create(path)?;
        Ok(Bare { file, durability })
    }

    /// Appends bytes, and syncs them if the durability asks for it.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let sum = crc32c::crc32c(bytes);
        self.file.write_all(bytes)?;
        self.file.write_all(&sum.to_le_bytes())?;
        match self.durability {
            Durability::Power => self.file.sync_data(),
            Durability::Process | Durability::None => Ok(()),
        }
    }
}
