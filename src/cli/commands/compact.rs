//! `compact`: seals the past into blocks, and rewrites the engine's files.

use super::prune::{age, went};
use super::{failure, now};
use crate::cli::exit::Failure;
use crate::cli::help::HELP;
use crate::cli::progress::say;
use crate::cli::text::many;
use crate::query::time::Span;
use crate::store::Store;
use clap::Args;
use std::path::Path;

/// `compact`.
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "Examples:
  rollbook --data ./evening compact
  rollbook compact --retain 90d
")]
pub struct CompactArgs {
    /// Before that, prune what is older than this (see `rollbook prune`)
    #[arg(long, value_name = "AGE", value_parser = age)]
    pub retain: Option<Span>,
}

pub(in crate::cli) fn run(data: &Path, args: &CompactArgs) -> Result<(), Failure> {
    let before = args.retain.map(|age| now().saturating_sub(age.0));
    let done = Store::compact_retaining(data, before);
    let done = done.map_err(|error| failure(data, error))?;
    if let (Some(pruned), Some(before)) = (&done.pruned, before) {
        say(&went(pruned, before, false));
    }
    let sealed = done.sealed;
    say(&format!(
        "{} entries are sealed in {} of {} bytes",
        sealed.entries,
        many(sealed.blocks, "block", "blocks"),
        sealed.bytes
    ));
    say(&format!(
        "{}: {} bytes before, {} now",
        data.display(),
        done.bytes_before,
        done.bytes_after
    ));
    Ok(())
}
