//! `who`: who is, or was, present in a channel.

use crate::cli::answers::QueryBackend;
use crate::cli::exit::Failure;
use crate::cli::global_args::GlobalArgs;
use crate::cli::help::{HELP, at_time};
use crate::cli::output::Output;
use crate::cli::tables;
use crate::query::params::WhoParams;
use crate::query::time::When;
use clap::Args;

/// `who`.
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "Examples:
  rollbook who studio-7                                now
  rollbook who studio-7 --at 2026-05-14T20:45:00Z      then
  rollbook who studio-7 --at -90m --topic chat
  rollbook who studio-7 --at -90m --known-at -60m      what one would have said an hour ago
")]
pub struct WhoArgs {
    /// The channel
    pub channel: String,
    /// Only this topic
    #[arg(long, allow_hyphen_values = true)]
    pub topic: Option<String>,
    /// At this moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, help = at_time("At this moment"))]
    pub at: Option<When>,
    /// As if the log ended with this entry
    #[arg(long, value_name = "N", conflicts_with = "at")]
    pub seq: Option<u64>,
    /// As the log was known at this moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub known_at: Option<When>,
    /// Leave out those who were only possibly there
    #[arg(long)]
    pub certain: bool,
}

pub(in crate::cli) fn run(
    everywhere: &GlobalArgs,
    args: &WhoArgs,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let question = WhoParams {
        channel: args.channel.clone(),
        topic: args.topic.clone(),
        at: args.at,
        seq: args.seq,
        known_at: args.known_at,
        zone: everywhere.zone,
        certain: args.certain,
    };
    QueryBackend::of(everywhere)?.each(&question, |who| output.one(who, tables::who))
}
