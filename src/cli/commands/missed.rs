//! `missed`: who came, went and changed while nobody watched.

use super::{failure, now, open};
use crate::cli::args::{HELP, at_time};
use crate::cli::exit::Failure;
use crate::cli::output::Output;
use crate::cli::tables::MissedTable;
use crate::query::MissedFilter;
use crate::query::time::When;
use clap::Args;
use std::path::Path;

/// `missed`.
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "Examples:
  rollbook missed studio-7
  rollbook missed studio-7 --gap 2
  rollbook missed studio-7 --since -24h --format json
")]
pub struct Missed {
    /// The channel
    pub channel: String,
    /// Only this gap
    #[arg(long, value_name = "N")]
    pub gap: Option<u32>,
    /// Only gaps that were open at this moment, or later
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, help = at_time("Only gaps that were open at this moment, or later"))]
    pub since: Option<When>,
    /// As the log was known at this moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub known_at: Option<When>,
}

pub(super) fn run(data: &Path, args: &Missed, output: &mut Output<'_>) -> Result<(), Failure> {
    let now = now();
    let filter = MissedFilter {
        gap: args.gap,
        since: args.since.map(|at| at.resolve(now)),
        known_at: args.known_at.map(|at| at.resolve(now)),
    };
    let missed = open(data)?.missed(&args.channel, &filter);
    let mut list = output.list(MissedTable::new(&args.channel));
    for gap in missed.map_err(|error| failure(data, error))? {
        list.row(&gap)?;
    }
    list.finish()
}
