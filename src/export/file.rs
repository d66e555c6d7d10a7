//! How rows become a file: its format by its name, compression, and the exchange at the end, so that no reader finds half a
//! file. What the rows are is not known here.

#[cfg(feature = "parquet")]
use super::parquet::ParquetRows;
use super::record::{Csv, CsvStyle, ExportRow, json_line};
use crate::store::StoreError;
use flate2::write::GzEncoder;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[doc(hidden)]
pub enum RowFormat {
    /// A header and rows.
    Csv(CsvStyle),
    /// One object per line.
    Jsonl,
    /// Columns.
    #[cfg(feature = "parquet")]
    Parquet,
}

impl RowFormat {
    /// CSV for programs.
    pub const CSV: RowFormat = RowFormat::Csv(CsvStyle::Plain);
}

/// How what is written is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(hidden)]
#[allow(clippy::exhaustive_enums, missing_docs)]
pub enum FileCompression {
    Plain,
    Gzip,
    Zstd,
}

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(hidden)]
pub struct ExportFormat {
    /// Its rows.
    pub rows: RowFormat,
    /// How they are compressed.
    pub compression: FileCompression,
}

impl ExportFormat {
    /// The format that a file's name ends in.
    ///
    /// # Errors
    /// [`ExportError::Format`] when the ending is not that of a known format.
    pub fn of(path: &Path) -> Result<ExportFormat, ExportError> {
        let ending = |path: &Path| {
            let ending = path.extension().unwrap_or_default().to_string_lossy();
            ending.to_ascii_lowercase()
        };
        let last = ending(path);
        let (compression, form) = match last.as_str() {
            "gz" => (FileCompression::Gzip, ending(&path.with_extension(""))),
            "zst" => (FileCompression::Zstd, ending(&path.with_extension(""))),
            _ => (FileCompression::Plain, last),
        };
        let rows = match form.as_str() {
            "csv" => RowFormat::CSV,
            "jsonl" => RowFormat::Jsonl,
            // Its columns are compressed already.
            #[cfg(feature = "parquet")]
            "parquet" if compression == FileCompression::Plain => RowFormat::Parquet,
            _ => return Err(ExportError::Format(form)),
        };
        Ok(ExportFormat { rows, compression })
    }

