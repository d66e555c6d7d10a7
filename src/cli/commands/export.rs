//! `export`: writes entries, stays, figures or what was missed into a file, or to standard output.

use super::history::one_of;
use super::{failure, now};
use crate::cli::answers::{Found, begins_before, find, misread, open, say_retained};
use crate::cli::exit::{Exit, Failure};
use crate::cli::global_args::GlobalArgs;
use crate::cli::help::{HELP, at_time};
use crate::cli::holding::Holding;
use crate::cli::interrupt::interrupted;
use crate::cli::notices::Notices;
use crate::cli::output::OutputFormat;
use crate::cli::progress::{FileProgress, say};
use crate::cli::text::count;
use crate::domain::time::Millis;
use crate::export::record::CsvStyle;
use crate::export::{Existing, ExportError, ExportFormat, ExportKind, ExportTarget, RowFormat};
use crate::query::answer::{EntryType, OriginAnswer};
use crate::query::calendar::Zone;
use crate::query::params::{HistoryParams, MissedParams, SessionsParams, StatsParams, Types};
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
    crate::query::answer::{Missed, Stats},
    crate::query::owner::EntryRow,
};

/// `export`.
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "Examples:
  rollbook export --what sessions --to stays.parquet
  rollbook export studio-7 --from -24h --to entries.jsonl.zst
  rollbook export --what stats --to - --format csv | head
  rollbook export --what sessions --to stays.csv --spreadsheet --zone Europe/Berlin
  rollbook export --after-seq 120000 --type join,leave --to more.parquet
  duckdb -c \"select \\\"user\\\", sum(min_ms) from 'stays.parquet' group by all\"
")]
pub struct ExportArgs {
    /// Only this channel
    pub channel: Option<String>,
    /// The file; its name says the format: .parquet, .csv or .jsonl, of the last two also .gz and .zst. `-` is standard output:
    /// --format says csv or jsonl
    #[arg(long = "to", value_name = "FILE")]
    pub file: PathBuf,
    /// What to write
    #[arg(long, default_value = "entries")]
    pub what: ExportRows,
    /// Of CSV only: for spreadsheets. Times are those of --zone, in the form that they know; texts that they would run as formulas
    /// begin with an apostrophe
    #[arg(long)]
    pub spreadsheet: bool,
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
    /// Of entries only: those of these types
    #[arg(long = "type", value_name = "TYPE", value_delimiter = ',', value_parser = one_of(EntryType::ALL))]
    pub types: Vec<EntryType>,
    /// Of entries only: what a feed said, or what was inferred
    #[arg(long, value_parser = one_of(OriginAnswer::ALL))]
    pub origin: Option<OriginAnswer>,
    /// Of entries only: those after this one, so that a file has what came since the last
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub after_seq: u64,
    /// Of all but entries: what was known at this moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub known_at: Option<When>,
}

/// What can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportRows {
    /// Entries of the log, as `history` gives them
    Entries,
    /// Stays of members, as `sessions` gives them
    Sessions,
    /// Figures of channels and topics, as `stats` gives them
    Stats,
    /// Who came, went and changed in the gaps of a channel, as `missed` gives it
    Missed,
}

pub(in crate::cli) fn run(everywhere: &GlobalArgs, args: &ExportArgs) -> Result<(), Failure> {
    let (data, zone) = (everywhere.data.as_path(), everywhere.zone);
    // What is wrong with the command line is said before a store is opened.
    let target = args.target(everywhere)?;
    args.check()?;
    let what = args.what(zone)?;
    let found = find(data, open)?;
    let interrupted = interrupted();
    let progress = FileProgress::start_rows();
    let mut notices = Notices::default();
    let mut named = Vec::new();
    let count_rows = &mut |rows| {
        progress.rows(rows);
        !interrupted.load(Ordering::Relaxed)
    };
    let unclear = &mut |seq| {
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
                .export_to(target, &what, count_rows, unclear);
            let written = written.map_err(|error| export_failure(data, error));
            written.and_then(|rows| holding.close(data).map(|()| rows))
        }
        #[cfg(feature = "client")]
        Found::Owner(owner) => {
            let stop = &|| interrupted.load(Ordering::Relaxed);
            let from = (data, zone, &*owner);
            let written = args.export_from(from, stop, target, count_rows, unclear);
            retained = owner.retained().map(|at| at.0);
            written
        }
    };
    progress.finish();
    named.extend(notices.rest());
    named.iter().for_each(|line| say(line));
    let rows = written?;
    say_retained(retained.filter(begins));
    if args.file != Path::new("-") {
        say(&format!("{} rows in {}", count(rows), args.file.display()));
    }
    notices.all_told().map_or(Ok(()), Err)
}

