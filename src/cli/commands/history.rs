//! `history`: the entries of the log.

use crate::cli::answers::QueryBackend;
use crate::cli::exit::Failure;
use crate::cli::global_args::GlobalArgs;
use crate::cli::help::{HELP, at_time};
use crate::cli::output::Output;
use crate::cli::tables::HistoryTable;
use crate::query::answer::{EntryType, OriginAnswer};
use crate::query::calendar::Zone;
use crate::query::params::{HistoryParams, Types};
use crate::query::time::When;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use std::fmt::Display;

/// `history`.
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "Examples:
  rollbook history studio-7 --from -2h
  rollbook history --user ana --type join,leave
  rollbook history studio-7 --origin inferred --format csv > inferred.csv
  rollbook --url http://localhost:7400 history studio-7 --follow
")]
pub struct HistoryArgs {
    /// Only this channel
    pub channel: Option<String>,
    /// Only this topic
    #[arg(long, allow_hyphen_values = true)]
    pub topic: Option<String>,
    /// Only this user
    #[arg(long, allow_hyphen_values = true)]
    pub user: Option<String>,
    /// Only what takes effect at or after this moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, help = at_time("Only what takes effect at or after this moment"))]
    pub from: Option<When>,
    /// Only what takes effect before this moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub to: Option<When>,
    /// Only entries of these types
    #[arg(long = "type", value_name = "TYPE", value_delimiter = ',', value_parser = one_of(EntryType::ALL))]
    pub types: Vec<EntryType>,
    /// Only what a feed said, or only what was inferred
    #[arg(long, value_parser = one_of(OriginAnswer::ALL))]
    pub origin: Option<OriginAnswer>,
    /// Only entries after this one
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub after_seq: u64,
    /// At most so many entries
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// Then go on with new entries as they come, until interrupted; a data directory that no server owns is waited for
    #[cfg(feature = "client")]
    #[arg(long)]
    pub follow: bool,
}

/// A parser for one of these words; help and completions list them.
pub(super) fn one_of<T: Copy + Display + Send + Sync + 'static>(
    all: &'static [T],
) -> impl TypedValueParser<Value = T> {
    let words = all.iter().map(ToString::to_string);
    PossibleValuesParser::new(words).try_map(move |word| {
        let found = all.iter().find(|one| one.to_string() == word);
        found.copied().ok_or("no such word")
    })
}

pub(in crate::cli) fn run(
    everywhere: &GlobalArgs,
    args: &HistoryArgs,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let question = args.question(everywhere.zone);
    #[cfg(feature = "client")]
    if args.follow {
        return super::follow::run(everywhere, question, output);
    }
    let mut list = output.list(HistoryTable::new(args.channel.is_some()));
    QueryBackend::of(everywhere)?.each(&question, |entry| list.row(entry))?;
    list.finish()
}

impl HistoryArgs {
    fn question(&self, zone: Option<Zone>) -> HistoryParams {
        HistoryParams {
            channel: self.channel.clone(),
            topic: self.topic.clone(),
            user: self.user.clone(),
            from: self.from,
            to: self.to,
            types: Types(self.types.clone()),
            origin: self.origin,
            after_seq: self.after_seq,
            limit: self.limit,
            zone,
        }
    }
}
