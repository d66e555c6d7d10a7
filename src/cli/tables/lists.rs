//! The shorter lists: `channels`, `gaps`, `rejects`, `forget --list`.

use super::Table;
use super::grid::{self, PagedTable, day_line, firm, number, prose, text};
use crate::cli::moment::{Fine, WallClock, clock, day, span};
use crate::cli::style::{TerminalStyle, TextColor};
use crate::cli::text::{count, cut, many, name, shown};
use crate::query::answer::{
    ChannelAnswer, ClosedBy, CoverageAnswer, Evidence, ForgottenAnswer, Gap, RejectAnswer, Time,
};
use chrono::NaiveDate;
use std::io::{self, Write};

/// Draws channels.
#[derive(Debug)]
pub struct ChannelsTable {
    sheet: PagedTable,
    channels: u64,
}

impl Default for ChannelsTable {
    fn default() -> ChannelsTable {
        let columns = vec![
            text("channel"),
            number("here now"),
            number("topics").gives_way(2),
            number("entries").gives_way(3),
            firm("first").gives_way(1),
            firm("last (UTC)"),
            firm("coverage"),
        ];
        ChannelsTable {
            sheet: PagedTable::new(columns),
            channels: 0,
        }
    }
}

impl Table<ChannelAnswer> for ChannelsTable {
    fn row(
        &mut self,
        sink: &mut dyn Write,
        view: &TerminalStyle,
        row: &ChannelAnswer,
    ) -> io::Result<()> {
        self.channels += 1;
        let moment = |time: Option<Time>| {
            time.map_or_else(String::new, |time| clock(time, None, Fine::Minutes))
        };
        let (ink, coverage) = match row.coverage {
            CoverageAnswer::Complete => (TextColor::Plain, "complete"),
            CoverageAnswer::Partial => (TextColor::Plain, "partial"),
            CoverageAnswer::Blind => (TextColor::Changed, "blind"),
        };
        let cells = vec![
            grid::cell(TextColor::Head, name(&row.channel)),
            grid::cell(TextColor::Plain, count(row.present_now)),
            grid::cell(TextColor::Plain, count(row.topics)),
            grid::cell(TextColor::Plain, count(row.entries)),
            grid::cell(TextColor::Plain, moment(row.first_at)),
            grid::cell(TextColor::Plain, moment(row.last_at)),
            grid::cell(ink, coverage),
        ];
        self.sheet.row(sink, view, cells)
    }

    fn finish(&mut self, sink: &mut dyn Write, view: &TerminalStyle) -> io::Result<()> {
        self.sheet.finish(sink, view)?;
        end(
            sink,
            self.channels,
            "no channels yet",
            ("channel", "channels"),
        )
    }
}

/// Draws the gaps of one channel.
#[derive(Debug)]
pub struct GapsTable {
    sheet: PagedTable,
    day: Option<NaiveDate>,
    gaps: u64,
}

impl Default for GapsTable {
    fn default() -> GapsTable {
        let columns = vec![
            number("gap"),
            firm("from"),
            firm("to"),
            firm("lasted"),
            prose("evidence").gives_way(1),
            number("+"),
            number("-"),
            number("~"),
        ];
        GapsTable {
            sheet: PagedTable::new(columns),
            day: None,
            gaps: 0,
        }
    }
}

impl Table<Gap> for GapsTable {
    fn row(&mut self, sink: &mut dyn Write, view: &TerminalStyle, row: &Gap) -> io::Result<()> {
        self.gaps += 1;
        let new = day(row.from);
        if new != self.day {
            self.sheet.line(day_line(view, WallClock::default(), new));
            self.day = new;
        }
        let (to, lasted) = match row.to {
            Some(to) => (
                clock(to, new, Fine::Seconds),
                span(to.0.saturating_sub(row.from.0)),
            ),
            None => ("still open".to_owned(), String::new()),
        };
        let told_by = match row.evidence {
            Evidence::Link => "link",
            Evidence::Snapshot => "snapshot",
        };
        let evidence = match row.closed_by {
            Some(ClosedBy::Resumed) => format!("{told_by}; resumed"),
            Some(ClosedBy::Differences) => format!("{told_by}; closed by differences"),
            Some(ClosedBy::Snapshot) | None => told_by.to_owned(),
        };
        let tinted = |ink, n: u64| grid::cell(if n > 0 { ink } else { TextColor::Faint }, count(n));
        let cells = vec![
            grid::cell(TextColor::Plain, row.gap),
            grid::cell(TextColor::Plain, clock(row.from, new, Fine::Seconds)),
            grid::cell(
                if row.to.is_some() {
                    TextColor::Plain
                } else {
                    TextColor::Changed
                },
                to,
            ),
            grid::cell(TextColor::Plain, lasted),
            grid::cell(TextColor::Plain, evidence),
            tinted(TextColor::Joined, row.joined),
            tinted(TextColor::Left, row.left),
            tinted(TextColor::Changed, row.updated),
        ];
        self.sheet.row(sink, view, cells)
    }

