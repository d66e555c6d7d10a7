//! Exports the log to files for other tools: entries and stays, as CSV or JSON lines, with the fields of the answers
//! as columns.
//!
//! An export is streamed, so its size costs no memory. It is written to a temporary file in the same
//! folder, which is renamed at the end, so that no reader finds half a file. [`record`] defines the
//! rows; nothing is queried or decided here.

#[doc(hidden)]
pub mod record;
#[doc(hidden)]
pub mod schema;

use crate::domain::entry::{self, Entry};
use crate::domain::names::NameTable;
use crate::query::owner::EntryRow;
use crate::query::{HistoryFilter, SessionFilter, history_entry, is_shown_as_it_is};
use crate::store::{Store, StoreError};
use record::{Csv, ExportRow, json_line};
use std::io::{self, BufWriter, Write};
use std::iter;
use std::path::{Path, PathBuf};

/// What to export.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ExportKind {
    /// Entries of the log, as `history` returns them.
    Entries(HistoryFilter),
    /// Stays of members, as `sessions` returns them.
    Sessions(SessionFilter),
}

/// How the file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[doc(hidden)]
pub enum ExportFormat {
    /// A header and rows.
    Csv,
    /// One object per line.
    Jsonl,
}

impl ExportFormat {
    /// The format that a file's name ends in.
    ///
    /// # Errors
    /// [`ExportError::Format`] when the ending is not that of a known format.
    pub fn of(path: &Path) -> Result<ExportFormat, ExportError> {
        let ending = path.extension().unwrap_or_default().to_string_lossy();
        match ending.to_ascii_lowercase().as_str() {
            "csv" => Ok(ExportFormat::Csv),
            "jsonl" => Ok(ExportFormat::Jsonl),
            other => Err(ExportError::Format(other.to_owned())),
        }
    }
}

/// Why there is no new file. An existing file of that name is unchanged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The format is not known.
    #[error("{}", no_format(.0))]
    Format(String),
    /// The file exists already.
    #[error("{} is there already", .0.display())]
    Exists(PathBuf),
    /// The file could not be written.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        error: io::Error,
    },
    /// The caller stopped the export.
    #[error("the export was stopped; nothing was written")]
    Stopped,
    /// The store returns no more rows.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn no_format(ending: &str) -> String {
    let can = "a file ending in .csv or .jsonl can be written";
    match ending {
        "" => format!("the file's name does not say its format: {can}"),
        "parquet" => format!("Parquet cannot be written yet: {can}"),
        other => format!("there is no format .{other}: {can}"),
    }
}

/// What happens to an existing file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Existing {
    /// A file of that name is kept; then there is no export.
    #[default]
    Keep,
    /// It is replaced.
    Replace,
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
        match what {
            ExportKind::Entries(filter) => write_file(file, existing, &mut progress, |row| {
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
            ExportKind::Sessions(filter) => write_file(file, existing, &mut progress, |row| {
                for stay in self.sessions(filter)? {
                    if !row(&stay?) {
                        break;
                    }
                }
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

/// Writes a file as [`Store::export`] does, with rows from anywhere: `feed` passes them, one after another, to the
/// function that it gets, until that returns `false`.
///
/// # Errors
/// [`ExportError`] when `feed` or the writing fails. Then there is no new file, and an existing one is unchanged.
#[doc(hidden)]
pub fn write_file<T: ExportRow>(
    file: &Path,
    existing: Existing,
    progress: &mut dyn FnMut(u64) -> bool,
    feed: impl FnOnce(&mut dyn FnMut(&T) -> bool) -> Result<(), ExportError>,
) -> Result<u64, ExportError> {
    let format = ExportFormat::of(file)?;
    if existing == Existing::Keep && file.exists() {
        return Err(ExportError::Exists(file.to_owned()));
    }
    let failed = |error| ExportError::File {
        path: file.to_owned(),
        error,
    };
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let beside = new_file(folder.unwrap_or(Path::new("."))).map_err(failed)?;
    let sink = BufWriter::with_capacity(BUFFER_BYTES, beside.as_file());
    let mut rows = ExportWriter::new(format, sink, progress);
    feed(&mut |row| rows.row(row))?;
    let Some(rows) = rows.finish().map_err(failed)? else {
        return Err(ExportError::Stopped);
    };
    beside.as_file().sync_all().map_err(failed)?;
    let renamed = match existing {
        Existing::Keep => beside.persist_noclobber(file),
        Existing::Replace => beside.persist(file),
    };
    match renamed {
        Ok(_) => Ok(rows),
        Err(failure) if failure.error.kind() == io::ErrorKind::AlreadyExists => {
            Err(ExportError::Exists(file.to_owned()))
        }
        Err(failure) => Err(failed(failure.error)),
    }
}

/// Whether an entry's metadata is shown as it is.
fn is_shown(entry: &Entry) -> bool {
    match &entry.payload {
        entry::Payload::Change(change) => change.meta.as_deref().is_none_or(is_shown_as_it_is),
        _ => true,
    }
}

/// Bytes that are buffered before a write.
const BUFFER_BYTES: usize = 256 << 10;
/// Rows between two calls of `progress`.
const ROWS_BETWEEN: u64 = 1_024;

fn new_file(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".rollbook-export-");
    #[cfg(unix)]
    {
        // As for any new file: the user's umask applies.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

/// Writes rows to a file.
struct ExportWriter<'a, T, W: Write> {
    form: RowForm<T, W>,
    progress: &'a mut dyn FnMut(u64) -> bool,
    rows: u64,
    /// Why no more rows are wanted: writing failed, or the export was stopped.
    ended: Option<Result<(), io::Error>>,
}

enum RowForm<T, W: Write> {
    Csv(Box<Csv<T, W>>),
    Jsonl(W),
}

impl<'a, T: ExportRow, W: Write> ExportWriter<'a, T, W> {
    fn new(format: ExportFormat, sink: W, progress: &'a mut dyn FnMut(u64) -> bool) -> Self {
        let form = match format {
            ExportFormat::Csv => RowForm::Csv(Box::new(Csv::new(sink))),
            ExportFormat::Jsonl => RowForm::Jsonl(sink),
        };
        ExportWriter {
            form,
            progress,
            rows: 0,
            ended: None,
        }
    }

    /// Writes the next row; `false` if no more rows are wanted.
    fn row(&mut self, row: &T) -> bool {
        let written = match &mut self.form {
            RowForm::Csv(csv) => csv.row(row),
            RowForm::Jsonl(sink) => json_line(sink, row),
        };
        self.rows += 1;
        if written.is_err() {
            self.ended = Some(written);
        } else if self.rows.is_multiple_of(ROWS_BETWEEN) && !(self.progress)(self.rows) {
            self.ended = Some(Ok(()));
        }
        self.ended.is_none()
    }

    /// The number of rows; `None` if the export was stopped.
    fn finish(mut self) -> io::Result<Option<u64>> {
        match self.ended {
            Some(Err(error)) => return Err(error),
            Some(Ok(())) => return Ok(None),
            None => {}
        }
        match &mut self.form {
            RowForm::Csv(csv) => csv.finish()?,
            RowForm::Jsonl(sink) => sink.flush()?,
        }
        Ok(Some(self.rows))
    }
}
