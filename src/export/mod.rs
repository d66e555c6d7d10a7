//! Exports the log to files for other tools: entries, stays, figures and what was missed, as CSV, JSON lines or Parquet, with
//! the fields of the answers as columns. An export is streamed: its size costs no memory.
//!
//! | file | what |
//! | --- | --- |
//! | [`schema`] | the columns of every answer |
//! | [`cells`] | an answer as cells |
//! | [`record`] | which answers are rows; CSV and JSON lines |
//! | `parquet` | rows as columns |
//! | `file` | formats by name, compression, and the file that takes its place at the end |
//!
//! Nothing is queried or decided here.

#[doc(hidden)]
pub mod cells;
mod file;
#[cfg(feature = "parquet")]
mod parquet;
#[doc(hidden)]
pub mod record;
#[doc(hidden)]
pub mod schema;

use crate::domain::entry::{self, Entry};
use crate::domain::names::NameTable;
use crate::query::owner::EntryRow;
use crate::query::{
    HistoryFilter, MissedFilter, SessionFilter, StatsFilter, history_entry, is_shown_as_it_is,
};
use crate::store::{Store, StoreError};
use std::iter;
use std::path::Path;

pub use file::{Existing, ExportError};
#[doc(hidden)]
pub use file::{ExportFormat, ExportTarget, FileCompression, RowFormat, write_whole};

/// What to export.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ExportKind {
    /// Entries of the log, as `history` returns them.
    Entries(HistoryFilter),
    /// Stays of members, as `sessions` returns them.
    Sessions(SessionFilter),
    /// Figures of channels and topics, as `stats` returns them.
    Stats(StatsFilter),
    /// Who joined, left and changed in the gaps of a channel, as `missed` returns it.
    Missed(String, MissedFilter),
}

impl Store {
    /// Writes a file, in the format that its name ends in, and returns the number of its rows. From time to time,
    /// `progress` gets the number of rows written so far; it stops the export by returning `false`. `unclear` gets each
    /// entry whose metadata is not JSON, which an older version may have accepted. The file then has it as a string.
    ///
    /// ```
    /// use rollbook::export::{Existing, ExportKind};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dir = tempfile::tempdir()?;
    /// let store = rollbook::Store::in_memory(rollbook::Options::default())?;
    /// let file = dir.path().join("stays.csv");
    /// let stays = ExportKind::Sessions(Default::default());
    /// store.export(&file, &stays, Existing::Keep, |_| true, |_| {})?;
    /// assert!(std::fs::read_to_string(&file)?.starts_with("channel,topic,user,connection,joined_at"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ExportError`] when the export fails. Then there is no new file, and an existing one is unchanged.
    pub fn export(
        &self,
        file: &Path,
        what: &ExportKind,
        existing: Existing,
        mut progress: impl FnMut(u64) -> bool,
        mut unclear: impl FnMut(u64),
    ) -> Result<u64, ExportError> {
        let target = ExportTarget::File(file, ExportFormat::of(file)?, existing);
        self.export_to(target, what, &mut progress, &mut unclear)
    }

    /// The same, to a file or a stream.
    ///
    /// # Errors
    /// [`ExportError`] when the export fails; what a stream got then is not whole.
    #[doc(hidden)]
    pub fn export_to(
        &self,
        target: ExportTarget<'_>,
        what: &ExportKind,
        progress: &mut dyn FnMut(u64) -> bool,
        unclear: &mut dyn FnMut(u64),
    ) -> Result<u64, ExportError> {
        match what {
            ExportKind::Entries(filter) => target.write(progress, |row| {
                for of_entry in self.entry_rows(filter)? {
                    let EntryRow {
                        entry,
                        unclear: is_unclear,
                    } = of_entry?;
                    if is_unclear {
                        unclear(entry.seq);
                    }
                    if !row(&entry) {
                        break;
                    }
                }
                Ok(())
            }),
            ExportKind::Sessions(filter) => target.write(progress, |row| {
                for stay in self.sessions(filter)? {
                    if !row(&stay?) {
                        break;
                    }
                }
                Ok(())
            }),
            ExportKind::Stats(filter) => target.write(progress, |row| {
                let _ = self.stats(filter)?.iter().all(row);
                Ok(())
            }),
            ExportKind::Missed(channel, filter) => target.write(progress, |row| {
                let _ = self.missed(channel, filter)?.iter().all(row);
                Ok(())
            }),
        }
    }

    /// The rows of an export of entries, read from the log one after another.
    ///
    /// # Errors
    /// [`StoreError::NoSuchChannel`] when there is no such channel; another one when the log cannot be read.
    pub(crate) fn entry_rows(
        &self,
        filter: &HistoryFilter,
    ) -> Result<impl Iterator<Item = Result<EntryRow, StoreError>>, StoreError> {
        let mut entries = self.history(filter)?;
        let row = |entry: &Entry, names: &NameTable| EntryRow {
            entry: history_entry(entry, names),
            unclear: !is_shown(entry),
        };
        Ok(iter::from_fn(move || entries.next_as(row)))
    }
}

/// Whether an entry's metadata is shown as it is.
fn is_shown(entry: &Entry) -> bool {
    match &entry.payload {
        entry::Payload::Change(change) => change.meta.as_deref().is_none_or(is_shown_as_it_is),
        _ => true,
    }
}
