//! Answers as rows for programs: lines of JSON, or CSV whose columns are the fields of the JSON, in its order.
//! Nothing here is formatted for people.

use super::cells::{Cell, CellSink, fields};
use super::schema::{self, SchemaRow, TableSchema};
use crate::domain::time::Millis;
use crate::ingest::IngestSummary;
use crate::query::answer::{
    Attendance, ChannelAnswer, ForgottenAnswer, Gap, HistoryEntry, Meta, Missed, MissedMember,
    RejectAnswer, Session, Stats, Time, UserStats, Verified, Who,
};
use crate::query::calendar::Zone;
use crate::query::repaired::Repaired;
use serde::Serialize;
use serde_json::value::RawValue;
use std::io::{self, Write};
use std::marker::PhantomData;

/// An answer that can be written in every format.
pub trait ExportRow: Serialize {
    /// The columns of its CSV.
    const TABLE: &'static TableSchema;

    /// Gives the cells of its rows; by default of one, with the fields that the columns name.
    ///
    /// # Errors
    /// When they cannot be written.
    fn rows(&self, sink: &mut dyn CellSink) -> io::Result<()>
    where
        Self: Sized,
    {
        fields(Self::TABLE, self, sink)
    }
}

/// How CSV is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(clippy::exhaustive_enums)]
pub enum CsvStyle {
    /// For programs: every text as it is, times as RFC 3339 in UTC.
    #[default]
    Plain,
    /// For spreadsheets, which otherwise guess the encoding, run a text that begins as a formula does, and take times for
    /// text: marked as UTF-8, such texts disarmed, times of this zone in the form that they know.
    Spreadsheet(Zone),
}

/// The mark of UTF-8 at the front of a file.
const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";

/// Rows of CSV below their header, which is written even without rows.
pub struct Csv<T, W: Write> {
    csv: csv::Writer<W>,
    style: CsvStyle,
    headed: bool,
    row: PhantomData<fn(&T)>,
}

impl<T: ExportRow, W: Write> Csv<T, W> {
    /// A writer without rows yet.
    pub fn new(sink: W) -> Self {
        Csv {
            csv: csv::Writer::from_writer(sink),
            style: CsvStyle::Plain,
            headed: false,
            row: PhantomData,
        }
    }

    /// The same, of another style.
    ///
    /// # Errors
    /// When its mark cannot be written.
    pub fn styled(mut sink: W, style: CsvStyle) -> io::Result<Self> {
        if let CsvStyle::Spreadsheet(_) = style {
            sink.write_all(UTF8_MARK)?;
        }
        let mut builder = csv::WriterBuilder::new();
        if let CsvStyle::Spreadsheet(_) = style {
            builder.quote_style(csv::QuoteStyle::NonNumeric);
        }
        Ok(Csv {
            style,
            csv: builder.from_writer(sink),
            headed: false,
            row: PhantomData,
        })
    }

    /// Writes the next row, or rows.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn row(&mut self, row: &T) -> io::Result<()> {
        self.head()?;
        row.rows(&mut CsvCells {
            csv: &mut self.csv,
            style: self.style,
        })
    }

    /// Writes out what is still buffered.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(&mut self) -> io::Result<()> {
        self.head()?;
        self.csv.flush()
    }

    /// Writes out what is still buffered, and gives the sink back.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn into_sink(mut self) -> io::Result<W> {
        self.head()?;
        let sink = self.csv.into_inner();
        sink.map_err(csv::IntoInnerError::into_error)
    }

    fn head(&mut self) -> io::Result<()> {
        if !std::mem::replace(&mut self.headed, true) {
            let names = T::TABLE.columns.iter().map(|column| column.name);
            self.csv.write_record(names)?;
        }
        Ok(())
    }
}

/// A text that no spreadsheet runs, nor cuts in two. OWASP, "CSV Injection": what begins like a formula is run, and an apostrophe
/// makes it a text. A program that expects semicolons or tabs between cells begins a new cell behind each.
fn disarmed(text: &str) -> String {
    let starts = |part: &str| {
        let begin = part.trim_start_matches(|it: char| {
            it.is_whitespace() || it.is_control() || it == '\u{feff}'
        });
        begin.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠'])
    };
    let line = text.replace(['\r', '\n', '\t'], " ");
    let is_number = line.parse::<f64>().is_ok();
    match !is_number && line.split([';', '"']).any(starts) {
        true => format!("'{}", line.replace(';', ",")),
        false => line,
    }
}

struct CsvCells<'c, W: Write> {
    csv: &'c mut csv::Writer<W>,
    style: CsvStyle,
}

impl<W: Write> CsvCells<'_, W> {
    fn text(&mut self, text: &str) -> csv::Result<()> {
        match self.style {
            CsvStyle::Plain => self.csv.write_field(text),
            CsvStyle::Spreadsheet(_) => self.csv.write_field(disarmed(text)),
        }
    }

    fn time(&mut self, time: Millis) -> csv::Result<()> {
        let wall = match self.style {
            CsvStyle::Plain => None,
            CsvStyle::Spreadsheet(zone) => zone.wall(time),
        };
        match wall {
            Some(wall) => {
                let wall = wall.format("%Y-%m-%d %H:%M:%S%.3f");
                self.csv.write_field(wall.to_string())
            }
            None => self.csv.write_field(Time(time).to_string()),
        }
    }
}

