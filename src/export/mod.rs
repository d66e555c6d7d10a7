//! The log into files for other tools: entries and stays, as CSV or JSON lines, in the columns of the contract.
//!
//! An export is streamed: its size costs no memory. It is written beside its file and takes its place at the end, so
//! that nobody meets half of one. What a row looks like is [`record`]'s business; nothing is asked or decided here.

pub mod record;

use crate::domain::entry::{self, Entry};
use crate::query::answer::HistoryEntry;
use crate::query::{HistoryFilter, SessionFilter, is_shown_as_it_is};
use crate::store::{Store, StoreError};
use record::{Csv, ExportRow, json_line};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// What is exported.
#[derive(Debug, Clone)]
pub enum ExportKind {
    /// Entries of the log, as `history` gives them.
    Entries(HistoryFilter),
    /// Stays of members, as `sessions` gives them.
    Sessions(SessionFilter),
}

/// How the file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// A header and rows.
    Csv,
    /// An object a line.
    Jsonl,
}

impl ExportFormat {
    /// The format that a file's name ends in.
    ///
    /// # Errors
    /// [`ExportError::Format`] where there is none of that name.
    pub fn of(path: &Path) -> Result<ExportFormat, ExportError> {
        let ending = path.extension().unwrap_or_default().to_string_lossy();
        match ending.to_ascii_lowercase().as_str() {
            "csv" => Ok(ExportFormat::Csv),
            "jsonl" => Ok(ExportFormat::Jsonl),
            other => Err(ExportError::Format(other.to_owned())),
        }
    }
}

/// Why there is no new file. An old one of its name is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// No such format.
    #[error("{}", no_format(.0))]
    Format(String),
    /// There is one already.
    #[error("{} is there already", .0.display())]
    Exists(PathBuf),
    /// It could not be written.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Whoever looked on wanted no more.
    #[error("the export was stopped; nothing was written")]
    Stopped,
    /// The store gives no more.
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

/// What becomes of a file that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Existing {
    /// A file of that name is left alone; there is no export then.
    #[default]
    Keep,
    /// It is replaced.
    Replace,
}

impl Store {
    /// Writes a file, in the format that its name ends in, and gives the number of its rows. `progress` is told now and
    /// then how many have been written, and stops the export by returning `false`; `unclear` is told each entry whose
    /// metadata is no JSON, as an older program may have taken it, and stands in the file as a string.
    ///
    /// ```
    /// use rollbook::export::{Existing, What};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dir = tempfile::tempdir()?;
    /// let store = rollbook::Store::in_memory(rollbook::Options::default())?;
    /// let file = dir.path().join("stays.csv");
    /// store.export(&file, &What::Sessions(Default::default()), Existing::Keep, |_| true, |_| {})?;
    /// assert!(std::fs::read_to_string(&file)?.starts_with("channel,topic,user,connection,joined_at"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ExportError`]; then there is no file, or the one that was there.
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
                let ended = self.entry_rows(filter, |entry, is_unclear| {
                    if is_unclear {
                        unclear(entry.seq);
                    }
                    row(&entry)
                });
                ended.map_err(ExportError::from)
            }),
            ExportKind::Sessions(filter) => write_file(file, existing, &mut progress, |row| {
                let ended = self.sessions(filter, |stay| row(&stay));
                ended.map_err(ExportError::from)
            }),
        }
    }

    /// Gives the rows of an export of entries to `each`, with whether the metadata of an entry is no JSON; stops when
    /// that returns `false`.
    ///
    /// # Errors
    /// [`StoreError::NoSuchChannel`]; where the log cannot be read.
    pub fn entry_rows(
        &self,
        filter: &HistoryFilter,
        mut each: impl FnMut(HistoryEntry, bool) -> bool,
    ) -> Result<(), StoreError> {
        self.history_beside(filter, |shown, entry| each(shown, !is_shown(entry)))
    }
}

/// Writes a file as [`Store::export`] does, with rows from anywhere: `feed` gives them, one after another, to what it is
/// handed, until that returns `false`.
///
/// # Errors
/// [`ExportError`], that of `feed` among them; then there is no file, or the one that was there.
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

/// Bytes gathered before they are written.
const BUFFER_BYTES: usize = 256 << 10;
/// Rows between two tellings of how many there are.
const ROWS_BETWEEN: u64 = 1_024;

fn new_file(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".rollbook-export-");
    #[cfg(unix)]
    {
        // As any new file: what this person's mask leaves of it.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

/// Rows on their way into a file.
struct ExportWriter<'a, T, W: Write> {
    form: RowForm<T, W>,
    progress: &'a mut dyn FnMut(u64) -> bool,
    rows: u64,
    /// Why no more are wanted: it cannot be written, or it was stopped.
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

    /// Writes the next one; `false` where no more are wanted.
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

    /// How many there are; `None` where it was stopped.
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
