//! `sessions` and `stats`: durations and counts.

use super::Table;
use super::grid::{Column, PagedTable, cell, firm, number, text};
use crate::cli::moment::{Fine, clock, day, span};
use crate::cli::style::{TerminalStyle, TextColor};
use crate::cli::text::{count, many, member, shown};
use crate::query::answer::{Session, Stats, Time};
use chrono::NaiveDate;
use comfy_table::Cell;
use std::io::{self, Write};

/// Draws stays.
#[derive(Debug)]
pub struct SessionsTable {
    sheet: PagedTable,
    with_channel: bool,
    day: Option<NaiveDate>,
    stays: u64,
}

impl SessionsTable {
    /// `one_channel`: all stays are in one channel, so no column names it.
    #[must_use]
    pub fn new(one_channel: bool) -> SessionsTable {
        let mut columns = channel_column(one_channel);
        columns.extend([
            text("topic"),
            text("user"),
            firm("joined"),
            firm("left (UTC)"),
            firm("lasted"),
        ]);
        SessionsTable {
            sheet: PagedTable::new(columns),
            with_channel: !one_channel,
            day: None,
            stays: 0,
        }
    }
}

fn channel_column(one_channel: bool) -> Vec<Column> {
    if one_channel {
        Vec::new()
    } else {
        vec![text("channel")]
    }
}

fn channel_cell(with_channel: bool, channel: &str) -> Vec<Cell> {
    if with_channel {
        vec![cell(TextColor::Plain, shown(channel))]
    } else {
        Vec::new()
    }
}

/// A time; if it is uncertain, its window.
fn end(not_before: Option<Time>, at: Time, known: Option<NaiveDate>) -> String {
    match not_before.filter(|before| before.0 < at.0) {
        Some(before) => format!(
            "{} – {}",
            clock(before, known, Fine::Seconds),
            clock(at, day(before), Fine::Seconds)
        ),
        None => clock(at, known, Fine::Seconds),
    }
}

fn lasted(session: &Session) -> String {
    match session.max_ms {
        Some(max) if max == session.min_ms => span(max),
        Some(max) => format!("{} – {}", span(session.min_ms), span(max)),
        None => format!("{} or more", span(session.min_ms)),
    }
}

impl Table<Session> for SessionsTable {
    fn row(&mut self, sink: &mut dyn Write, view: &TerminalStyle, row: &Session) -> io::Result<()> {
        self.stays += 1;
        let joined = if row.baseline {
            format!("before {}", clock(row.joined_at, self.day, Fine::Seconds))
        } else {
            end(row.joined_not_before, row.joined_at, self.day)
        };
        self.day = day(row.joined_at);
        let left = match row.left_at {
            Some(at) => end(row.left_not_before, at, self.day),
            None => "still there".to_owned(),
        };
        let mut cells = channel_cell(self.with_channel, &row.channel);
        cells.extend([
            cell(TextColor::Plain, shown(&row.topic)),
            cell(TextColor::Plain, member(&row.user, &row.connection)),
            cell(TextColor::Plain, joined),
            cell(TextColor::Plain, left),
            cell(TextColor::Plain, lasted(row)),
        ]);
        self.sheet.row(sink, view, cells)
    }

    fn finish(&mut self, sink: &mut dyn Write, view: &TerminalStyle) -> io::Result<()> {
        self.sheet.flush(sink, view)?;
        writeln!(sink, "\n{}", many(self.stays, "stay", "stays"))
    }
}

/// Draws statistics.
#[derive(Debug)]
pub struct StatsTable {
    sheet: PagedTable,
    with_channel: bool,
    day: Option<NaiveDate>,
}

impl StatsTable {
    /// `one_channel`: all rows are of one channel, so no column names it. `series`: each row covers an interval, so
    /// there is no column for the time of the peak or for the present count.
    #[must_use]
    pub fn new(one_channel: bool, series: bool) -> StatsTable {
        let mut columns = channel_column(one_channel);
        columns.push(text("topic"));
        columns.extend(series.then_some(firm("from (UTC)")));
        columns.extend([
            number("users"),
            number("joins"),
            number("leaves"),
            number("inferred"),
            number("peak"),
        ]);
        if series {
            columns.push(firm("presence"));
        } else {
            columns.extend([firm("at (UTC)"), firm("presence"), number("now")]);
        }
        StatsTable {
            sheet: PagedTable::new(columns),
            with_channel: !one_channel,
            day: None,
        }
    }
}

impl Table<Stats> for StatsTable {
    fn row(&mut self, sink: &mut dyn Write, view: &TerminalStyle, row: &Stats) -> io::Result<()> {
        let peak = row.peak.map_or("–".into(), |peak| count(peak.count));
        let topic = row.topic.as_deref().map_or("all".into(), shown);
        let whole = if row.topic.is_none() {
            TextColor::Head
        } else {
            TextColor::Plain
        };
        let mut cells = channel_cell(self.with_channel, &row.channel);
        cells.push(cell(whole, topic));
        if let Some(from) = row.from {
            cells.push(cell(TextColor::Plain, clock(from, self.day, Fine::Seconds)));
            self.day = day(from);
        }
        let inferred = format!(
            "+{} -{}",
            count(row.inferred_joins),
            count(row.inferred_leaves)
        );
        cells.extend([
            cell(TextColor::Plain, count(row.distinct_users)),
            cell(TextColor::Plain, count(row.joins)),
            cell(TextColor::Plain, count(row.leaves)),
            cell(TextColor::Plain, inferred),
            cell(TextColor::Plain, peak),
        ]);
        let presence = cell(TextColor::Plain, span(row.presence_ms));
        if row.from.is_some() {
            cells.push(presence);
        } else {
            let at = row.peak.map(|peak| clock(peak.at, None, Fine::Minutes));
            let now = cell(TextColor::Plain, count(row.present_now));
            cells.extend([
                cell(TextColor::Plain, at.unwrap_or_default()),
                presence,
                now,
            ]);
        }
        self.sheet.row(sink, view, cells)
    }

    fn finish(&mut self, sink: &mut dyn Write, view: &TerminalStyle) -> io::Result<()> {
        self.sheet.flush(sink, view)
    }
}
