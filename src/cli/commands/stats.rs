//! `stats`: how many, at most, how long.

use crate::cli::answers::QueryBackend;
use crate::cli::exit::Failure;
use crate::cli::global_args::GlobalArgs;
use crate::cli::help::{HELP, at_time};
use crate::cli::output::Output;
use crate::cli::tables::StatsTable;
use crate::query::params::StatsParams;
use crate::query::time::{Span, When};
use clap::Args;

/// `stats`.
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "Examples:
  rollbook stats studio-7
  rollbook stats studio-7 --topic chat --from -24h --every 1h
  rollbook stats --format csv > figures.csv
")]
pub struct StatsArgs {
    /// Only this channel
    pub channel: Option<String>,
    /// Only this topic
    #[arg(long, allow_hyphen_values = true)]
    pub topic: Option<String>,
    /// From this moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, help = at_time("From this moment"))]
    pub from: Option<When>,
    /// Up to this moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub to: Option<When>,
    /// A line for each such stretch (90s, 15m, 1h, 1d)
    #[arg(long, value_name = "SPAN", value_parser = stretch)]
    pub every: Option<Span>,
    /// As the log was known at this moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub known_at: Option<When>,
}

/// Parses a span of at least 1 ms.
fn stretch(text: &str) -> Result<Span, String> {
    let span: Span = text.parse()?;
    if span.0 > 0 {
        Ok(span)
    } else {
        Err("a stretch lasts 1ms at least".to_owned())
    }
}

pub(in crate::cli) fn run(
    everywhere: &GlobalArgs,
    args: &StatsArgs,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let question = StatsParams {
        channel: args.channel.clone(),
        topic: args.topic.clone(),
        from: args.from,
        to: args.to,
        every: args.every,
        known_at: args.known_at,
        zone: everywhere.zone,
    };
    let table = StatsTable::new(args.channel.is_some(), args.every.is_some());
    let mut list = output.list(table);
    QueryBackend::of(everywhere)?.each(&question, |line| list.row(line))?;
    list.finish()
}
