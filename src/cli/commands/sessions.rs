//! `sessions`: stays of members.

use crate::cli::answers::QueryBackend;
use crate::cli::exit::Failure;
use crate::cli::global_args::GlobalArgs;
use crate::cli::help::{HELP, at_time};
use crate::cli::output::Output;
use crate::cli::tables::SessionsTable;
use crate::query::params::{PerParam, SessionsParams};
use crate::query::time::When;
use clap::{Args, ValueEnum};

/// `sessions`.
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "Examples:
  rollbook sessions studio-7
  rollbook sessions --user ana --from -24h
  rollbook sessions studio-7 --per channel --zone Europe/Berlin --from 2026-05-14 --to 2026-05-15 --clip
  rollbook sessions studio-7 --format csv > stays.csv
")]
pub struct SessionsArgs {
    /// Only this channel
    pub channel: Option<String>,
    /// Only this topic
    #[arg(long, allow_hyphen_values = true)]
    pub topic: Option<String>,
    /// Only this user
    #[arg(long, allow_hyphen_values = true)]
    pub user: Option<String>,
    /// Only stays that were not over at this moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, help = at_time("Only stays that were not over at this moment"))]
    pub from: Option<When>,
    /// Only stays that had begun before this moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub to: Option<When>,
    /// Unite the stays of a user that overlap or touch: over connections, or over topics and connections
    #[arg(long, value_name = "PLACE")]
    pub per: Option<PerArg>,
    /// End stays at --from and --to, with all their bounds
    #[arg(long)]
    pub clip: bool,
    /// As the log was known at this moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub known_at: Option<When>,
}

/// Over what stays are united.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PerArg {
    /// Over the connections of a user in a topic
    Topic,
    /// Over the topics and connections of a user in a channel
    Channel,
}

impl PerArg {
    fn param(self) -> PerParam {
        match self {
            PerArg::Topic => PerParam::Topic,
            PerArg::Channel => PerParam::Channel,
        }
    }
}

pub(in crate::cli) fn run(
    everywhere: &GlobalArgs,
    args: &SessionsArgs,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let question = SessionsParams {
        channel: args.channel.clone(),
        topic: args.topic.clone(),
        user: args.user.clone(),
        from: args.from,
        to: args.to,
        per: args.per.map(PerArg::param),
        clip: args.clip,
        known_at: args.known_at,
        zone: everywhere.zone,
    };
    let table = SessionsTable::new(args.channel.is_some(), question.per, everywhere.zone);
    let mut list = output.list(table);
    QueryBackend::of(everywhere)?.each(&question, |session| list.row(session))?;
    list.finish()
}
