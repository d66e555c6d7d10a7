//! The limit: bytes appended to a bare file, with a CRC32C and one fdatasync a batch. It reads nothing and decides
//! nothing; it is no rival.

use super::{Peer, PeerBatch, unfit};
use crate::Outcome;
use std::fs::File;
use std::io::Write;
use std::path::Path;

/// A bare file.
pub struct Bare(File);

impl Bare {
    /// Creates the file in a folder.
    pub fn create(folder: &Path) -> Outcome<Bare> {
        Ok(Bare(File::create(folder.join("bare"))?))
    }

    fn write(&mut self, bytes: &[u8]) -> Outcome<()> {
        self.0.write_all(bytes)?;
        self.0.write_all(&crc32c::crc32c(bytes).to_le_bytes())?;
        Ok(())
    }
}

impl Peer for Bare {
    fn append(&mut self, batch: &PeerBatch<'_>) -> Outcome<()> {
        match batch {
            PeerBatch::Bytes(bytes) => self.write(bytes)?,
            PeerBatch::Frames(values) => values.iter().try_for_each(|value| self.write(value))?,
            PeerBatch::Rows(_) => return unfit(),
        }
        self.0.sync_data()?;
        Ok(())
    }

    fn close(self: Box<Self>) -> Outcome<()> {
        Ok(())
    }
}
