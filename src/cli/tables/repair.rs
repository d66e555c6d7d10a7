//! What a repair took over, and what is missing.

use super::grid::{self, PagedTable};
use crate::cli::moment::{Fine, clock};
use crate::cli::style::{TerminalStyle, TextColor};
use crate::cli::text::{count, many, shown};
use crate::query::answer::Time;
use crate::query::repaired::{MissingEntries, Repaired};
use std::io::{self, Write};

/// Draws what the new store has, and what it has not.
///
/// # Errors
/// When it cannot be written.
pub fn repair(sink: &mut dyn Write, view: &TerminalStyle, repaired: &Repaired) -> io::Result<()> {
    let ok = match repaired.ok {
        true => view.ink(TextColor::Joined, "whole"),
        false => view.ink(TextColor::Left, "repaired"),
    };
    let entries = many(repaired.entries, "entry", "entries");
    writeln!(
        sink,
        "{ok} · {entries}; the same as before up to {}, {} behind that decided again",
        count(repaired.same_up_to),
        count(repaired.redecided)
    )?;
    let columns = vec![
        grid::firm("what"),
        grid::firm("which"),
        grid::prose("detail"),
    ];
    let mut table = PagedTable::bare(columns, 2);
    for missing in &repaired.missing {
        let channels = match &missing.channels {
            None => "of any channel".to_owned(),
            Some(channels) => {
                let channels: Vec<String> =
                    channels.iter().map(|it| shown(it).into_owned()).collect();
                format!("of {}", channels.join(", "))
            }
        };
        table.add(vec![
            grid::cell(TextColor::Left, "missing"),
            grid::cell(TextColor::Plain, numbers(missing)),
            grid::cell(TextColor::Plain, format!("{}, {channels}", times(missing))),
        ]);
    }
    for left in &repaired.left_out {
        table.add(vec![
            grid::cell(TextColor::Changed, "left out"),
            grid::cell(TextColor::Plain, range(left.first_seq, left.last_seq)),
            grid::cell(TextColor::Plain, shown(&left.why)),
        ]);
    }
    if repaired.weakened > 0 {
        let what = "taken in part: the roster that they rest on is missing";
        table.add(vec![
            grid::cell(TextColor::Changed, "weakened"),
            grid::cell(
                TextColor::Plain,
                many(repaired.weakened, "snapshot", "snapshots"),
            ),
            grid::cell(TextColor::Plain, what),
        ]);
    }
    for part in &repaired.unreadable {
        let bytes = match (part.from_byte, part.to_byte) {
            (Some(from), Some(to)) => format!("bytes {} to {}", count(from), count(to)),
            _ => String::new(),
        };
        table.add(vec![
            grid::cell(TextColor::Left, "unreadable"),
            grid::cell(TextColor::Plain, shown(&part.file)),
            grid::cell(
                TextColor::Plain,
                format!("{bytes} {}", shown(&part.what)).trim(),
            ),
        ]);
    }
    table.finish(sink, view)
}

fn numbers(missing: &MissingEntries) -> String {
    match missing.last_seq {
        None => format!("from {} on", count(missing.first_seq)),
        Some(last) if last < missing.first_seq => {
            format!("no entry, but records before {}", count(missing.first_seq))
        }
        Some(last) => range(missing.first_seq, last),
    }
}

fn range(first: u64, last: u64) -> String {
    match first == last {
        true => format!("entry {}", count(first)),
        false => format!("entries {} to {}", count(first), count(last)),
    }
}

fn times(missing: &MissingEntries) -> String {
    let said = |time: Option<Time>| {
        time.map_or_else(|| "?".to_owned(), |time| clock(time, None, Fine::Seconds))
    };
    let (from, to) = (said(missing.recorded_from), said(missing.recorded_to));
    format!("recorded {from} to {to}")
}
