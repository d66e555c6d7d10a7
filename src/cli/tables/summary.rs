//! The results of `ingest` and `verify` in a few lines.

use super::grid::{self, PagedTable};
use crate::cli::moment::span;
use crate::cli::style::{TerminalStyle, TextColor};
use crate::cli::text::{count, many, shown, tally};
use crate::ingest::IngestSummary;
use crate::query::answer::Verified;
use crate::store::LineCounts;
use std::io::{self, Write};

/// Draws the counts of the lines, without zero counts.
///
/// # Errors
/// When it cannot be written.
pub fn ingest(sink: &mut dyn Write, view: &TerminalStyle, sum: &IngestSummary) -> io::Result<()> {
    let counts = &sum.counts;
    let elapsed_ms = i64::try_from(sum.elapsed_ms).unwrap_or(i64::MAX);
    let seqs = match (counts.first_seq, counts.last_seq) {
        (Some(first), Some(last)) => format!(" ({} to {})", count(first), count(last)),
        _ => String::new(),
    };
    let lines = many(sum.lines, "line", "lines");
    let entries = many(counts.entries, "entry", "entries");
    writeln!(
        sink,
        "{lines} → {}{seqs} in {}",
        view.ink(TextColor::Head, &entries),
        span(elapsed_ms)
    )?;
    let mut table = PagedTable::bare(vec![grid::firm("what"), grid::prose("counts")], 2);
    for (ink, name, what) in parts(counts) {
        if !what.is_empty() {
            table.add(vec![
                grid::cell(TextColor::Faint, name),
                grid::cell(ink, what),
            ]);
        }
    }
    table.finish(sink, view)
}

/// The rows: each with its colour, its name and its counts.
fn parts(counts: &LineCounts) -> [(TextColor, &'static str, String); 6] {
    let changes = |joins, leaves, updates| {
        [
            (joins, "join", "joins"),
            (leaves, "leave", "leaves"),
            (updates, "update", "updates"),
        ]
    };
    let mut observed = changes(counts.joins, counts.leaves, counts.updates).to_vec();
    observed.push((counts.snapshots, "snapshot", "snapshots"));
    let mut inferred = tally(&changes(
        counts.inferred_joins,
        counts.inferred_leaves,
        counts.inferred_updates,
    ));
    if counts.baseline_joins > 0 {
        inferred.push_str(&format!(
            "; {} of the joins were there when first seen",
            count(counts.baseline_joins)
        ));
    }
    let idle = tally(&[
        (counts.duplicates, "duplicate", "duplicates"),
        (counts.stale, "stale", "stale"),
        (
            counts.unknown,
            "leave of somebody who was not there",
            "leaves of people who were not there",
        ),
        (counts.retries, "retry", "retries"),
    ]);
    [
        (TextColor::Plain, "observed", tally(&observed)),
        (TextColor::Plain, "inferred", inferred),
        (TextColor::Plain, "no change", idle),
        (
            TextColor::Left,
            "retries that differ",
            tally(&[(counts.retries_differing, "line", "lines")]),
        ),
        (
            TextColor::Changed,
            "clamped",
            tally(&[(counts.clamped, "entry", "entries")]),
        ),
        (
            TextColor::Left,
            "rejected",
            tally(&[(counts.rejected, "line", "lines")]),
        ),
    ]
}

/// Draws whether the log is intact.
///
/// # Errors
/// When it cannot be written.
pub fn verify(sink: &mut dyn Write, view: &TerminalStyle, verified: &Verified) -> io::Result<()> {
    let read = format!(
        "{} in {}",
        many(verified.entries, "entry", "entries"),
        many(verified.commits, "commit", "commits")
    );
    let read = match verified.pruned_seq {
        Some(seq) => {
            let first = count(seq + 1);
            format!("{read} (the log begins at entry {first}: older ones were pruned)")
        }
        None => read,
    };
    if verified.ok {
        return writeln!(
            sink,
            "{} · {read}, nothing is wrong",
            view.ink(TextColor::Joined, "ok")
        );
    }
    let problems = many(verified.problems.len() as u64, "problem", "problems");
    writeln!(
        sink,
        "{} · {problems} · {read} read",
        view.ink(TextColor::Left, "damaged")
    )?;
    let columns = vec![
        grid::firm("where"),
        grid::firm("kind"),
        grid::prose("detail"),
    ];
    let mut table = PagedTable::bare(columns, 2);
    for problem in &verified.problems {
        table.add(vec![
            grid::cell(TextColor::Plain, format!("at entry {}", count(problem.seq))),
            grid::cell(TextColor::Left, &problem.kind),
            grid::cell(TextColor::Plain, shown(&problem.detail)),
        ]);
    }
    table.finish(sink, view)
}
