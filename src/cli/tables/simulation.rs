//! `simulate`: one row per mix.

use super::Table;
use super::grid::{PagedTable, cell, firm, number};
use crate::cli::style::{TerminalStyle, TextColor};
use crate::cli::text::count;
use crate::sim::MixTotals;
use std::io::{self, Write};

/// Draws the results of each mix.
#[derive(Debug)]
pub struct SimulationTable {
    sheet: PagedTable,
}

impl Default for SimulationTable {
    fn default() -> Self {
        let columns = vec![
            firm("mix"),
            number("seeds").gives_way(3),
            number("true").gives_way(1),
            number("inferred").gives_way(2),
            number("windows"),
            number("certain"),
            number("missed"),
            number("invented"),
            number("stays"),
            number("gaps"),
            number("known at"),
        ];
        SimulationTable {
            sheet: PagedTable::new(columns),
        }
    }
}

impl Table<MixTotals> for SimulationTable {
    fn row(
        &mut self,
        sink: &mut dyn Write,
        view: &TerminalStyle,
        row: &MixTotals,
    ) -> io::Result<()> {
        let score = &row.score;
        let wrong = |many: u64| {
            let ink = if many > 0 {
                TextColor::Left
            } else {
                TextColor::Faint
            };
            cell(ink, count(many))
        };
        let cells = vec![
            cell(TextColor::Plain, &row.mix),
            cell(TextColor::Plain, count(score.seeds)),
            cell(TextColor::Plain, count(score.true_events)),
            cell(TextColor::Plain, count(score.inferred)),
            wrong(score.wrong_windows),
            wrong(score.wrong_certain),
            wrong(score.missed),
            wrong(score.invented),
            wrong(score.wrong_sessions),
            wrong(score.wrong_gaps),
            wrong(score.wrong_known_at),
        ];
        self.sheet.row(sink, view, cells)
    }

    fn finish(&mut self, sink: &mut dyn Write, view: &TerminalStyle) -> io::Result<()> {
        self.sheet.finish(sink, view)?;
        writeln!(sink, "\nFrom windows on: how many were wrong.")
    }
}