impl ExportArgs {
    /// Where the rows go, and how they are written.
    fn target(&self, everywhere: &GlobalArgs) -> Result<ExportTarget<'_>, Failure> {
        let usage = |what: &str| Err(Failure::new(Exit::Usage, what.to_owned()));
        let (data, asked) = (everywhere.data.as_path(), everywhere.format);
        let is_stream = self.file == Path::new("-");
        let mut format = if is_stream {
            let rows = match asked {
                Some(OutputFormat::Csv) => RowFormat::CSV,
                Some(OutputFormat::Jsonl) | None => RowFormat::Jsonl,
                Some(_) => return usage("standard output gets --format csv or --format jsonl"),
            };
            ExportFormat::plain(rows)
        } else {
            ExportFormat::of(&self.file).map_err(|error| export_failure(data, error))?
        };
        match (asked, format.rows) {
            (None, _)
            | (Some(OutputFormat::Csv), RowFormat::Csv(_))
            | (Some(OutputFormat::Jsonl), RowFormat::Jsonl) => {}
            _ => return usage("--format says something else than the name of the file"),
        }
        match (self.spreadsheet, &mut format.rows) {
            (false, _) => {}
            (true, RowFormat::Csv(style)) => {
                *style = CsvStyle::Spreadsheet(everywhere.zone.unwrap_or_default());
            }
            (true, _) => return usage("--spreadsheet is for CSV"),
        }
        if is_stream {
            let sink = Box::new(std::io::stdout());
            return Ok(ExportTarget::Stream(format, sink));
        }
        let existing = match self.force {
            true => Existing::Replace,
            false => Existing::Keep,
        };
        Ok(ExportTarget::File(&self.file, format, existing))
    }

    /// Whether the filters go with what is to be written.
    fn check(&self) -> Result<(), Failure> {
        let of_entries = !self.types.is_empty() || self.origin.is_some() || self.after_seq > 0;
        let wrong = match self.what {
            ExportRows::Entries if self.known_at.is_some() => "--known-at is not for entries",
            ExportRows::Entries => return Ok(()),
            _ if of_entries => "--type, --origin and --after-seq are for entries only",
            ExportRows::Stats | ExportRows::Missed if self.user.is_some() => {
                "--user is for entries and sessions only"
            }
            ExportRows::Missed if self.channel.is_none() => "--what missed needs a channel",
            ExportRows::Missed if self.topic.is_some() || self.until.is_some() => {
                "--topic and --until are not for --what missed"
            }
            _ => return Ok(()),
        };
        Err(Failure::new(Exit::Usage, wrong.to_owned()))
    }

    /// What to write; relative times count from now.
    fn what(&self, zone: Option<Zone>) -> Result<ExportKind, Failure> {
        let now = now();
        let what = match self.what {
            ExportRows::Entries => self.entries(zone).filter(now).map(ExportKind::Entries),
            ExportRows::Sessions => self.sessions(zone).filter(now).map(ExportKind::Sessions),
            ExportRows::Stats => self.stats(zone).filter(now).map(ExportKind::Stats),
            ExportRows::Missed => {
                let missed = self.missed(zone);
                let filter = missed.filter(now);
                filter.map(|filter| ExportKind::Missed(missed.channel, filter))
            }
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
            types: Types(self.types.clone()),
            origin: self.origin,
            after_seq: self.after_seq,
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
            known_at: self.known_at,
            zone,
            ..SessionsParams::default()
        }
    }

    fn stats(&self, zone: Option<Zone>) -> StatsParams {
        StatsParams {
            channel: self.channel.clone(),
            topic: self.topic.clone(),
            from: self.from,
            to: self.until,
            known_at: self.known_at,
            zone,
            ..StatsParams::default()
        }
    }

    fn missed(&self, zone: Option<Zone>) -> MissedParams {
        MissedParams {
            channel: self.channel.clone().unwrap_or_default(),
            since: self.from,
            known_at: self.known_at,
            detail: true,
            zone,
            ..MissedParams::default()
        }
    }

    /// Writes the rows that the process with the open store sends.
    #[cfg(feature = "client")]
    fn export_from(
        &self,
        (data, zone, owner): (&Path, Option<Zone>, &ServerClient),
        stop: &dyn Fn() -> bool,
        target: ExportTarget<'_>,
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
            ExportRows::Entries => target.write(progress, |row| {
                let each = &mut |EntryRow { entry, unclear: is }: EntryRow| {
                    if is {
                        unclear(entry.seq);
                    }
                    row(&entry)
                };
                end(owner.entry_rows(&self.entries(zone), PieceReader { stop, each }))
            }),
            ExportRows::Sessions => target.write(progress, |row| {
                let each = &mut |stay| row(&stay);
                end(owner.session_rows(&self.sessions(zone), PieceReader { stop, each }))
            }),
            ExportRows::Stats => target.write(progress, |row| {
                end(owner.ask("stats", &self.stats(zone), |line: Stats| row(&line)))
            }),
            ExportRows::Missed => target.write(progress, |row| {
                end(owner.ask("missed", &self.missed(zone), |gap: Missed| row(&gap)))
            }),
        };
        answered?;
        written.map_err(|error| export_failure(data, error))
    }
}

pub(super) fn export_failure(data: &Path, error: ExportError) -> Failure {
    match error {
        ExportError::Store(error) => failure(data, error),
        ExportError::Format(_) => Failure::new(Exit::Usage, error.to_string()),
        ExportError::Exists(_) => Failure::new(Exit::Failed, error.to_string())
            .hint("name another file, or replace it with --force"),
        // Standard output: a reader that wants no more is no failure.
        ExportError::File { path, error } if path == Path::new("-") => Failure::output(&error),
        ExportError::Stopped => Failure::new(Exit::Interrupted, error.to_string()),
        other => Failure::new(Exit::Failed, other.to_string()),
    }
}
