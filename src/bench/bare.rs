//! The limit: bytes at the end of a bare file, a checksum, and one sync. Nothing is read, and nothing decided.

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
    /// A new one, whose bytes are to survive what a store's would.
    pub fn create(path: &Path, durability: Durability) -> io::Result<Bare> {
        let file = File::create(path)?;
        Ok(Bare { file, durability })
    }

    /// Appends, and syncs where that is asked for.
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
