//! `export`: writes entries or stays into a file.

use super::{failure, now};
use crate::cli::answers::{Found, begins_before, find, misread, open, say_retained};
use crate::cli::exit::{Exit, Failure};
use crate::cli::global_args::GlobalArgs;
use crate::cli::help::{HELP, at_time};
use crate::cli::holding::Holding;
use crate::cli::interrupt::interrupted;
use crate::cli::notices::Notices;
use crate::cli::progress::{FileProgress, say};
use crate::cli::text::count;
use crate::domain::time::Millis;
use crate::export::{Existing, ExportError, ExportFormat, ExportKind};
use crate::query::calendar::Zone;
use crate::query::params::{HistoryParams, SessionsParams};
use crate::query::time::When;
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
#[cfg(feature = "client")]
use {
    crate::cli::answers::unanswered_by_owner,
    crate::client::{
        owner::PieceReader,
        remote::{RemoteError, ServerClient},
    },
    crate::export::write_file,
    crate::query::owner::EntryRow,
};

/// `export`.
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "Examples:
  rollbook export --what sessions --to stays.csv
  rollbook export studio-7 --what entries --from -24h --to entries.jsonl
  duckdb -c \"from 'stays.csv'\"
")]
pub struct ExportArgs {
    /// Only this channel
    pub channel: Option<String>,
    /// The file; its name says the format (.csv, .jsonl)
    #[arg(long = "to", value_name = "FILE")]
    pub file: PathBuf,
    /// What to write
    #[arg(long, default_value = "entries")]
    pub what: ExportRows,
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
pub enum ExportRows {
    /// Entries of the log, as `history` gives them
    Entries,
    /// Stays of members, as `sessions` gives them
    Sessions,
}

pub(in crate::cli) fn run(everywhere: &GlobalArgs, args: &ExportArgs) -> Result<(), Failure> {
    let (data, zone) = (everywhere.data.as_path(), everywhere.zone);
    // Check the format before a store is opened.
    ExportFormat::of(&args.file).map_err(|error| export_failure(data, error))?;
    let existing = if args.force {
        Existing::Replace
    } else {
        Existing::Keep
    };
    // Times are read before a store is opened.
    let what = args.what(zone)?;
    let found = find(data, open)?;
    let interrupted = interrupted();
    let progress = FileProgress::start_rows();
    let mut notices = Notices::default();
    let mut named = Vec::new();
    let count_rows = |rows| {
        progress.rows(rows);
        !interrupted.load(Ordering::Relaxed)
    };
    let unclear = |seq| {
        let why = "its metadata is no JSON, and is written as a string";
        named.extend(notices.untold(seq, why));
    };
    let begins = |from: &Millis| begins_before((args.from, zone), *from, now());
    let retained;
    let written = match found {
        Found::Store(store) => {
            retained = store.retained().map(|retained| retained.from);
            let mut holding = Holding::read(data, *store);
            let written = holding
                .store()
                .export(&args.file, &what, existing, count_rows, unclear);
            let written = written.map_err(|error| export_failure(data, error));
            written.and_then(|rows| holding.close(data).map(|()| rows))
        }
        #[cfg(feature = "client")]
        Found::Owner(owner) => {
            let stop = &|| interrupted.load(Ordering::Relaxed);
            let written = args.export_from(
                (data, zone),
                (&owner, stop),
                existing,
                &mut { count_rows },
                &mut { unclear },
            );
            retained = owner.retained().map(|at| at.0);
            written
        }
    };
    progress.finish();
    named.extend(notices.rest());
    named.iter().for_each(|line| say(line));
    let rows = written?;
    say_retained(retained.filter(begins));
    say(&format!("{} rows in {}", count(rows), args.file.display()));
    notices.all_told().map_or(Ok(()), Err)
}

impl ExportArgs {
    /// What to write; relative times count from now.
    fn what(&self, zone: Option<Zone>) -> Result<ExportKind, Failure> {
        let now = now();
        let what = match self.what {
            ExportRows::Entries => self.entries(zone).filter(now).map(ExportKind::Entries),
            ExportRows::Sessions => self.sessions(zone).filter(now).map(ExportKind::Sessions),
        };
        what.map_err(|error| misread(&error))
    }

    fn entries(&self, zone: Option<Zone>) -> HistoryParams {
        HistoryParams {
            channel: self.channel.clone(),
            topic: self.topic.clone(),
            user: self.user.clone(),
            from: self.from,
            to: self.until,
            zone,
            ..HistoryParams::default()
        }
    }

    fn sessions(&self, zone: Option<Zone>) -> SessionsParams {
        SessionsParams {
            channel: self.channel.clone(),
            topic: self.topic.clone(),
            user: self.user.clone(),
            from: self.from,
            to: self.until,
            zone,
            ..SessionsParams::default()
        }
    }

    /// Writes the rows that the process with the open store sends.
    #[cfg(feature = "client")]
    fn export_from(
        &self,
        (data, zone): (&Path, Option<Zone>),
        (owner, stop): (&ServerClient, &dyn Fn() -> bool),
        existing: Existing,
        progress: &mut dyn FnMut(u64) -> bool,
        unclear: &mut dyn FnMut(u64),
    ) -> Result<u64, Failure> {
        let mut answered = Ok(());
        let mut end = |ended: Result<(), RemoteError>| {
            answered = ended.map_err(|error| unanswered_by_owner(data, error));
            match (&answered, stop()) {
                (Ok(()), false) => Ok(()),
                // An incomplete file must not replace the old one.
                _ => Err(ExportError::Stopped),
            }
        };
        let written = match self.what {
            ExportRows::Entries => write_file(&self.file, existing, progress, |row| {
                let each = &mut |EntryRow { entry, unclear: is }: EntryRow| {
                    if is {
                        unclear(entry.seq);
                    }
                    row(&entry)
                };
                end(owner.entry_rows(&self.entries(zone), PieceReader { stop, each }))
            }),
            ExportRows::Sessions => write_file(&self.file, existing, progress, |row| {
                let each = &mut |stay| row(&stay);
                end(owner.session_rows(&self.sessions(zone), PieceReader { stop, each }))
            }),
        };
        answered?;
        written.map_err(|error| export_failure(data, error))
    }
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
