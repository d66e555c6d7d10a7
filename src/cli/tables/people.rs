//! `stats --by user` and `attendance`: one person a row.

use super::Table;
use super::figures::{channel_cell, channel_column, end, lasted, name_zone};
use super::grid::{GridCell, PagedTable, cell, firm, number, prose, text, times};
use crate::cli::moment::{Fine, WallClock, span};
use crate::cli::style::{TerminalStyle, TextColor};
use crate::cli::text::{count, many, name};
use crate::cli::width::glued;
use crate::domain::time::Millis;
use crate::query::Zone;
use crate::query::answer::{Attendance, PresenceFigures, Time, UserStats};
use chrono::NaiveDate;
use std::io::{self, Write};

/// First in and last out.
fn ends(wall: WallClock, presence: &PresenceFigures, known: Option<NaiveDate>) -> [GridCell; 2] {
    let first = presence.first_in.map_or("–".to_owned(), |at| {
        end(wall, presence.first_in_not_before, at, known)
    });
    let day = presence.first_in.and_then(|at| wall.day(at)).or(known);
    let last = match presence.last_out {
        Some(at) => end(wall, presence.last_out_not_before, at, day),
        None if presence.first_in.is_some() => glued("still there"),
        None => "–".to_owned(),
    };
    [first, last].map(|text| cell(TextColor::Plain, text))
}

/// Draws the figures of users.
#[derive(Debug)]
pub struct UsersTable {
    sheet: PagedTable,
    with_channel: bool,
    series: bool,
    clock: WallClock,
    day: Option<NaiveDate>,
}

impl UsersTable {
    /// `one_channel`: all rows are of one channel, so no column names it. `series`: each row covers an interval.
    #[must_use]
    pub fn new(one_channel: bool, series: bool, zone: Option<Zone>) -> UsersTable {
        let clock = WallClock(zone);
        let mut columns = channel_column(one_channel);
        columns.extend([text("topic").gives_way(3), text("user")]);
        columns.extend(series.then_some(firm("from")));
        columns.extend([
            times("first in"),
            times(clock.heading("last out (UTC)", "last out")),
            number("stays").gives_way(1),
            times("there"),
        ]);
        UsersTable {
            sheet: PagedTable::new(columns),
            with_channel: !one_channel,
            series,
            clock,
            day: None,
        }
    }
}

impl Table<UserStats> for UsersTable {
    fn row(
        &mut self,
        sink: &mut dyn Write,
        view: &TerminalStyle,
        row: &UserStats,
    ) -> io::Result<()> {
        let presence = &row.presence;
        let mut cells = channel_cell(self.with_channel, &row.channel);
        let topic = row.topic.as_deref().map_or("all".into(), name);
        cells.push(cell(TextColor::Plain, topic));
        cells.push(cell(TextColor::Head, name(&row.user)));
        if self.series {
            let from = row.starts_at.map(|from| {
                let text = self.clock.clock(from, self.day, Fine::Seconds);
                self.day = self.clock.day(from);
                text
            });
            cells.push(cell(TextColor::Plain, from.unwrap_or_default()));
        }
        cells.extend(ends(self.clock, presence, self.day));
        let first = presence.first_in.and_then(|at| self.clock.day(at));
        self.day = first.or(self.day);
        let there = lasted(presence.min_ms, presence.max_ms);
        cells.extend([
            cell(TextColor::Plain, count(presence.stays)),
            cell(TextColor::Plain, there),
        ]);
        self.sheet.row(sink, view, cells)
    }

    fn finish(&mut self, sink: &mut dyn Write, view: &TerminalStyle) -> io::Result<()> {
        self.sheet.finish(sink, view)?;
        name_zone(sink, self.clock)
    }
}

/// Draws attendance, each appointment under its own line.
#[derive(Debug)]
pub struct AttendanceTable {
    sheet: PagedTable,
    channel: String,
    clock: WallClock,
    /// The appointment whose people are being drawn.
    appointment: Option<(Time, Time)>,
    people: u64,
}

