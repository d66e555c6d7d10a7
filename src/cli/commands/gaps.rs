//! `gaps`: when no observer watched a channel.

use crate::cli::answers::QueryBackend;
use crate::cli::exit::Failure;
use crate::cli::global_args::GlobalArgs;
use crate::cli::help::HELP;
use crate::cli::output::Output;
use crate::cli::tables::GapsTable;
use crate::query::params::ChannelParams;
use clap::Args;

/// `gaps`.
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "Examples:
  rollbook gaps studio-7
  rollbook gaps studio-7 --format csv
")]
pub struct GapsArgs {
    /// The channel
    pub channel: String,
}

pub(in crate::cli) fn run(
    everywhere: &GlobalArgs,
    args: &GapsArgs,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let question = ChannelParams {
        channel: args.channel.clone(),
    };
    let mut list = output.list(GapsTable::default());
    QueryBackend::of(everywhere)?.each(&question, |gap| list.row(gap))?;
    list.finish()
}
