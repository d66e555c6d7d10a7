//! `stats --by user`: one person a row.

use super::Table;
use super::figures::{channel_cell, channel_column, end, lasted, name_zone};
use super::grid::{PagedTable, cell, firm, number, text};
use crate::cli::moment::{Fine, WallClock};
use crate::cli::style::{TerminalStyle, TextColor};
use crate::cli::text::{count, shown};
use crate::query::Zone;
use crate::query::answer::{PresenceFigures, UserStats};
use chrono::NaiveDate;
use comfy_table::Cell;
use std::io::{self, Write};

/// First in and last out.
fn ends(wall: WallClock, presence: &PresenceFigures, known: Option<NaiveDate>) -> [Cell; 2] {
    let first = presence.first_in.map_or("–".to_owned(), |at| {
        end(wall, presence.first_in_not_before, at, known)
    });
    let day = presence.first_in.and_then(|at| wall.day(at)).or(known);
    let last = match presence.last_out {
        Some(at) => end(wall, presence.last_out_not_before, at, day),
        None if presence.first_in.is_some() => "still there".to_owned(),
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
        columns.extend([text("topic"), text("user")]);
        columns.extend(series.then_some(firm("from")));
        columns.extend([
            firm("first in"),
            firm(clock.heading("last out (UTC)", "last out")),
            number("stays"),
            firm("there"),
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
        let topic = row.topic.as_deref().map_or("all".into(), shown);
        cells.push(cell(TextColor::Plain, topic));
        cells.push(cell(TextColor::Head, shown(&row.user)));
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
        self.sheet.flush(sink, view)?;
        name_zone(sink, self.clock)
    }
}
