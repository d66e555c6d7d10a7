//! `sessions` and `stats`: durations and counts.

use super::Table;
use super::grid::{Column, PagedTable, cell, firm, number, text};
use crate::cli::moment::{Fine, WallClock, span};
use crate::cli::spark::spark;
use crate::cli::style::{TerminalStyle, TextColor};
use crate::cli::text::{count, many, member, name, shown};
use crate::cli::timeline::series::PeakCharts;
use crate::cli::width::{WordCut, columns, cut};
use crate::domain::time::Millis;
use crate::limits::STATS_CHARTS_MAX;
use crate::query::Zone;
use crate::query::answer::{Session, Stats, Time};
use crate::query::params::PerParam;
use chrono::NaiveDate;
use comfy_table::Cell;
use std::io::{self, Write};

/// Draws stays.
#[derive(Debug)]
pub struct SessionsTable {
    sheet: PagedTable,
    with_channel: bool,
    with_topic: bool,
    clock: WallClock,
    day: Option<NaiveDate>,
    stays: u64,
}

impl SessionsTable {
    /// `one_channel`: all stays are in one channel, so no column names it. Stays that are united over topics have none.
    #[must_use]
    pub fn new(one_channel: bool, per: Option<PerParam>, zone: Option<Zone>) -> SessionsTable {
        let clock = WallClock(zone);
        let mut columns = channel_column(one_channel);
        let with_topic = per != Some(PerParam::Channel);
        columns.extend(with_topic.then_some(text("topic")));
        columns.extend([
            text("user"),
            firm("joined"),
            firm(clock.heading("left (UTC)", "left")),
            firm("lasted"),
        ]);
        SessionsTable {
            sheet: PagedTable::new(columns),
            with_channel: !one_channel,
            with_topic,
            clock,
            day: None,
            stays: 0,
        }
    }
}

pub(super) fn channel_column(one_channel: bool) -> Vec<Column> {
    if one_channel {
        Vec::new()
    } else {
        vec![text("channel")]
    }
}

pub(super) fn channel_cell(with_channel: bool, channel: &str) -> Vec<Cell> {
    if with_channel {
        vec![cell(TextColor::Plain, shown(channel))]
    } else {
        Vec::new()
    }
}

/// A time; if it is uncertain, its window.
pub(super) fn end(
    wall: WallClock,
    not_before: Option<Time>,
    at: Time,
    known: Option<NaiveDate>,
) -> String {
    match not_before.filter(|before| before.0 < at.0) {
        Some(before) => format!(
            "{} – {}",
            wall.clock(before, known, Fine::Seconds),
            wall.clock(at, wall.day(before), Fine::Seconds)
        ),
        None => wall.clock(at, known, Fine::Seconds),
    }
}

/// A length between bounds.
pub(super) fn lasted(min_ms: Millis, max_ms: Option<Millis>) -> String {
    match max_ms {
        Some(max) if max == min_ms => span(max),
        Some(max) => format!("{} – {}", span(min_ms), span(max)),
        None => format!("{} or more", span(min_ms)),
    }
}

/// The line below a table that names the zone of its times.
pub(super) fn name_zone(sink: &mut dyn Write, wall: WallClock) -> io::Result<()> {
    match wall.note() {
        Some(note) => writeln!(sink, "{note}"),
        None => Ok(()),
    }
}

impl Table<Session> for SessionsTable {
    fn row(&mut self, sink: &mut dyn Write, view: &TerminalStyle, row: &Session) -> io::Result<()> {
        self.stays += 1;
        let wall = self.clock;
        let joined = if row.baseline {
            let at = wall.clock(row.joined_at, self.day, Fine::Seconds);
            format!("before {at}")
        } else {
            end(wall, row.joined_not_before, row.joined_at, self.day)
        };
        self.day = wall.day(row.joined_at);
        let left = match row.left_at {
            Some(at) => end(wall, row.left_not_before, at, self.day),
            None => "still there".to_owned(),
        };
        let mut cells = channel_cell(self.with_channel, &row.channel);
        if self.with_topic {
            let topic = row.topic.as_deref().unwrap_or_default();
            cells.push(cell(TextColor::Plain, shown(topic)));
        }
        cells.extend([
            cell(
                TextColor::Plain,
                member(&row.user, row.connection.as_deref().unwrap_or_default()),
            ),
            cell(TextColor::Plain, joined),
            cell(TextColor::Plain, left),
            cell(TextColor::Plain, lasted(row.min_ms, row.max_ms)),
        ]);
        self.sheet.row(sink, view, cells)
    }

