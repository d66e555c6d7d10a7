//! `missed`: who came, went and changed while no observer watched.

use crate::cli::answers::QueryBackend;
use crate::cli::exit::Failure;
use crate::cli::global_args::GlobalArgs;
use crate::cli::help::{HELP, at_time};
use crate::cli::output::Output;
use crate::cli::tables::MissedTable;
use crate::query::params::MissedParams;
use crate::query::time::When;
use clap::Args;

/// `missed`.
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "Examples:
  rollbook missed studio-7
  rollbook missed studio-7 --gap 2
  rollbook missed studio-7 --since -24h --format json
")]
pub struct MissedArgs {
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

pub(in crate::cli) fn run(
    everywhere: &GlobalArgs,
    args: &MissedArgs,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let question = MissedParams {
        channel: args.channel.clone(),
        gap: args.gap,
        since: args.since,
        known_at: args.known_at,
        zone: everywhere.zone,
        detail: output.has_details(),
    };
    let mut list = output.list(MissedTable::new(&args.channel));
    QueryBackend::of(everywhere)?.each(&question, |gap| list.row(gap))?;
    list.finish()
}
