//! What tells an operator whether a store is looked after: what is not sealed yet, and when the last backup was made.

use super::Store;
use super::error::StoreError;
use crate::domain::time::Millis;
use crate::log::engine::files::for_owner;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

/// The file in the folder with the time of the last backup, Unix ms.
const LAST_BACKUP: &str = "last-backup";

/// What stands behind the last sealed block.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unsealed {
    /// How many entries.
    pub entries: u64,
    /// When the oldest of them was recorded, Unix ms.
    pub oldest: Option<Millis>,
}

impl Store {
    /// The entries that are in no sealed block. Some always are.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn unsealed(&self) -> Result<Unsealed, StoreError> {
        let (shared, log) = (&self.shared, &self.shared.log);
        let from = log.engine().first().max(log.blocks().end());
        let mut frames = log.frames(from, shared.published().next);
        let mut oldest = None;
        while oldest.is_none()
            && let Some(frame) = frames.next_frame()?
        {
            let header = frame.header();
            oldest = (header.entries > 0).then_some(header.recorded_at.0);
        }
        Ok(Unsealed {
            entries: shared.unsealed(),
            oldest,
        })
    }

    /// Notes in the store's folder that a backup was handed over whole.
    #[doc(hidden)]
    pub fn note_backup(&self) {
        if let Some(folder) = self.folder() {
            note_backup(folder, (self.shared.options.clock)());
        }
    }

    /// When the last backup was handed over whole, Unix ms, if there was one.
    #[must_use]
    pub fn last_backup(&self) -> Option<Millis> {
        let text = fs::read_to_string(self.folder()?.join(LAST_BACKUP)).ok()?;
        text.trim().parse().ok()
    }
}

/// Notes in the folder of a store that a backup was handed over whole. It is no part of the log: if it cannot be written, only
/// the figure is older than the backup.
pub(crate) fn note_backup(folder: &Path, at: Millis) {
    let (path, fresh) = (folder.join(LAST_BACKUP), folder.join("last-backup.new"));
    let mut options = OpenOptions::new();
    let options = for_owner(options.write(true).create(true).truncate(true));
    let written = options
        .open(&fresh)
        .and_then(|mut file| writeln!(file, "{at}"));
    drop(written.and_then(|()| fs::rename(&fresh, &path)));
}