    /// Rows that are not compressed, for a stream.
    #[must_use]
    pub fn plain(rows: RowFormat) -> ExportFormat {
        ExportFormat {
            rows,
            compression: FileCompression::Plain,
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
    let can = match cfg!(feature = "parquet") {
        true => {
            "a file ending in .csv, .jsonl or .parquet can be written, of the first two also .gz and .zst"
        }
        false => "a file ending in .csv or .jsonl can be written, also .gz and .zst of these",
    };
    match ending {
        "" => format!("the file's name does not say its format: {can}"),
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

/// Where rows go.
#[doc(hidden)]
#[allow(clippy::exhaustive_enums)]
pub enum ExportTarget<'a> {
    /// A file.
    File(&'a Path, ExportFormat, Existing),
    /// Standard output, or an answer.
    Stream(ExportFormat, Box<dyn Write + Send + 'a>),
}

impl ExportTarget<'_> {
    /// Writes rows from anywhere: `feed` passes them, one after another, to the function that it gets, until that returns
    /// `false`. Returns their number.
    ///
    /// # Errors
    /// [`ExportError`] when `feed` or the writing fails. Then there is no new file, and an existing one is unchanged; what a
    /// stream got is not whole.
    pub fn write<T: ExportRow>(
        self,
        progress: &mut dyn FnMut(u64) -> bool,
        feed: impl FnOnce(&mut dyn FnMut(&T) -> bool) -> Result<(), ExportError>,
    ) -> Result<u64, ExportError> {
        match self {
            ExportTarget::File(file, format, existing) => {
                write_file(file, (format, existing), progress, feed)
            }
            ExportTarget::Stream(format, sink) => {
                write_rows(format, sink, (Path::new("-"), progress), feed)
            }
        }
    }
}

fn write_file<T: ExportRow>(
    file: &Path,
    (format, existing): (ExportFormat, Existing),
    progress: &mut dyn FnMut(u64) -> bool,
    feed: impl FnOnce(&mut dyn FnMut(&T) -> bool) -> Result<(), ExportError>,
) -> Result<u64, ExportError> {
    exchange(file, existing, |beside| {
        write_rows(format, beside, (file, progress), feed)
    })
}

/// Writes a file of any other content, such as a picture.
///
/// # Errors
/// [`ExportError`] when it cannot be written. Then there is no new file, and an existing one is unchanged.
#[doc(hidden)]
pub fn write_whole(file: &Path, existing: Existing, content: &[u8]) -> Result<(), ExportError> {
    exchange(file, existing, |mut beside| {
        beside
            .write_all(content)
            .map_err(|error| ExportError::File {
                path: file.to_owned(),
                error,
            })
    })
}

/// Fills a file beside the one that is asked for, and lets it take its place.
fn exchange<R>(
    file: &Path,
    existing: Existing,
    fill: impl FnOnce(&File) -> Result<R, ExportError>,
) -> Result<R, ExportError> {
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
    let filled = fill(beside.as_file())?;
    beside.as_file().sync_all().map_err(failed)?;
    let renamed = match existing {
        Existing::Keep => beside.persist_noclobber(file),
        Existing::Replace => beside.persist(file),
    };
    match renamed {
        Ok(_) => Ok(filled),
        Err(failure) if failure.error.kind() == io::ErrorKind::AlreadyExists => {
            Err(ExportError::Exists(file.to_owned()))
        }
        Err(failure) => Err(failed(failure.error)),
    }
}

/// Bytes that are buffered before a write.
const BUFFER_BYTES: usize = 32 << 10;
/// zstd's level for a file of rows.
const ZSTD_LEVEL: i32 = 3;
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

/// Writes rows to a sink; errors name it as `path`.
fn write_rows<T: ExportRow>(
    format: ExportFormat,
    sink: impl Write + Send,
    (path, progress): (&Path, &mut dyn FnMut(u64) -> bool),
    feed: impl FnOnce(&mut dyn FnMut(&T) -> bool) -> Result<(), ExportError>,
) -> Result<u64, ExportError> {
    let failed = |error| ExportError::File {
        path: path.to_owned(),
        error,
    };
    let sink = BufWriter::with_capacity(BUFFER_BYTES, sink);
    let sink = Packed::new(format.compression, sink).map_err(failed)?;
    let mut rows = ExportWriter::new(format.rows, sink, progress).map_err(failed)?;
    feed(&mut |row| rows.row(row))?;
    let written = rows.finish().map_err(failed)?;
    written.ok_or(ExportError::Stopped)
}

/// A sink that compresses what it takes, or does not.
enum Packed<W: Write> {
    Plain(W),
    Gzip(GzEncoder<W>),
    Zstd(zstd::stream::write::Encoder<'static, W>),
}

impl<W: Write> Packed<W> {
    fn new(compression: FileCompression, sink: W) -> io::Result<Self> {
        Ok(match compression {
            FileCompression::Plain => Packed::Plain(sink),
            FileCompression::Gzip => Packed::Gzip(GzEncoder::new(sink, Default::default())),
            FileCompression::Zstd => {
                Packed::Zstd(zstd::stream::write::Encoder::new(sink, ZSTD_LEVEL)?)
            }
        })
    }

    /// Writes what is left, and the end.
    fn finish(self) -> io::Result<()> {
        match self {
            Packed::Plain(sink) => Ok(sink),
            Packed::Gzip(packed) => packed.finish(),
            Packed::Zstd(packed) => packed.finish(),
        }?
        .flush()
    }
}

impl<W: Write> Write for Packed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Packed::Plain(sink) => sink.write(bytes),
            Packed::Gzip(packed) => packed.write(bytes),
            Packed::Zstd(packed) => packed.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Packed::Plain(sink) => sink.flush(),
            Packed::Gzip(packed) => packed.flush(),
            Packed::Zstd(packed) => packed.flush(),
        }
    }
}

/// Writes rows to a sink.
struct ExportWriter<'a, T, W: Write + Send> {
    form: RowForm<T, W>,
    progress: &'a mut dyn FnMut(u64) -> bool,
    rows: u64,
    /// Why no more rows are wanted: writing failed, or the export was stopped.
    ended: Option<Result<(), io::Error>>,
}

enum RowForm<T, W: Write + Send> {
    Csv(Box<Csv<T, W>>),
    Jsonl(W),
    #[cfg(feature = "parquet")]
    Parquet(Box<ParquetRows<W>>),
}

impl<'a, T: ExportRow, W: Write + Send> ExportWriter<'a, T, Packed<W>> {
    fn new(
        format: RowFormat,
        sink: Packed<W>,
        progress: &'a mut dyn FnMut(u64) -> bool,
    ) -> io::Result<Self> {
        let form = match format {
            RowFormat::Csv(style) => RowForm::Csv(Box::new(Csv::styled(sink, style)?)),
            RowFormat::Jsonl => RowForm::Jsonl(sink),
            #[cfg(feature = "parquet")]
            RowFormat::Parquet => RowForm::Parquet(Box::new(ParquetRows::new(sink, T::TABLE)?)),
        };
        Ok(ExportWriter {
            form,
            progress,
            rows: 0,
            ended: None,
        })
    }

    /// Writes the next row; `false` if no more rows are wanted.
    fn row(&mut self, row: &T) -> bool {
        let written = match &mut self.form {
            RowForm::Csv(csv) => csv.row(row),
            RowForm::Jsonl(sink) => json_line(sink, row),
            #[cfg(feature = "parquet")]
            RowForm::Parquet(parquet) => row.rows(&mut **parquet),
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
    fn finish(self) -> io::Result<Option<u64>> {
        match self.ended {
            Some(Err(error)) => return Err(error),
            Some(Ok(())) => return Ok(None),
            None => {}
        }
        match self.form {
            RowForm::Csv(csv) => csv.into_sink()?,
            RowForm::Jsonl(sink) => sink,
            #[cfg(feature = "parquet")]
            RowForm::Parquet(parquet) => parquet.finish()?,
        }
        .finish()?;
        Ok(Some(self.rows))
    }
}
