//! `history`: the entries of the log.

use super::{failure, now, open};
use crate::cli::args::{HELP, at_time};
use crate::cli::exit::Failure;
use crate::cli::output::Output;
use crate::cli::tables::HistoryTable;
use crate::query::HistoryFilter;
use crate::query::answer::EntryType;
use crate::query::time::When;
use clap::{Args, ValueEnum};
use std::path::Path;

/// `history`.
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "Examples:
  rollbook history studio-7 --from -2h
  rollbook history --user ana --type join,leave
  rollbook history studio-7 --origin inferred --format csv > inferred.csv
")]
pub struct History {
    /// Only this channel
    pub channel: Option<String>,
    /// Only this topic
    #[arg(long)]
    pub topic: Option<String>,
    /// Only this user
    #[arg(long)]
    pub user: Option<String>,
    /// Only what takes effect at or after this moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, help = at_time("Only what takes effect at or after this moment"))]
    pub from: Option<When>,
    /// Only what takes effect before this moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub to: Option<When>,
    /// Only entries of these types
    #[arg(long = "type", value_name = "TYPE", value_delimiter = ',')]
    pub types: Vec<EntryKind>,
    /// Only what a feed said, or only what was inferred
    #[arg(long)]
    pub origin: Option<EntryOrigin>,
    /// Only entries after this one
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub after_seq: u64,
    /// At most so many entries
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
}

/// A type of entry, as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum EntryKind {
    Join,
    Leave,
    Update,
    Snapshot,
    Link,
    Token,
}

/// Where an entry comes from, as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EntryOrigin {
    /// A feed said it
    Observed,
    /// A snapshot made one infer it
    Inferred,
}

pub(super) fn run(data: &Path, args: &History, output: &mut Output<'_>) -> Result<(), Failure> {
    let now = now();
    let entry_type = |kind: &EntryKind| match kind {
        EntryKind::Join => EntryType::Join,
        EntryKind::Leave => EntryType::Leave,
        EntryKind::Update => EntryType::Update,
        EntryKind::Snapshot => EntryType::Snapshot,
        EntryKind::Link => EntryType::Link,
        EntryKind::Token => EntryType::Token,
    };
    let filter = HistoryFilter {
        channel: args.channel.clone(),
        topic: args.topic.clone(),
        user: args.user.clone(),
        from: args.from.map(|at| at.resolve(now)),
        to: args.to.map(|at| at.resolve(now)),
        types: args.types.iter().map(entry_type).collect(),
        observed: args.origin.map(|origin| origin == EntryOrigin::Observed),
        after_seq: args.after_seq,
        limit: args.limit,
    };
    let store = open(data)?;
    let mut list = output.list(HistoryTable::new(args.channel.is_some()));
    let mut written = Ok(());
    let read = store.history(&filter, |entry| {
        written = list.row(&entry);
        written.is_ok()
    });
    read.map_err(|error| failure(data, error))?;
    written?;
    list.finish()
}