    fn finish(&mut self, sink: &mut dyn Write, view: &TerminalStyle) -> io::Result<()> {
        self.sheet.finish(sink, view)?;
        end(
            sink,
            self.gaps,
            "no gaps",
            (
                "gap (+ joined, - left, ~ changed)",
                "gaps (+ joined, - left, ~ changed)",
            ),
        )
    }
}

/// Draws rejected lines.
#[derive(Debug)]
pub struct RejectsTable {
    sheet: PagedTable,
    rejects: u64,
}

impl Default for RejectsTable {
    fn default() -> RejectsTable {
        let columns = vec![
            number("n").gives_way(3),
            text("where"),
            number("byte").gives_way(1),
            prose("reason"),
            prose("line").gives_way(2),
        ];
        RejectsTable {
            sheet: PagedTable::new(columns),
            rejects: 0,
        }
    }
}

impl Table<RejectAnswer> for RejectsTable {
    fn row(
        &mut self,
        sink: &mut dyn Write,
        view: &TerminalStyle,
        row: &RejectAnswer,
    ) -> io::Result<()> {
        self.rejects += 1;
        let cells = vec![
            grid::cell(TextColor::Faint, row.n),
            grid::cell(
                TextColor::Plain,
                format!("{}:{}", shown(&row.source), row.line),
            ),
            grid::cell(TextColor::Plain, row.byte),
            grid::cell(TextColor::Left, shown(&row.reason)),
            grid::cell(
                TextColor::Faint,
                row.text
                    .as_deref()
                    .map_or_else(|| "(not kept)".to_owned(), |text| cut(view, text)),
            ),
        ];
        self.sheet.row(sink, view, cells)
    }

    fn finish(&mut self, sink: &mut dyn Write, view: &TerminalStyle) -> io::Result<()> {
        self.sheet.finish(sink, view)?;
        end(
            sink,
            self.rejects,
            "no rejected lines",
            ("rejected line", "rejected lines"),
        )
    }
}

/// Draws who was forgotten.
#[derive(Debug)]
pub struct ForgottenTable {
    sheet: PagedTable,
    times: u64,
}

impl Default for ForgottenTable {
    fn default() -> ForgottenTable {
        let columns = vec![
            firm("at (UTC)"),
            firm("stand-in"),
            text("channel"),
            number("changes"),
            number("texts").gives_way(1),
            number("rejects").gives_way(2),
        ];
        ForgottenTable {
            sheet: PagedTable::new(columns),
            times: 0,
        }
    }
}

impl Table<ForgottenAnswer> for ForgottenTable {
    fn row(
        &mut self,
        sink: &mut dyn Write,
        view: &TerminalStyle,
        row: &ForgottenAnswer,
    ) -> io::Result<()> {
        self.times += 1;
        let channel = row.channel.as_deref().map_or("all".into(), shown);
        let cells = vec![
            grid::cell(TextColor::Plain, clock(row.at, None, Fine::Seconds)),
            grid::cell(TextColor::Plain, &row.stand_in),
            grid::cell(TextColor::Plain, channel),
            grid::cell(TextColor::Plain, count(row.changes)),
            grid::cell(TextColor::Plain, count(row.texts)),
            grid::cell(TextColor::Plain, count(row.rejects)),
        ];
        self.sheet.row(sink, view, cells)
    }

    fn finish(&mut self, sink: &mut dyn Write, view: &TerminalStyle) -> io::Result<()> {
        self.sheet.finish(sink, view)?;
        let people = ("person was forgotten", "people were forgotten");
        end(sink, self.times, "nobody was forgotten", people)
    }
}

fn end(sink: &mut dyn Write, n: u64, none: &str, (one, more): (&str, &str)) -> io::Result<()> {
    if n == 0 {
        writeln!(sink, "{none}")
    } else {
        writeln!(sink, "\n{}", many(n, one, more))
    }
}