    fn finish(&mut self, sink: &mut dyn Write, view: &TerminalStyle) -> io::Result<()> {
        self.sheet.flush(sink, view)?;
        writeln!(sink, "\n{}", many(self.stays, "stay", "stays"))?;
        name_zone(sink, self.clock)
    }
}

/// Draws statistics.
#[derive(Debug)]
pub struct StatsTable {
    sheet: PagedTable,
    with_channel: bool,
    clock: WallClock,
    day: Option<NaiveDate>,
    charts: PeakCharts,
}

impl StatsTable {
    /// `one_channel`: all rows are of one channel, so no column names it. `series`: each row covers an interval, so
    /// there is no column for the time of the peak or for the present count.
    #[must_use]
    pub fn new(one_channel: bool, series: bool, zone: Option<Zone>) -> StatsTable {
        let clock = WallClock(zone);
        let mut columns = channel_column(one_channel);
        columns.push(text("topic"));
        columns.extend(series.then(|| firm(clock.heading("from (UTC)", "from"))));
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
            columns.extend([
                firm(clock.heading("at (UTC)", "at")),
                firm("presence"),
                number("now"),
            ]);
        }
        StatsTable {
            sheet: PagedTable::new(columns),
            with_channel: !one_channel,
            clock,
            day: None,
            charts: PeakCharts::new(STATS_CHARTS_MAX),
        }
    }

    /// How many were present over time, a line for each series.
    fn sparks(&mut self, sink: &mut dyn Write, view: &TerminalStyle) -> io::Result<()> {
        let (series, left_out) = self.charts.finish();
        if series.iter().all(|series| series.points().len() < 2) {
            return Ok(());
        }
        let labels: Vec<String> = series
            .iter()
            .map(|series| {
                let topic = series.topic.as_deref().map_or("all".into(), name);
                let whole = match self.with_channel {
                    true => format!("{} · {topic}", name(&series.channel)),
                    false => topic.into_owned(),
                };
                cut(&whole, usize::from(view.width) / 4, WordCut::Middle)
            })
            .collect();
        let series = series.to_vec();
        let wide = labels.iter().map(|label| columns(label)).max();
        let wide = wide.unwrap_or_default();
        // Behind the bars there is room for their height.
        let left = usize::from(view.width).saturating_sub(wide + 2 + 8);
        let Some(time) = self.charts.span(left.max(1)) else {
            return Ok(());
        };
        let from = self.clock.clock(Time(time.from()), None, Fine::Minutes);
        let each = span(time.column_ms());
        writeln!(
            sink,
            "\nthe most at once, from {from} ({}), {each} a character",
            self.clock.zone_name()
        )?;
        for (label, series) in labels.iter().zip(&series) {
            let blank = " ".repeat(wide - columns(label) + 2);
            let most = series.most();
            let bars = spark(series.columns(time), most);
            writeln!(sink, "{label}{blank}{bars}  {}", count(most))?;
        }
        match left_out {
            0 => Ok(()),
            more => writeln!(
                sink,
                "{} without a line here",
                many(more, "more series is", "more series are")
            ),
        }
    }
}

impl Table<Stats> for StatsTable {
    fn row(&mut self, sink: &mut dyn Write, view: &TerminalStyle, row: &Stats) -> io::Result<()> {
        if row.from.is_some() {
            self.charts.add(row);
        }
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
            let begin = self.clock.clock(from, self.day, Fine::Seconds);
            cells.push(cell(TextColor::Plain, begin));
            self.day = self.clock.day(from);
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
            let at = row
                .peak
                .map(|peak| self.clock.clock(peak.at, None, Fine::Minutes));
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
        self.sheet.flush(sink, view)?;
        self.sparks(sink, view)?;
        name_zone(sink, self.clock)
    }
}
