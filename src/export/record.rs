//! Answers as rows for programs: lines of JSON, or CSV whose columns are the fields of the JSON, in its order.
//! Nothing here is formatted for people.

use crate::ingest::IngestSummary;
use crate::query::answer::{
    ChannelAnswer, Gap, HistoryEntry, Missed, RejectAnswer, Session, Stats, Verified, Who,
};
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::io::{self, Write};
use std::marker::PhantomData;

/// An answer that can be written in every format.
pub trait ExportRow: Serialize {
    /// The columns of its CSV.
    const COLUMNS: &'static [&'static str];

    /// Writes its rows; by default one, with the fields that the columns name.
    ///
    /// # Errors
    /// When they cannot be written.
    fn rows<W: Write>(&self, csv: &mut csv::Writer<W>) -> io::Result<()> {
        let json = serde_json::to_string(self)?;
        let fields: HashMap<&str, &RawValue> = serde_json::from_str(&json)?;
        for column in Self::COLUMNS {
            csv.write_field(cell(column, fields.get(column).copied())?)?;
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
            self.csv.write_record(T::COLUMNS)?;
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
    const COLUMNS: &'static [&'static str] = &[
        "channel",
        "at",
        "seq",
        "coverage",
        "topic",
        "user",
        "connection",
        "meta",
        "since",
        "certainty",
    ];

    /// One row per publisher.
    fn rows<W: Write>(&self, csv: &mut csv::Writer<W>) -> io::Result<()> {
        let at = self.at.map_or_else(String::new, |at| at.to_string());
        let seq = self.seq.to_string();
        let coverage = word(&self.coverage)?;
        for topic in &self.topics {
            for publisher in &topic.publishers {
                let since = publisher
                    .since
                    .map_or_else(String::new, |since| since.to_string());
                let certainty = word(&publisher.certainty)?;
                csv.write_record([
                    self.channel.as_str(),
                    &at,
                    &seq,
                    &coverage,
                    &topic.topic,
                    &publisher.user,
                    &publisher.connection,
                    // As everywhere, a null is an empty cell.
                    publisher
                        .meta
                        .as_deref()
                        .map(RawValue::get)
                        .filter(|meta| *meta != "null")
                        .unwrap_or_default(),
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

impl ExportRow for HistoryEntry {
    const COLUMNS: &'static [&'static str] = &[
        "seq",
        "channel",
        "type",
        "topic",
        "user",
        "connection",
        "meta",
        "occurred_at",
        "recorded_at",
        "effective_at",
        "observer",
        "state",
        "origin",
        "disposition",
        "snapshot_seq",
        "not_before",
        "not_after",
        "baseline",
        "reason",
        "id",
        "pos",
        "source_ts",
        "members",
        "complete",
    ];
}

impl ExportRow for Missed {
    const COLUMNS: &'static [&'static str] = &[
        "gap",
        "channel",
        "from",
        "to",
        "evidence",
        "closed_by",
        "joined",
        "left",
        "updated",
    ];
}

impl ExportRow for Session {
    const COLUMNS: &'static [&'static str] = &[
        "channel",
        "topic",
        "user",
        "connection",
        "joined_at",
        "joined_not_before",
        "left_at",
        "left_not_before",
        "join_origin",
        "leave_origin",
        "baseline",
        "min_ms",
        "max_ms",
    ];
}

impl ExportRow for Stats {
    const COLUMNS: &'static [&'static str] = &[
        "channel",
        "topic",
        "distinct_users",
        "joins",
        "leaves",
        "inferred_joins",
        "inferred_leaves",
        "peak",
        "presence_ms",
        "present_now",
        "from",
        "to",
    ];
}

impl ExportRow for Gap {
    const COLUMNS: &'static [&'static str] = &[
        "gap",
        "channel",
        "from",
        "to",
        "evidence",
        "closed_by",
        "resumed",
        "joined",
        "left",
        "updated",
    ];
}

impl ExportRow for ChannelAnswer {
    const COLUMNS: &'static [&'static str] = &[
        "channel",
        "topics",
        "present_now",
        "entries",
        "first_at",
        "last_at",
        "coverage",
    ];
}

impl ExportRow for RejectAnswer {
    const COLUMNS: &'static [&'static str] = &["n", "source", "line", "byte", "reason", "text"];
}

impl ExportRow for IngestSummary {
    const COLUMNS: &'static [&'static str] = &[
        "lines",
        "events",
        "entries",
        "joins",
        "leaves",
        "updates",
        "snapshots",
        "inferred_joins",
        "inferred_leaves",
        "inferred_updates",
        "baseline_joins",
        "duplicates",
        "stale",
        "unknown",
        "collected",
        "retries",
        "retries_differing",
        "rejected",
        "clamped",
        "first_seq",
        "last_seq",
        "elapsed_ms",
    ];
}

impl ExportRow for Verified {
    const COLUMNS: &'static [&'static str] = &["ok", "entries", "commits", "problems"];
}
