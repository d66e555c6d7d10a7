//! The results of `bench`: a row for each work, and the bare file's row below it.

use super::Table;
use super::grid::{GridCell, PagedTable, cell, number, prose};
use crate::bench::{Figure, Latency, Setting};
use crate::cli::style::{TerminalStyle, TextColor};
use crate::cli::text::count;
use std::io::{self, Write};

/// Each result is drawn when it arrives. Fixed widths keep the columns aligned.
const NAME_WIDTH: usize = 58;
const NUMBER_WIDTH: usize = 9;
/// The heading of the third column.
const SHARE: &str = "of the limit";

/// Draws results, and below them the machine and settings.
#[derive(Debug)]
pub struct BenchTable {
    sheet: PagedTable,
    setting: Option<Setting>,
    /// All durability levels in the results.
    durability: Vec<&'static str>,
}

impl Default for BenchTable {
    fn default() -> Self {
        let columns = vec![
            prose("work"),
            number("a second"),
            number(SHARE).gives_way(7),
            number("p50").gives_way(5),
            number("p90").gives_way(2),
            number("p99").gives_way(6),
            number("p99.9").gives_way(1),
            number("max").gives_way(4),
            number("bytes each").gives_way(3),
        ];
        BenchTable {
            sheet: PagedTable::new(columns),
            setting: None,
            durability: Vec::new(),
        }
    }
}

impl Table<Figure> for BenchTable {
    fn row(&mut self, sink: &mut dyn Write, view: &TerminalStyle, row: &Figure) -> io::Result<()> {
        let work = &row.work;
        let share = work
            .bare_per_second
            .map_or_else(String::new, |bare| format!("{:.2}", work.per_second / bare));
        let share = format!("{share:>0$}", SHARE.len());
        let name = format!("{} ({})", work.work, work.unit);
        let mut cells = vec![
            cell(TextColor::Plain, format!("{name:NAME_WIDTH$}")),
            cell(TextColor::Head, rate(work.per_second)),
            cell(TextColor::Plain, share),
        ];
        cells.extend(latencies(TextColor::Plain, &work.latency));
        let bytes = work.bytes_each.map(|bytes| format!("{bytes:.1}"));
        cells.push(cell(TextColor::Plain, bytes.unwrap_or_default()));
        self.sheet.row(sink, view, cells)?;
        if let (Some(bare), Some(latency)) = (work.bare_per_second, &work.bare_latency) {
            let mut cells = vec![
                cell(TextColor::Faint, "  a bare file"),
                cell(TextColor::Faint, rate(bare)),
                cell(TextColor::Faint, ""),
            ];
            cells.extend(latencies(TextColor::Faint, latency));
            cells.push(cell(TextColor::Faint, ""));
            self.sheet.row(sink, view, cells)?;
        }
        let level = row.setting.durability;
        if !self.durability.contains(&level) {
            self.durability.push(level);
        }
        self.setting = Some(row.setting.clone());
        Ok(())
    }

    fn flush(&mut self, sink: &mut dyn Write, view: &TerminalStyle) -> io::Result<()> {
        self.sheet.flush(sink, view)
    }

    fn finish(&mut self, sink: &mut dyn Write, view: &TerminalStyle) -> io::Result<()> {
        self.sheet.finish(sink, view)?;
        let Some(setting) = &self.setting else {
            return Ok(());
        };
        let machine = &setting.machine;
        let kernel = machine.kernel.as_deref().unwrap_or("?");
        writeln!(
            sink,
            "\nrollbook {}, durability {}; {} cores, {}, kernel {kernel}",
            setting.version,
            self.durability.join(" and "),
            machine.cores,
            machine.system
        )?;
        if !setting.optimised {
            writeln!(sink, "not an optimised build: these figures say little")?;
        }
        Ok(())
    }
}

fn latencies(ink: TextColor, latency: &Latency) -> [GridCell; 5] {
    let Latency {
        p50_us,
        p90_us,
        p99_us,
        p999_us,
        max_us,
    } = *latency;
    [p50_us, p90_us, p99_us, p999_us, max_us].map(|us| cell(ink, time(us)))
}

/// A rate with one decimal below 100, and none above.
fn rate(per_second: f64) -> String {
    let rate = match per_second {
        few if few < 100.0 => format!("{few:.1}"),
        many => count(many as u64),
    };
    format!("{rate:>NUMBER_WIDTH$}")
}

fn time(us: f64) -> String {
    let time = match us {
        us if us < 1_000.0 => format!("{us:.1} µs"),
        us if us < 1_000_000.0 => format!("{:.2} ms", us / 1_000.0),
        us => format!("{:.2} s", us / 1_000_000.0),
    };
    format!("{time:>NUMBER_WIDTH$}")
}
