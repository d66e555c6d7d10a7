//! Answers as rows for programs: lines of JSON, or CSV whose columns are the fields of the JSON, in its order.
//! Nothing here is formatted for people.

use super::schema::{self, SchemaRow, TableSchema};
use crate::ingest::IngestSummary;
use crate::query::answer::{
    Attendance, ChannelAnswer, Gap, HistoryEntry, Meta, Missed, MissedMember, RejectAnswer,
    Session, Stats, Time, UserStats, Verified, Who,
};
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::io::{self, Write};
use std::marker::PhantomData;

/// An answer that can be written in every format.
pub trait ExportRow: Serialize {
    /// The columns of its CSV.
    const TABLE: &'static TableSchema;

    /// Writes its rows; by default one, with the fields that the columns name.
    ///
    /// # Errors
    /// When they cannot be written.
    fn rows<W: Write>(&self, csv: &mut csv::Writer<W>) -> io::Result<()> {
        let json = serde_json::to_string(self)?;
        let fields: HashMap<&str, &RawValue> = serde_json::from_str(&json)?;
        for column in Self::TABLE.columns {
            csv.write_field(cell(column.name, fields.get(column.name).copied())?)?;
        }
        Ok(csv.write_record(None::<&[u8]>)?)
    }
}

/// A field as the text of a cell: strings bare, null empty, all else as JSON. Metadata is always JSON, because the
/// string "5" and the number 5 are not the same.
fn cell(column: &str, field: Option<&RawValue>) -> io::Result<String> {
    let json = field.map_or("null", RawValue::get);
    Ok(match json {
        "null" => String::new(),
        _ if column != "meta" && json.starts_with('"') => serde_json::from_str(json)?,
        _ => json.to_owned(),
    })
}

/// Rows of CSV below their header, which is written even without rows.
pub struct Csv<T, W: Write> {
    csv: csv::Writer<W>,
    headed: bool,
    row: PhantomData<fn(&T)>,
}

impl<T: ExportRow, W: Write> Csv<T, W> {
    /// A writer without rows yet.
    pub fn new(sink: W) -> Self {
        Csv {
            csv: csv::Writer::from_writer(sink),
            headed: false,
            row: PhantomData,
        }
    }

    /// Writes the next row, or rows.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn row(&mut self, row: &T) -> io::Result<()> {
        self.head()?;
        row.rows(&mut self.csv)
    }

    /// Writes out what is still buffered.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(&mut self) -> io::Result<()> {
        self.head()?;
        self.csv.flush()
    }

    fn head(&mut self) -> io::Result<()> {
        if !std::mem::replace(&mut self.headed, true) {
            let names = T::TABLE.columns.iter().map(|column| column.name);
            self.csv.write_record(names)?;
        }
        Ok(())
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
    fn rows<W: Write>(&self, csv: &mut csv::Writer<W>) -> io::Result<()> {
        let at = time_cell(self.at);
        let seq = self.seq.to_string();
        let coverage = word(&self.coverage)?;
        for topic in &self.topics {
            for publisher in &topic.publishers {
                let since = time_cell(publisher.since);
                let certainty = word(&publisher.certainty)?;
                csv.write_record([
                    self.channel.as_str(),
                    &at,
                    &seq,
                    &coverage,
                    &topic.topic,
                    &publisher.user,
                    &publisher.connection,
                    meta_cell(&publisher.meta),
                    &since,
                    &certainty,
                ])?;
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
fn meta_cell(meta: &Meta) -> &str {
    let json = meta.as_deref().map(RawValue::get);
    json.filter(|json| *json != "null").unwrap_or_default()
}

/// A time as a cell.
fn time_cell(time: Option<Time>) -> String {
    time.map_or_else(String::new, |time| time.to_string())
}

impl ExportRow for Missed {
    const TABLE: &'static TableSchema = &schema::MISSED;

    /// One row per member; of a gap without any, one row that has none.
    fn rows<W: Write>(&self, csv: &mut csv::Writer<W>) -> io::Result<()> {
        let evidence = word(&self.evidence)?;
        let closed_by = self.closed_by.as_ref().map(word).transpose()?;
        let gap = [
            self.gap.to_string(),
            self.channel.clone(),
            self.from.to_string(),
            time_cell(self.to),
            evidence,
            closed_by.unwrap_or_default(),
        ];
        let lists = [
            ("joined", &self.joined),
            ("left", &self.left),
            ("updated", &self.updated),
        ];
        let members = lists.into_iter().flat_map(|(happened, members)| {
            members
                .iter()
                .map(move |member| member_cells(happened, member))
        });
        let mut members = members.peekable();
        if members.peek().is_none() {
            let nobody: [String; 7] = Default::default();
            csv.write_record(gap.iter().chain(&nobody))?;
        }
        for member in members {
            csv.write_record(gap.iter().chain(&member))?;
        }
        Ok(())
    }
}

fn member_cells(happened: &str, member: &MissedMember) -> [String; 7] {
    [
        happened.to_owned(),
        member.topic.clone(),
        member.user.clone(),
        member.connection.clone(),
        meta_cell(&member.meta).to_owned(),
        time_cell(member.not_before),
        time_cell(member.not_after),
    ]
}

impl ExportRow for Stats {
    const TABLE: &'static TableSchema = &schema::STATS;

    /// The peak has two cells.
    fn rows<W: Write>(&self, csv: &mut csv::Writer<W>) -> io::Result<()> {
        let number = |number: u64| number.to_string();
        Ok(csv.write_record([
            self.channel.clone(),
            self.topic.clone().unwrap_or_default(),
            number(self.distinct_users),
            number(self.joins),
            number(self.leaves),
            number(self.inferred_joins),
            number(self.inferred_leaves),
            self.peak
                .map_or_else(String::new, |peak| number(peak.count)),
            time_cell(self.peak.map(|peak| peak.at)),
            self.presence_ms.to_string(),
            number(self.present_now),
            time_cell(self.from),
            time_cell(self.to),
        ])?)
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
    IngestSummary => INGEST,
    Verified => VERIFY,
    SchemaRow => SCHEMA,
}