impl<W: Write> CellSink for CsvCells<'_, W> {
    fn cell(&mut self, cell: Cell<'_>) -> io::Result<()> {
        Ok(match cell {
            Cell::Null => self.csv.write_field(b""),
            // Metadata is always JSON, because the string "5" and the number 5 are not the same.
            Cell::Text(text) | Cell::Json(text) => self.text(text),
            Cell::Integer(number) => self.csv.write_field(number.to_string()),
            Cell::Number(number) => self.csv.write_field(serde_json::to_string(&number)?),
            Cell::Boolean(true) => self.csv.write_field(b"true"),
            Cell::Boolean(false) => self.csv.write_field(b"false"),
            Cell::Time(time) => self.time(time),
        }?)
    }

    fn end_row(&mut self) -> io::Result<()> {
        Ok(self.csv.write_record(None::<&[u8]>)?)
    }
}

/// Writes an answer as a line of JSON.
///
/// # Errors
/// When it cannot be written.
pub fn json_line(sink: &mut (impl Write + ?Sized), answer: &impl Serialize) -> io::Result<()> {
    let json = serde_json::to_string(answer)?;
    writeln!(sink, "{json}")
}

impl ExportRow for Who {
    const TABLE: &'static TableSchema = &schema::WHO;

    /// One row per publisher.
    fn rows(&self, sink: &mut dyn CellSink) -> io::Result<()> {
        let coverage = word(&self.coverage)?;
        for topic in &self.topics {
            for publisher in &topic.publishers {
                let certainty = word(&publisher.certainty)?;
                for cell in [
                    Cell::Text(&self.channel),
                    time_cell(self.at),
                    whole(self.seq)?,
                    Cell::Text(&coverage),
                    Cell::Text(&topic.topic),
                    Cell::Text(&publisher.user),
                    Cell::Text(&publisher.connection),
                    meta_cell(&publisher.meta),
                    time_cell(publisher.since),
                    Cell::Text(&certainty),
                ] {
                    sink.cell(cell)?;
                }
                sink.end_row()?;
            }
        }
        Ok(())
    }
}

/// The name of a variant in JSON.
fn word(variant: &impl Serialize) -> io::Result<String> {
    Ok(serde_json::from_str(&serde_json::to_string(variant)?)?)
}

/// Metadata as a cell: as everywhere, a null is an empty one.
fn meta_cell(meta: &Meta) -> Cell<'_> {
    let json = meta.as_deref().map(RawValue::get);
    json.filter(|json| *json != "null")
        .map_or(Cell::Null, Cell::Json)
}

/// A time as a cell.
fn time_cell(time: Option<Time>) -> Cell<'static> {
    time.map_or(Cell::Null, |time| Cell::Time(time.0))
}

/// A number as a cell.
fn whole(number: u64) -> io::Result<Cell<'static>> {
    let number = i64::try_from(number).map_err(io::Error::other)?;
    Ok(Cell::Integer(number))
}

impl ExportRow for Missed {
    const TABLE: &'static TableSchema = &schema::MISSED;

    /// One row per member; of a gap without any, one row that has none.
    fn rows(&self, sink: &mut dyn CellSink) -> io::Result<()> {
        let evidence = word(&self.evidence)?;
        let closed_by = self.closed_by.as_ref().map(word).transpose()?;
        let mut row = |of_member: [Cell<'_>; 7]| {
            let gap = [
                Cell::Integer(self.gap.into()),
                Cell::Text(&self.channel),
                Cell::Time(self.from.0),
                time_cell(self.to),
                Cell::Text(&evidence),
                closed_by.as_deref().map_or(Cell::Null, Cell::Text),
            ];
            for cell in gap.into_iter().chain(of_member) {
                sink.cell(cell)?;
            }
            sink.end_row()
        };
        let mut nobody = true;
        for (happened, members) in [
            ("joined", &self.joined),
            ("left", &self.left),
            ("updated", &self.updated),
        ] {
            for member in members {
                nobody = false;
                row(member_cells(happened, member))?;
            }
        }
        match nobody {
            true => row([Cell::Null; 7]),
            false => Ok(()),
        }
    }
}

fn member_cells<'m>(happened: &'m str, member: &'m MissedMember) -> [Cell<'m>; 7] {
    [
        Cell::Text(happened),
        Cell::Text(&member.topic),
        Cell::Text(&member.user),
        Cell::Text(&member.connection),
        meta_cell(&member.meta),
        time_cell(member.not_before),
        time_cell(member.not_after),
    ]
}

impl ExportRow for Stats {
    const TABLE: &'static TableSchema = &schema::STATS;

    /// The peak has two cells.
    fn rows(&self, sink: &mut dyn CellSink) -> io::Result<()> {
        let peak = self.peak.map(|peak| whole(peak.count)).transpose()?;
        for cell in [
            Cell::Text(&self.channel),
            self.topic.as_deref().map_or(Cell::Null, Cell::Text),
            whole(self.distinct_users)?,
            whole(self.joins)?,
            whole(self.leaves)?,
            whole(self.inferred_joins)?,
            whole(self.inferred_leaves)?,
            peak.unwrap_or(Cell::Null),
            time_cell(self.peak.map(|peak| peak.at)),
            Cell::Integer(self.presence_ms),
            whole(self.present_now)?,
            time_cell(self.from),
            time_cell(self.to),
        ] {
            sink.cell(cell)?;
        }
        sink.end_row()
    }
}

/// Declares the tables of answers whose columns are their fields.
macro_rules! rows_of_fields {
    ($($answer:ty => $table:ident,)*) => {$(
        impl ExportRow for $answer {
            const TABLE: &'static TableSchema = &schema::$table;
        }
    )*};
}

rows_of_fields! {
    HistoryEntry => HISTORY,
    Session => SESSIONS,
    UserStats => USERS,
    Attendance => ATTENDANCE,
    Gap => GAPS,
    ChannelAnswer => CHANNELS,
    RejectAnswer => REJECTS,
    ForgottenAnswer => FORGOTTEN,
    IngestSummary => INGEST,
    Verified => VERIFY,
    Repaired => REPAIR,
    SchemaRow => SCHEMA,
}
