//! Rows as Parquet: cells are collected by column, and written as row groups. Which columns there are, the tables say.

use super::cells::{Cell, CellSink};
use super::schema::{ColumnKind, ColumnSchema, TableSchema};
use crate::limits::{PARQUET_BYTES_MAX, PARQUET_ROWS};
use bytes::Bytes;
use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::parser::parse_message_type;
use std::io::{self, Write};
use std::ops::Range;
use std::sync::Arc;

/// zstd's level: higher ones take far longer, and gain little on columns.
const ZSTD_LEVEL: i32 = 3;

/// A file of rows of one table.
pub(super) struct ParquetRows<W: Write + Send> {
    file: SerializedFileWriter<W>,
    columns: Vec<ColumnCells>,
    /// The column of the next cell.
    at: usize,
    rows: usize,
    bytes: usize,
}

/// The cells of a column in the row group that is being collected.
struct ColumnCells {
    kind: ColumnKind,
    nullable: bool,
    /// For each row, whether it has a value; only of a column where it may have none.
    levels: Vec<i16>,
    values: ColumnValues,
}

enum ColumnValues {
    /// All texts one after another, and where each is.
    Texts(Vec<u8>, Vec<Range<usize>>),
    Whole(Vec<i64>),
    Numbers(Vec<f64>),
    Booleans(Vec<bool>),
}

impl ColumnValues {
    fn of(kind: ColumnKind) -> ColumnValues {
        match kind {
            ColumnKind::Text | ColumnKind::Json => ColumnValues::Texts(Vec::new(), Vec::new()),
            ColumnKind::Integer | ColumnKind::Time => ColumnValues::Whole(Vec::new()),
            ColumnKind::Number => ColumnValues::Numbers(Vec::new()),
            ColumnKind::Boolean => ColumnValues::Booleans(Vec::new()),
        }
    }
}

fn failed(error: ParquetError) -> io::Error {
    io::Error::other(error)
}

/// A column as Parquet's own language declares it.
fn declared(column: &ColumnSchema) -> String {
    let may_lack = match column.nullable {
        true => "optional",
        false => "required",
    };
    let name = column.name;
    let (kind, means) = match column.kind {
        // Not its own JSON: DuckDB would need an extension to read it.
        ColumnKind::Text | ColumnKind::Json => ("binary", " (STRING)"),
        ColumnKind::Integer => ("int64", ""),
        ColumnKind::Number => ("double", ""),
        ColumnKind::Boolean => ("boolean", ""),
        ColumnKind::Time => ("int64", " (TIMESTAMP(MILLIS,true))"),
    };
    format!("{may_lack} {kind} {name}{means};")
}

impl<W: Write + Send> ParquetRows<W> {
    pub fn new(sink: W, table: &TableSchema) -> io::Result<Self> {
        let columns: String = table.columns.iter().map(declared).collect();
        let message = format!("message rollbook {{ {columns} }}");
        let schema = Arc::new(parse_message_type(&message).map_err(failed)?);
        let level = ZstdLevel::try_new(ZSTD_LEVEL).map_err(failed)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_created_by(concat!("rollbook ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let columns = table.columns.iter().map(|column| ColumnCells {
            kind: column.kind,
            nullable: column.nullable,
            levels: Vec::new(),
            values: ColumnValues::of(column.kind),
        });
        Ok(ParquetRows {
            file: SerializedFileWriter::new(sink, schema, Arc::new(properties)).map_err(failed)?,
            columns: columns.collect(),
            at: 0,
            rows: 0,
            bytes: 0,
        })
    }

    /// Writes what was collected as a row group.
    fn flush(&mut self) -> io::Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        let mut group = self.file.next_row_group().map_err(failed)?;
        for column in &mut self.columns {
            let writer = group.next_column().map_err(failed)?;
            let mut writer = writer.ok_or_else(|| io::Error::other("a column is missing"))?;
            column.write(&mut writer).map_err(failed)?;
            writer.close().map_err(failed)?;
        }
        group.close().map_err(failed)?;
        (self.rows, self.bytes) = (0, 0);
        Ok(())
    }

    /// Writes the rest, and the end of the file, and gives the sink back.
    pub fn finish(mut self) -> io::Result<W> {
        self.flush()?;
        self.file.into_inner().map_err(failed)
    }
}

impl ColumnCells {
    fn write(&mut self, writer: &mut SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        let levels = std::mem::take(&mut self.levels);
        let levels = self.nullable.then_some(levels.as_slice());
        match std::mem::replace(&mut self.values, ColumnValues::of(self.kind)) {
            ColumnValues::Texts(all, ranges) => {
                let all = Bytes::from(all);
                let texts = ranges
                    .into_iter()
                    .map(|range| ByteArray::from(all.slice(range)));
                let texts: Vec<ByteArray> = texts.collect();
                put::<ByteArrayType>(writer, &texts, levels)
            }
            ColumnValues::Whole(numbers) => put::<Int64Type>(writer, &numbers, levels),
            ColumnValues::Numbers(numbers) => put::<DoubleType>(writer, &numbers, levels),
            ColumnValues::Booleans(values) => put::<BoolType>(writer, &values, levels),
        }
    }
}

fn put<D: DataType>(
    writer: &mut SerializedColumnWriter<'_>,
    values: &[D::T],
    levels: Option<&[i16]>,
) -> Result<(), ParquetError> {
    let column = writer.typed::<D>();
    column.write_batch(values, levels, None).map(drop)
}

impl<W: Write + Send> CellSink for ParquetRows<W> {
    fn cell(&mut self, cell: Cell<'_>) -> io::Result<()> {
        let column = self.columns.get_mut(self.at);
        let column = column.ok_or_else(|| io::Error::other("a row has too many cells"))?;
        self.at += 1;
        let is_there = cell != Cell::Null;
        if column.nullable {
            column.levels.push(i16::from(is_there));
        }
        match (&mut column.values, cell) {
            (_, Cell::Null) if column.nullable => {}
            (ColumnValues::Texts(all, ranges), Cell::Text(text) | Cell::Json(text)) => {
                let begin = all.len();
                all.extend_from_slice(text.as_bytes());
                ranges.push(begin..all.len());
                self.bytes += text.len();
            }
            (ColumnValues::Whole(all), Cell::Integer(number) | Cell::Time(number)) => {
                all.push(number);
            }
            (ColumnValues::Numbers(all), Cell::Number(number)) => all.push(number),
            (ColumnValues::Booleans(all), Cell::Boolean(value)) => all.push(value),
            _ => return Err(io::Error::other("a cell is not what its column has")),
        }
        Ok(())
    }

    fn end_row(&mut self) -> io::Result<()> {
        if self.at != self.columns.len() {
            return Err(io::Error::other("a row has too few cells"));
        }
        self.at = 0;
        self.rows += 1;
        match self.rows >= PARQUET_ROWS || self.bytes >= PARQUET_BYTES_MAX {
            true => self.flush(),
            false => Ok(()),
        }
    }
}
