//! The figures of `bench`: a row a work, the bare file's below it.

use super::grid::{Sheet, cell, firm, number, text};
use crate::bench::{Bench, Latency};
use crate::cli::text::count;
use crate::cli::view::{Ink, View};
use std::io::{self, Write};

/// Draws the figures, and below them what they were taken on.
///
/// # Errors
/// When they cannot be written.
pub fn bench(sink: &mut dyn Write, view: &View, bench: &Bench) -> io::Result<()> {
    let mut sheet = Sheet::new(vec![
        text("work"),
        number("a second"),
        firm("of the limit"),
        number("p50"),
        number("p90"),
        number("p99"),
        number("p99.9"),
    ]);
    for work in &bench.works {
        let share = work
            .bare_per_second
            .map_or_else(String::new, |bare| format!("{:.2}", work.per_second / bare));
        let name = format!("{} ({})", work.work, work.unit);
        let mut row = vec![
            cell(Ink::Plain, name),
            cell(Ink::Head, rate(work.per_second)),
            cell(Ink::Plain, share),
        ];
        row.extend(latencies(Ink::Plain, &work.latency));
        sheet.row(sink, view, row)?;
        if let (Some(bare), Some(latency)) = (work.bare_per_second, &work.bare_latency) {
            let mut row = vec![
                cell(Ink::Faint, "  a bare file"),
                cell(Ink::Faint, rate(bare)),
                cell(Ink::Faint, ""),
            ];
            row.extend(latencies(Ink::Faint, latency));
            sheet.row(sink, view, row)?;
        }
    }
    sheet.flush(sink, view)?;
    let machine = &bench.machine;
    let kernel = machine.kernel.as_deref().unwrap_or("?");
    writeln!(
        sink,
        "\nrollbook {}, durability {}; {} cores, {}, kernel {kernel}",
        bench.version, bench.durability, machine.cores, machine.system
    )?;
    if !bench.optimised {
        writeln!(sink, "not an optimised build: these figures say little")?;
    }
    Ok(())
}

fn latencies(ink: Ink, latency: &Latency) -> [comfy_table::Cell; 4] {
    let Latency {
        p50_us,
        p90_us,
        p99_us,
        p999_us,
    } = *latency;
    [p50_us, p90_us, p99_us, p999_us].map(|us| cell(ink, time(us)))
}

/// Three digits, as far as they say something.
fn rate(per_second: f64) -> String {
    if per_second < 100.0 {
        return format!("{per_second:.1}");
    }
    count(per_second as u64)
}

fn time(us: f64) -> String {
    match us {
        us if us < 1_000.0 => format!("{us:.1} µs"),
        us if us < 1_000_000.0 => format!("{:.2} ms", us / 1_000.0),
        us => format!("{:.2} s", us / 1_000_000.0),
    }
}
