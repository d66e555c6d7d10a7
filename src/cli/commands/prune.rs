//! `prune`: removes the oldest entries.

use super::{failure, now};
use crate::cli::answers::typed;
use crate::cli::exit::{Exit, Failure};
use crate::cli::global_args::GlobalArgs;
use crate::cli::help::HELP;
use crate::cli::progress::say;
use crate::cli::text::count;
use crate::domain::time::Millis;
use crate::query::answer::Time;
use crate::query::time::{Span, When};
use crate::store::{Options, Pruned, Store};
use clap::Args;

/// `prune`.
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "Examples:
  rollbook prune --before 90d --dry-run              what would go
  rollbook prune --before 2026-01-01T00:00:00Z
  rollbook compact --retain 90d                      the same, and the room is given back
", after_help = "Whole blocks and frames go in which everything took effect and was recorded before TIME, from the oldest on; \
rejected lines go with them. Every question about a later moment keeps its answer. What goes cannot be brought back.")]
pub struct PruneArgs {
    /// What is older goes: a time, or an age such as 90d
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = before)]
    pub before: When,
    /// Only say what would go
    #[arg(long)]
    pub dry_run: bool,
}

/// Parses a time, or an age.
fn before(text: &str) -> Result<When, String> {
    match text.parse() {
        Ok(when) => Ok(when),
        // The unit of a bare number would be a guess.
        Err(why) if text.bytes().all(|byte| byte.is_ascii_digit()) => Err(why),
        Err(why) => text.parse().map(|Span(ms)| When::Ago(ms)).map_err(|_| why),
    }
}

/// Parses an age with its unit.
pub(super) fn age(text: &str) -> Result<Span, String> {
    let span: Span = text.parse()?;
    if text.bytes().all(|byte| byte.is_ascii_digit()) || span.0 <= 0 {
        return Err("write a number and a unit (h, d, w), as in 90d".to_owned());
    }
    Ok(span)
}

pub(in crate::cli) fn run(everywhere: &GlobalArgs, args: &PruneArgs) -> Result<(), Failure> {
    let (data, now) = (everywhere.data.as_path(), now());
    let before = typed("before", Some(args.before), now, everywhere.zone)?.unwrap_or(now);
    if before > now {
        let what = format!("--before {}: that is still to come", Time(before));
        return Err(Failure::new(Exit::Usage, what));
    }
    let store = Store::open(data, Options::default().create(false));
    let store = store.map_err(|error| failure(data, error))?;
    let pruned = if args.dry_run {
        store.prune_plan(before)
    } else {
        store.prune(before)
    };
    let pruned = pruned.map_err(|error| failure(data, error))?;
    say(&went(&pruned, before, args.dry_run));
    store.close().map_err(|error| failure(data, error))
}

/// What went, in a sentence.
pub(super) fn went(pruned: &Pruned, before: Millis, dry_run: bool) -> String {
    let before = Time(before);
    if pruned.entries == 0 && pruned.blocks == 0 {
        return format!("nothing is to go: no whole block or frame is older than {before}");
    }
    let what = format!(
        "{} entries, {} blocks, {} bytes",
        count(pruned.entries),
        count(pruned.blocks),
        count(pruned.bytes)
    );
    let verb = if dry_run { "would go" } else { "are pruned" };
    match pruned.retained {
        Some(retained) => format!(
            "{what} older than {before} {verb}: retained_from {}, behind entry {}",
            Time(retained.from),
            retained.seq
        ),
        None => format!("{what} older than {before} {verb}"),
    }
}
