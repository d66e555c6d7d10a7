//! `sessions` and `stats`: how long, how many.

use super::Table;
use super::grid::{Sheet, cell, firm, number, text};
use crate::cli::moment::{Fine, clock, day, span};
use crate::cli::text::{count, many, member, shown};
use crate::cli::view::{Ink, View};
use crate::query::answer::{Session, Stats, Time};
use chrono::NaiveDate;
use std::io::{self, Write};

/// Draws stays.
#[derive(Debug)]
pub struct SessionsTable {
    sheet: Sheet,
    day: Option<NaiveDate>,
    stays: u64,
}

impl Default for SessionsTable {
    fn default() -> Self {
        let columns = vec![
            text("channel"),
            text("topic"),
            text("user"),
            firm("joined"),
            firm("left (UTC)"),
            firm("lasted"),
        ];
        SessionsTable {
            sheet: Sheet::new(columns),
            day: None,
            stays: 0,
        }
    }
}

/// A moment, with the window's beginning where it is not sure.
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
    fn row(&mut self, sink: &mut dyn Write, view: &View, row: &Session) -> io::Result<()> {
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
        let cells = vec![
            cell(Ink::Plain, shown(&row.channel)),
            cell(Ink::Plain, shown(&row.topic)),
            cell(Ink::Plain, member(&row.user, &row.connection)),
            cell(Ink::Plain, joined),
            cell(Ink::Plain, left),
            cell(Ink::Plain, lasted(row)),
        ];
        self.sheet.row(sink, view, cells)
    }

    fn finish(&mut self, sink: &mut dyn Write, view: &View) -> io::Result<()> {
        self.sheet.flush(sink, view)?;
        writeln!(sink, "\n{}", many(self.stays, "stay", "stays"))
    }
}

/// Draws figures.
#[derive(Debug)]
pub struct StatsTable {
    sheet: Sheet,
    day: Option<NaiveDate>,
}

impl Default for StatsTable {
    fn default() -> Self {
        let columns = vec![
            text("channel"),
            text("topic"),
            firm("from (UTC)"),
            number("users"),
            number("joins"),
            number("leaves"),
            number("inferred"),
            number("peak"),
            firm("at"),
            firm("presence"),
            number("now"),
        ];
        StatsTable {
            sheet: Sheet::new(columns),
            day: None,
        }
    }
}

impl Table<Stats> for StatsTable {
    fn row(&mut self, sink: &mut dyn Write, view: &View, row: &Stats) -> io::Result<()> {
        let from = row
            .from
            .map_or(String::new(), |from| clock(from, self.day, Fine::Seconds));
        self.day = row.from.and_then(day);
        let (peak, at) = row.peak.map_or((String::from("–"), String::new()), |peak| {
            (count(peak.count), clock(peak.at, self.day, Fine::Seconds))
        });
        let topic = row.topic.as_deref().map_or("all".into(), shown);
        let whole = if row.topic.is_none() {
            Ink::Head
        } else {
            Ink::Plain
        };
        let cells = vec![
            cell(Ink::Plain, shown(&row.channel)),
            cell(whole, topic),
            cell(Ink::Plain, from),
            cell(Ink::Plain, count(row.distinct_users)),
            cell(Ink::Plain, count(row.joins)),
            cell(Ink::Plain, count(row.leaves)),
            cell(
                Ink::Plain,
                format!(
                    "+{} -{}",
                    count(row.inferred_joins),
                    count(row.inferred_leaves)
                ),
            ),
            cell(Ink::Plain, peak),
            cell(Ink::Plain, at),
            cell(Ink::Plain, span(row.presence_ms)),
            cell(Ink::Plain, count(row.present_now)),
        ];
        self.sheet.row(sink, view, cells)
    }

    fn finish(&mut self, sink: &mut dyn Write, view: &View) -> io::Result<()> {
        self.sheet.flush(sink, view)
    }
}
