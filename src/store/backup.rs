//! A backup of a store that goes on recording: all of its log up to one place, as one stream. What the stream looks like
//! is in `log/archive`; how a store is made of it again, in `folder/restore`.
//!
//! **Invariant:** a backup has what was durable when it began, and nothing later. While it is written nothing is sealed or
//! pruned, so that blocks and frames fit together; lines are recorded all the same. Who reads it may be slow, so it is written
//! to a nameless file first, where there is room for one.

use super::Store;
use super::error::StoreError;
use super::folder::manifest::Manifest;
use super::hex::{from_hex, hex};
use super::locks::held;
use super::shared::StoreShared;
use crate::log::archive::{
    ArchiveEnd, ArchiveError, ArchivePlace, ArchiveReader, ArchiveStart, ArchiveWriter,
};
use crate::log::engine::JournalError;
#[cfg(feature = "export")]
use std::fs::File;
#[cfg(feature = "export")]
use std::io::{BufWriter, Seek};
use std::io::{Read, Write};
use std::path::Path;

/// So much of a backup is written to a file at a time.
#[cfg(feature = "export")]
const SPOOLED_BYTES: usize = 64 << 10;

/// Where a backup ended, so that the next one can continue it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupPlace {
    /// The id of the store, hexadecimal.
    pub store: String,
    /// The last entry in it.
    pub seq: u64,
    /// The engine's position of its last value.
    pub position: u64,
    /// The chain link there, hexadecimal.
    pub link: String,
    /// The first position that no block had: it has values for the rest. The next backup has the blocks that stand for these
    /// now.
    pub unsealed: u64,
}

/// A backup: what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backup {
    /// Where it ends.
    pub end: BackupPlace,
    /// The entry behind which it begins; 0 for one that is whole.
    pub after_seq: u64,
    /// Whether it continues an earlier one.
    pub continues: bool,
    /// When it was begun, Unix ms.
    pub made_at: i64,
    /// Sealed blocks in it, the base of a pruned log among them.
    pub blocks: u64,
    /// Values of frames that are not sealed.
    pub values: u64,
}

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The log could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The stream could not be written or read, or is no whole backup.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The earlier backup is of another store, or of another history of this one.
    #[error(
        "the earlier backup is of another store, or of another history of this one: make a whole backup"
    )]
    OtherStore,
    /// A person was forgotten since the earlier backup, which still has them.
    #[error(
        "somebody was forgotten since the earlier backup, which still has them: make a whole backup"
    )]
    Forgotten,
    /// A store in memory has no folder that could be restored.
    #[error("a store in memory has no folder: it cannot be backed up")]
    InMemory,
    /// The caller stopped it.
    #[error("the backup was stopped")]
    Stopped,
}

impl From<JournalError> for BackupError {
    fn from(error: JournalError) -> Self {
        BackupError::Store(error.into())
    }
}

impl Backup {
    /// Reads a backup from its first byte to its last, and checks that it is whole.
    ///
    /// # Errors
    /// It is not, or it cannot be read.
    pub fn read(source: impl Read) -> Result<Backup, BackupError> {
        let mut archive = ArchiveReader::new(source)?;
        let end = archive.check()?.clone();
        Ok(Backup::of(archive.start(), &end))
    }

    pub(super) fn of(start: &ArchiveStart, end: &ArchiveEnd) -> Backup {
        Backup {
            end: BackupPlace {
                store: start.store.clone(),
                seq: end.place.seq,
                position: end.place.position,
                link: hex(&end.place.link),
                unsealed: end.unsealed,
            },
            after_seq: start.after.map_or(0, |after| after.seq),
            continues: start.after.is_some(),
            made_at: start.made_at,
            blocks: end.objects,
            values: end.values,
        }
    }
}

