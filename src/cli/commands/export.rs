//! `export`: entries or stays into a file.

use super::{failure, now};
use crate::cli::answers::open_store;
use crate::cli::exit::{Exit, Failure};
use crate::cli::help::{HELP, at_time};
use crate::cli::interrupt::interrupted;
use crate::cli::notices::Notices;
use crate::cli::progress::{Progress, say};
use crate::cli::text::count;
use crate::export::{Existing, ExportError, Format, What};
use crate::query::time::When;
use crate::query::{HistoryFilter, SessionFilter};
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

/// `export`.
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "Examples:
  rollbook export --what sessions --to stays.csv
  rollbook export studio-7 --what entries --from -24h --to entries.jsonl
  duckdb -c \"from 'stays.csv'\"
")]
pub struct Export {
    /// Only this channel
    pub channel: Option<String>,
    /// The file; its name says the format (.csv, .jsonl)
    #[arg(long = "to", value_name = "FILE")]
    pub file: PathBuf,
    /// What to write
    #[arg(long, default_value = "entries")]
    pub what: Rows,
    /// Replace the file if there is one
    #[arg(long)]
    pub force: bool,
    /// Only this topic
    #[arg(long, allow_hyphen_values = true)]
    pub topic: Option<String>,
    /// Only this user
    #[arg(long, allow_hyphen_values = true)]
    pub user: Option<String>,
    /// Only what takes effect at or after this moment; stays that were not over at it
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, help = at_time("Only what takes effect at or after this moment; stays that were not over at it"))]
    pub from: Option<When>,
    /// Only what takes effect before this moment; stays that had begun before it
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub until: Option<When>,
}

/// What can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Rows {
    /// Entries of the log, as `history` gives them
    Entries,
    /// Stays of members, as `sessions` gives them
    Sessions,
}

pub(in crate::cli) fn run(data: &Path, args: &Export) -> Result<(), Failure> {
    // What cannot be written is better told before a store is opened.
    Format::of(&args.file).map_err(|error| export_failure(data, error))?;
    let now = now();
    let (channel, topic, user) = (args.channel.clone(), args.topic.clone(), args.user.clone());
    let from = args.from.map(|at| at.resolve(now));
    let to = args.until.map(|at| at.resolve(now));
    let what = match args.what {
        Rows::Entries => What::Entries(HistoryFilter {
            channel,
            topic,
            user,
            from,
            to,
            ..HistoryFilter::default()
        }),
        Rows::Sessions => What::Sessions(SessionFilter {
            channel,
            topic,
            user,
            from,
            to,
            known_at: None,
        }),
    };
    let existing = if args.force {
        Existing::Replace
    } else {
        Existing::Keep
    };
    let store = open_store(data)?;
    let interrupted = interrupted();
    let progress = Progress::start_rows();
    let mut notices = Notices::default();
    let mut named = Vec::new();
    let written = store.export(
        &args.file,
        &what,
        existing,
        |rows| {
            progress.rows(rows);
            !interrupted.load(Ordering::Relaxed)
        },
        |seq| {
            let why = "its metadata is no JSON, and is written as a string";
            named.extend(notices.untold(seq, why));
        },
    );
    progress.finish();
    named.extend(notices.rest());
    named.iter().for_each(|line| say(line));
    let rows = written.map_err(|error| export_failure(data, error))?;
    say(&format!("{} rows in {}", count(rows), args.file.display()));
    notices.all_told().map_or(Ok(()), Err)
}

fn export_failure(data: &Path, error: ExportError) -> Failure {
    match error {
        ExportError::Store(error) => failure(data, error),
        ExportError::Format(_) => Failure::new(Exit::Usage, error.to_string()),
        ExportError::Exists(_) => Failure::new(Exit::Failed, error.to_string())
            .hint("name another file, or replace it with --force"),
        ExportError::Stopped => Failure::new(Exit::Interrupted, error.to_string()),
        other => Failure::new(Exit::Failed, other.to_string()),
    }
}
