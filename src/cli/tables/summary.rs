//! What a command did, in a few lines: `ingest` and `verify`.

use super::grid;
use crate::cli::moment::span;
use crate::cli::text::{count, many, shown, tally};
use crate::cli::view::{Ink, View};
use crate::ingest::IngestSummary;
use crate::query::answer::Verified;
use std::io::{self, Write};

/// Draws what became of the lines. What there is none of is left out.
///
/// # Errors
/// When it cannot be written.
pub fn ingest(sink: &mut dyn Write, view: &View, sum: &IngestSummary) -> io::Result<()> {
    let elapsed_ms = i64::try_from(sum.elapsed_ms).unwrap_or(i64::MAX);
    let seqs = match (sum.first_seq, sum.last_seq) {
        (Some(first), Some(last)) => format!(" ({} to {})", count(first), count(last)),
        _ => String::new(),
    };
    let lines = many(sum.lines, "line", "lines");
    let entries = many(sum.entries, "entry", "entries");
    writeln!(
        sink,
        "{lines} → {}{seqs} in {}",
        view.ink(Ink::Head, &entries),
        span(elapsed_ms)
    )?;
    let changes = |joins, leaves, updates| {
        [
            (joins, "join", "joins"),
            (leaves, "leave", "leaves"),
            (updates, "update", "updates"),
        ]
    };
    let mut observed = changes(sum.joins, sum.leaves, sum.updates).to_vec();
    observed.push((sum.snapshots, "snapshot", "snapshots"));
    let mut inferred = tally(&changes(
        sum.inferred_joins,
        sum.inferred_leaves,
        sum.inferred_updates,
    ));
    if sum.baseline_joins > 0 {
        inferred.push_str(&format!(
            "; {} of the joins were there when first seen",
            count(sum.baseline_joins)
        ));
    }
    let idle = tally(&[
        (sum.duplicates, "duplicate", "duplicates"),
        (sum.stale, "stale", "stale"),
        (
            sum.unknown,
            "leave of somebody who was not there",
            "leaves of people who were not there",
        ),
        (sum.retries, "retry", "retries"),
    ]);
    let parts = [
        (Ink::Plain, "observed", tally(&observed)),
        (Ink::Plain, "inferred", inferred),
        (Ink::Plain, "no change", idle),
        (
            Ink::Left,
            "retries that differ",
            tally(&[(sum.retries_differing, "line", "lines")]),
        ),
        (
            Ink::Changed,
            "clamped",
            tally(&[(sum.clamped, "entry", "entries")]),
        ),
        (
            Ink::Left,
            "rejected",
            tally(&[(sum.rejected, "line", "lines")]),
        ),
    ];
    let mut table = grid::plain(view);
    for (ink, name, what) in parts {
        if !what.is_empty() {
            table.add_row([grid::cell(Ink::Faint, name), grid::cell(ink, what)]);
        }
    }
    grid::write(sink, &mut table, 2, &[0])
}

/// Draws whether the log is whole.
///
/// # Errors
/// When it cannot be written.
pub fn verify(sink: &mut dyn Write, view: &View, verified: &Verified) -> io::Result<()> {
    let read = format!(
        "{} in {}",
        many(verified.entries, "entry", "entries"),
        many(verified.commits, "commit", "commits")
    );
    if verified.ok {
        return writeln!(
            sink,
            "{} · {read}, nothing is wrong",
            view.ink(Ink::Joined, "ok")
        );
    }
    let problems = many(verified.problems.len() as u64, "problem", "problems");
    writeln!(
        sink,
        "{} · {problems} · {read} read",
        view.ink(Ink::Left, "damaged")
    )?;
    let mut table = grid::plain(view);
    for problem in &verified.problems {
        table.add_row([
            grid::cell(Ink::Plain, format!("at entry {}", count(problem.seq))),
            grid::cell(Ink::Left, &problem.kind),
            grid::cell(Ink::Plain, shown(&problem.detail)),
        ]);
    }
    grid::write(sink, &mut table, 2, &[0, 1])
}