impl Store {
    /// The folder of a store that is not in memory.
    #[doc(hidden)]
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        self.shared
            .data_dir
            .as_ref()
            .map(|data_dir| data_dir.dir.as_path())
    }

    /// Writes a backup of everything that is durable now, while lines are recorded. With `since`, only what came behind
    /// an earlier backup, and the blocks that were sealed since. `progress` gets the number of bytes of blocks and values
    /// so far; it stops the backup by returning `false`.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use rollbook::{Event, Options, Store, store::Backup};
    /// # let dir = tempfile::tempdir()?;
    /// let store = Store::open(dir.path(), Options::default())?;
    /// store.record(&[Event::join("room", "chat", "lily").at(1_000)])?;
    /// let mut bytes = Vec::new();
    /// let made = store.backup(&mut bytes, None, |_| true)?;
    /// assert_eq!((made.end.seq, Backup::read(&*bytes)?), (1, made));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`BackupError`]; what was written of it is of no use.
    pub fn backup(
        &self,
        sink: impl Write,
        since: Option<&BackupPlace>,
        mut progress: impl FnMut(u64) -> bool,
    ) -> Result<Backup, BackupError> {
        let shared = &self.shared;
        let _sealing = held(&shared.sealing);
        let end = shared.backup_end()?;
        let start = shared.backup_start(since, end.position)?;
        let from = start.after.map_or(0, |after| after.position) + 1;
        let mut archive = ArchiveWriter::new(sink, &start)?;
        let mut bytes = 0;
        let mut goes_on = |more: usize| {
            bytes += more as u64;
            progress(bytes).then_some(()).ok_or(BackupError::Stopped)
        };
        let log = &shared.log;
        let unsealed_then = since.map_or(0, |since| since.unsealed);
        for object in log.blocks().objects_from(unsealed_then) {
            let (number, object) = object?;
            archive.object(number, &object)?;
            goes_on(object.len())?;
        }
        let unsealed = log.blocks().end().max(1);
        let mut next = unsealed.max(from);
        if next <= end.position {
            for value in log.engine().read(next) {
                let (position, value) = value?;
                if position != next {
                    let (expected, found) = (next, position);
                    return Err(JournalError::Hole { expected, found }.into());
                }
                archive.value(position, &value)?;
                goes_on(value.len())?;
                next += 1;
                if position == end.position {
                    break;
                }
            }
        }
        if next <= end.position {
            let (expected, found) = (next, end.position + 1);
            return Err(JournalError::Hole { expected, found }.into());
        }
        let (_, end) = archive.finish(end, unsealed)?;
        Ok(Backup::of(&start, &end))
    }

    /// As [`backup`](Store::backup), into a nameless file of the store's folder, from which it can be read at leisure: the
    /// store may be sealed, pruned and closed meanwhile.
    ///
    /// # Errors
    /// [`BackupError`]; [`ArchiveError::Io`] where the file cannot be made, or there is no room for it.
    #[doc(hidden)]
    #[cfg(feature = "export")]
    pub fn spool_backup(
        &self,
        since: Option<&BackupPlace>,
        progress: impl FnMut(u64) -> bool,
    ) -> Result<File, BackupError> {
        let folder = self.folder().ok_or(BackupError::InMemory)?;
        let mut spool = tempfile::tempfile_in(folder).map_err(ArchiveError::Io)?;
        let sink = BufWriter::with_capacity(SPOOLED_BYTES, &spool);
        self.backup(sink, since, progress)?;
        spool.rewind().map_err(ArchiveError::Io)?;
        Ok(spool)
    }
}

impl StoreShared {
    fn backup_end(&self) -> Result<ArchivePlace, BackupError> {
        let next = self.published().next;
        let last = self
            .log
            .header_ending_before(next)
            .map_err(StoreError::from)?;
        let base = self.log.blocks().base().filter(|base| base.next == next);
        Ok(match (last, base) {
            (Some(last), _) => ArchivePlace {
                seq: (last.first_seq + last.entries).saturating_sub(1),
                position: next - 1,
                link: last.link_after,
            },
            (None, Some(base)) => ArchivePlace {
                seq: base.seq,
                position: next - 1,
                link: base.link,
            },
            (None, None) => ArchivePlace {
                seq: 0,
                position: next.saturating_sub(1),
                link: [0; 32],
            },
        })
    }

    fn backup_start(
        &self,
        since: Option<&BackupPlace>,
        end: u64,
    ) -> Result<ArchiveStart, BackupError> {
        let data_dir = self.data_dir.as_ref().ok_or(BackupError::InMemory)?;
        let Manifest {
            format,
            digest_key,
            created_at,
            store_id,
            forgotten_at,
            ..
        } = data_dir.manifest();
        let store = store_id.unwrap_or_default();
        let after = match since {
            None => None,
            Some(since) if since.store != store || since.position > end => {
                return Err(BackupError::OtherStore);
            }
            Some(since) if forgotten_at.is_some_and(|at| since.position < at) => {
                return Err(BackupError::Forgotten);
            }
            Some(since) => Some(self.place_of(since)?),
        };
        Ok(ArchiveStart {
            store,
            format,
            digest_key,
            created_at,
            made_at: (self.options.clock)(),
            after,
        })
    }

    /// The place where an earlier backup ended, if the log has it.
    fn place_of(&self, since: &BackupPlace) -> Result<ArchivePlace, BackupError> {
        let link = from_hex(&since.link).ok_or(BackupError::OtherStore)?;
        let header = self.log.header_ending_before(since.position + 1);
        // In a block or before the base no link is at hand; the id of the store is all that can be compared.
        match header.map_err(StoreError::from)? {
            Some(header) if header.link_after != link => Err(BackupError::OtherStore),
            _ => Ok(ArchivePlace {
                seq: since.seq,
                position: since.position,
                link,
            }),
        }
    }
}