impl AttendanceTable {
    /// A table for this channel.
    #[must_use]
    pub fn new(channel: &str, zone: Option<Zone>) -> AttendanceTable {
        AttendanceTable {
            sheet: AttendanceTable::sheet(),
            channel: name(channel).into_owned(),
            clock: WallClock(zone),
            appointment: None,
            people: 0,
        }
    }

    fn sheet() -> PagedTable {
        PagedTable::new(vec![
            text("who"),
            times("first in"),
            times("last out"),
            number("minutes"),
            number("share").gives_way(1),
            prose("note"),
        ])
    }

    fn head(&self, row: &Attendance) -> String {
        let from = self.clock.clock(row.starts_at, None, Fine::Minutes);
        let day = self.clock.day(row.starts_at);
        let to = self.clock.clock(row.ends_at, day, Fine::Minutes);
        let zone = self
            .clock
            .0
            .map_or_else(|| "UTC".to_owned(), |zone| zone.to_string());
        let unwatched = match row.gaps {
            0 => String::new(),
            gaps => {
                let gaps = many(gaps, "gap", "gaps");
                format!(" · {gaps}: nobody watched for {}", span(row.unwatched_ms))
            }
        };
        format!("{} · {from} – {to} ({zone}){unwatched}", self.channel)
    }
}

/// Minutes at least and at most: what is certain is rounded down, what is possible up.
fn minutes(least: Millis, most: Option<Millis>) -> String {
    let (whole, part) = (least / 60_000, least % 60_000);
    match most {
        Some(most) if most == least && part == 0 => whole.to_string(),
        Some(most) if most == least => format!("{whole}:{:02}", part / 1_000),
        Some(most) => format!("{whole} – {}", most.saturating_add(59_999) / 60_000),
        None => format!("{whole} or more"),
    }
}

fn percent(least: f64, most: f64) -> String {
    let [low, high] = [(least * 100.0).floor(), (most * 100.0).ceil()];
    if least >= most {
        format!("{:.0} %", least * 100.0)
    } else {
        format!("{low:.0} – {high:.0} %")
    }
}

fn note(row: &Attendance) -> String {
    let absent = row.presence.max_ms == Some(0) && row.presence.stays == 0;
    let possible = row.presence.stays == 0 && !absent;
    let notes = [
        (absent, "absent"),
        (possible, "possibly there"),
        (row.late == Some(true), "late"),
        (row.left_early == Some(true), "left early"),
        (row.expected == Some(false), "not expected"),
    ];
    let notes = notes.iter().filter(|(is, _)| *is).map(|(_, note)| *note);
    notes.collect::<Vec<_>>().join(", ")
}

impl Table<Attendance> for AttendanceTable {
    fn row(
        &mut self,
        sink: &mut dyn Write,
        view: &TerminalStyle,
        row: &Attendance,
    ) -> io::Result<()> {
        let appointment = (row.starts_at, row.ends_at);
        if self.appointment != Some(appointment) {
            self.sheet.restart(sink, view)?;
            let gap = if self.appointment.is_some() { "\n" } else { "" };
            writeln!(sink, "{gap}{}", view.ink(TextColor::Head, &self.head(row)))?;
            self.appointment = Some(appointment);
        }
        self.people += 1;
        let presence = &row.presence;
        let [first, last] = ends(self.clock, presence, self.clock.day(row.starts_at));
        self.sheet.row(
            sink,
            view,
            vec![
                cell(TextColor::Head, name(&row.user)),
                first,
                last,
                cell(TextColor::Plain, minutes(presence.min_ms, presence.max_ms)),
                cell(TextColor::Plain, percent(row.min_share, row.max_share)),
                cell(TextColor::Changed, note(row)),
            ],
        )
    }

    fn finish(&mut self, sink: &mut dyn Write, view: &TerminalStyle) -> io::Result<()> {
        self.sheet.finish(sink, view)?;
        if self.people == 0 {
            return writeln!(sink, "{} · nobody", self.channel);
        }
        Ok(())
    }
}
