//! `sessions` and `stats`: durations and counts.

use super::Table;
use super::grid::{Column, GridCell, PagedTable, cell, day_line, firm, number, text, times};
use crate::cli::moment::{Fine, WallClock, span};
use crate::cli::spark::spark;
use crate::cli::style::{TerminalStyle, TextColor};
use crate::cli::text::{count, many, member, name};
use crate::cli::timeline::series::PeakCharts;
use crate::cli::width::{WordCut, columns, cut, glued};
use crate::domain::time::Millis;
use crate::limits::STATS_CHARTS_MAX;
use crate::query::Zone;
use crate::query::answer::{Session, Stats, Time};
use crate::query::params::PerParam;
use chrono::NaiveDate;
use std::io::{self, Write};

/// Intervals of this length are days, of 23 hours where clocks are put forward.
const DAILY_MS: Millis = 23 * 3_600_000;

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
        columns.extend(with_topic.then_some(text("topic").gives_way(2)));
        columns.extend([
            text("user"),
            times("joined"),
            times("left"),
            times("lasted").gives_way(1),
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

pub(super) fn channel_cell(with_channel: bool, channel: &str) -> Vec<GridCell> {
    if with_channel {
        vec![cell(TextColor::Plain, name(channel))]
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
            "{} {}",
            glued(&format!("{} –", wall.clock(before, known, Fine::Seconds))),
            glued(&wall.clock(at, wall.day(before), Fine::Seconds))
        ),
        None => glued(&wall.clock(at, known, Fine::Seconds)),
    }
}

/// A length between bounds. A line ends between the two only.
pub(super) fn lasted(min_ms: Millis, max_ms: Option<Millis>) -> String {
    let least = glued(&span(min_ms));
    match max_ms.map(|max| (max, glued(&span(max)))) {
        Some((max, most)) if max == min_ms => most,
        Some((_, most)) => format!("{} {most}", glued(&format!("{least} –"))),
        None => format!("{least} {}", glued("or more")),
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
        // Stays come in the order of their ends, and then those that go on in the order of their begins.
        let new = wall.day(row.left_at.unwrap_or(row.joined_at));
        if new != self.day {
            self.sheet.line(day_line(view, wall, new));
            self.day = new;
        }
        let joined = if row.baseline {
            let at = wall.clock(row.joined_at, self.day, Fine::Seconds);
            glued(&format!("before {at}"))
        } else {
            end(wall, row.joined_not_before, row.joined_at, self.day)
        };
        let left = match row.left_at {
            Some(at) => end(wall, row.left_not_before, at, self.day),
            None => glued("still there"),
        };
        let mut cells = channel_cell(self.with_channel, &row.channel);
        if self.with_topic {
            let topic = row.topic.as_deref().unwrap_or_default();
            cells.push(cell(TextColor::Plain, name(topic)));
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
        self.sheet.finish(sink, view)?;
        writeln!(sink, "\n{}", many(self.stays, "stay", "stays"))
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
        columns.extend(series.then_some(firm("from")));
        columns.extend([
            number("users"),
            number("joins").gives_way(3),
            number("leaves").gives_way(2),
            number("inferred").gives_way(1),
            number("peak"),
        ]);
        if series {
            columns.push(firm("presence"));
        } else {
            columns.extend([
                firm(clock.heading("at (UTC)", "at")).gives_way(4),
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

    /// The day of an interval, which is printed above its row; `None` where each row has another day.
    fn day_of(&mut self, view: &TerminalStyle, from: Time, to: Option<Time>) -> Option<NaiveDate> {
        let length = to.map_or(0, |to| to.0.saturating_sub(from.0));
        if length >= DAILY_MS {
            return None;
        }
        let new = self.clock.day(from);
        if new != self.day {
            self.sheet.line(day_line(view, self.clock, new));
            self.day = new;
        }
        new
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
        let topic = row.topic.as_deref().map_or("all".into(), name);
        let whole = if row.topic.is_none() {
            TextColor::Head
        } else {
            TextColor::Plain
        };
        let mut cells = channel_cell(self.with_channel, &row.channel);
        cells.push(cell(whole, topic));
        if let Some(from) = row.from {
            let known = self.day_of(view, from, row.to);
            let begin = self.clock.clock(from, known, Fine::Seconds);
            cells.push(cell(TextColor::Plain, begin));
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
        self.sheet.finish(sink, view)?;
        self.sparks(sink, view)?;
        match self.day {
            // The day's line names it.
            Some(_) => Ok(()),
            None => name_zone(sink, self.clock),
        }
    }
}
