//! Sealing on request: all that can be sealed becomes blocks, and the engine's files are rewritten. How a block is made is in
//! `writer/sealer`.

use super::checkpoint::{drop_excess, drop_unusable};
use super::error::StoreError;
use super::folder::compact::rewrite_log;
use super::folder::data_dir::DataDir;
use super::writer::sealer::BlockSize;
use super::{Options, Pruned, Store};
use crate::domain::time::Millis;
use crate::limits;
use std::path::Path;
use std::time::Duration;

/// What sealing has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SealedBlocks {
    /// Blocks of the store.
    pub blocks: u64,
    /// Bytes of all of them.
    pub bytes: u64,
    /// Entries in them.
    pub entries: u64,
}

impl Store {
    /// Seals everything but the last frame into blocks of this size. Reading and writing go on meanwhile.
    ///
    /// ```
    /// use rollbook::store::BlockSize;
    /// # fn main() -> Result<(), rollbook::StoreError> {
    /// let store = rollbook::Store::in_memory(rollbook::Options::default())?;
    /// for user in ["lily", "tony"] {
    ///     store.record(&[rollbook::Event::join("room", "chat", user)])?;
    /// }
    /// let sealed = store.seal(BlockSize { least: 1, most: 65_536 })?;
    /// assert_eq!((sealed.blocks, sealed.entries), (1, 1));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The log is damaged, or a block could not be stored. Then the frames stay.
    #[doc(hidden)]
    pub fn seal(&self, size: BlockSize) -> Result<SealedBlocks, StoreError> {
        while self.shared.seal_next(size)? {}
        drop_unusable(&self.shared.log)?;
        let blocks = self.shared.log.blocks();
        let (count, bytes) = blocks.size();
        Ok(SealedBlocks {
            blocks: count as u64,
            bytes,
            entries: self.shared.sealed() - blocks.base().map_or(0, |base| base.seq),
        })
    }
}

/// What `compact` has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Compacted {
    /// What was pruned, if that was asked for.
    pub pruned: Option<Pruned>,
    /// All sealed blocks.
    pub sealed: SealedBlocks,
    /// Bytes of the store's files before.
    pub bytes_before: u64,
    /// Bytes of them after.
    pub bytes_after: u64,
}

impl Store {
    /// Seals all that can be sealed in the store in a folder, and rewrites the engine's files, which keep the room of what
    /// has left them.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let dir = tempfile::tempdir()?;
    /// # drop(rollbook::Store::open(dir.path(), rollbook::Options::default())?);
    /// let compacted = rollbook::Store::compact(dir.path())?;
    /// assert_eq!(compacted.sealed.entries, 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`StoreError::InUse`] if another process has the store open; those of [`open`](Store::open); the log is damaged, or
    /// the files cannot be written. Nothing is lost then.
    #[doc(hidden)]
    pub fn compact(dir: impl AsRef<Path>) -> Result<Compacted, StoreError> {
        Store::compact_retaining(dir, None)
    }

    /// The same, but first what is older than a moment (Unix ms) is [pruned](Store::prune).
    ///
    /// # Errors
    /// Those of [`compact`](Store::compact) and [`prune`](Store::prune).
    #[doc(hidden)]
    pub fn compact_retaining(
        dir: impl AsRef<Path>,
        before: Option<Millis>,
    ) -> Result<Compacted, StoreError> {
        let dir = dir.as_ref();
        let options = Options::default().create(false);
        let store = Store::open(dir, options)?;
        let bytes_before = store.gauges()?.bytes;
        let pruned = before.map(|before| store.prune(before)).transpose()?;
        let sealed = store.seal(BlockSize {
            least: 1,
            most: limits::BLOCK_ENTRIES,
        })?;
        drop_excess(&store.shared.log)?;
        drop(store);
        let data_dir = DataDir::open(dir, false, Duration::ZERO)?;
        rewrite_log(&data_dir)?;
        Ok(Compacted {
            pruned,
            sealed,
            bytes_before,
            bytes_after: data_dir.bytes(),
        })
    }
}
