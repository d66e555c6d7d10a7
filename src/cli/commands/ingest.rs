//! `ingest`: record events from files or standard input.

use super::{failure, ingest_failure, interrupted};
use crate::cli::args::HELP;
use crate::cli::exit::{Exit, Failure};
use crate::cli::notices::Notices;
use crate::cli::output::Output;
use crate::cli::progress::{Progress, say};
use crate::cli::tables;
use crate::domain::entry::Rules;
use crate::ingest::source::Source;
use crate::ingest::{How, Outcome, Watcher, ingest};
use crate::query::answer::Time;
use crate::query::time::Span;
use crate::store::{self, Clamped, Options, Refused, Store};
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// `ingest`.
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "Examples:
  rollbook ingest evening.jsonl
  rollbook ingest --resume big.jsonl.zst          go on where an earlier run ended
  bridge | rollbook ingest --observer bridge-1    from standard input
  rollbook replay --as rollbook | rollbook --data copy ingest --keep-recorded
")]
pub struct Ingest {
    /// JSON lines, also compressed (.gz, .zst); - or none is standard input
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Go on behind the last durable line of an earlier run of the same file
    #[arg(long)]
    pub resume: bool,
    /// Record lines that say when they were recorded, as those of `replay --as rollbook` do, as they were then
    #[arg(long)]
    pub keep_recorded: bool,
    /// Stop at the first line that cannot be taken, keeping what came before it
    #[arg(long)]
    pub strict: bool,
    #[command(flatten)]
    pub taking: Taking,
}

/// How lines are taken, whatever they come from.
#[derive(Debug, Args)]
pub struct Taking {
    /// Who watched, for lines that do not say
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub observer: String,
    /// The observer's own user id, for lines that do not say: a snapshot never infers that he left
    #[arg(long = "self", value_name = "USER")]
    pub self_user: Option<String>,
    /// Lateness forgiven before an event or snapshot counts as stale, for sources that stamp snapshots later than
    /// they read them (1500, 1500ms, 2s)
    #[arg(long, value_name = "MS", default_value = "0")]
    pub skew_tolerance: Span,
    /// The source may drop or reorder single events: nothing about its channels is certain
    #[arg(long)]
    pub lossy_feed: bool,
    /// By how much windows begin earlier, for what a source may delay or debounce (1500, 1500ms, 2s)
    #[arg(long, value_name = "MS", default_value = "0")]
    pub slack: Span,
    /// How far a source's time may be ahead of the recording before it counts as missing (60000, 60s, 1m)
    #[arg(long, value_name = "MS", default_value = "60s")]
    pub max_ahead: Span,
    /// What an acknowledged line survives
    #[arg(long, value_name = "LEVEL", default_value = "power")]
    pub durability: Durability,
}

/// What an acknowledged line survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Durability {
    /// A power cut
    Power,
    /// The end of the process
    Process,
    /// Nothing for sure: written when convenient
    None,
}

impl From<Durability> for store::Durability {
    fn from(durability: Durability) -> Self {
        match durability {
            Durability::Power => store::Durability::Power,
            Durability::Process => store::Durability::Process,
            Durability::None => store::Durability::None,
        }
    }
}

impl Taking {
    /// As the library says it.
    pub(super) fn how(&self) -> How {
        How {
            observer: self.observer.clone(),
            self_user: self.self_user.clone(),
            rules: Rules {
                skew_tolerance_ms: self.skew_tolerance.0,
                max_ahead_ms: self.max_ahead.0,
                slack_ms: self.slack.0,
                lossy: self.lossy_feed,
            },
            ..How::default()
        }
    }

    /// Opens the store for them.
    pub(super) fn open(&self, data: &Path, create: bool) -> Result<Store, Failure> {
        let options = Options {
            create,
            durability: self.durability.into(),
            ..Options::default()
        };
        Store::open(data, options).map_err(|error| failure(data, error))
    }
}

pub(super) fn run(data: &Path, args: &Ingest, output: &mut Output<'_>) -> Result<(), Failure> {
    let start = Instant::now();
    let how = How {
        keep_recorded: args.keep_recorded,
        strict: args.strict,
        resume: args.resume,
        ..args.taking.how()
    };
    let standard_input = [PathBuf::from("-")];
    let files = if args.files.is_empty() {
        &standard_input[..]
    } else {
        &args.files
    };
    // A file that is not there is better told before a store is made.
    let mut sources = Vec::with_capacity(files.len());
    for file in files {
        sources.push(Source::open(file).map_err(|error| ingest_failure(data, error.into()))?);
    }
    let store = args.taking.open(data, true)?;
    let interrupted = interrupted();
    let mut outcome = Outcome::default();
    let mut notices = Notices::default();
    let mut done = Ok(());
    for (source, file) in sources.into_iter().zip(files) {
        let size = std::fs::metadata(file)
            .ok()
            .filter(std::fs::Metadata::is_file);
        let mut screen = Screen {
            progress: Progress::start(size.map(|size| size.len())),
            notices: &mut notices,
            interrupted: &interrupted,
        };
        let taken = ingest(&store, source, &how, &mut screen);
        screen.progress.finish();
        match taken {
            Ok(taken) => outcome.add(&taken),
            Err(error) => done = Err(ingest_failure(data, error)),
        }
        if done.is_err() || outcome.stopped || interrupted.load(Ordering::Relaxed) {
            break;
        }
    }
    notices.clamped_in_all(outcome.tally.clamped);
    notices.rest().iter().for_each(|line| say(line));
    drop(store);
    let elapsed_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    output.one(&outcome.summary(elapsed_ms), tables::ingest)?;
    done?;
    if outcome.stopped {
        return Err(Failure::new(
            Exit::Failed,
            "stopped at a line that could not be taken (--strict)",
        )
        .hint("mend the line and run it again with --resume, or leave --strict away"));
    }
    if interrupted.load(Ordering::Relaxed) {
        return Err(Failure::new(
            Exit::Interrupted,
            "interrupted; what was read before is recorded",
        )
        .hint("`rollbook ingest --resume` with the same files goes on from here"));
    }
    Ok(())
}

/// What a person sees while lines are taken.
pub(super) struct Screen<'a> {
    pub(super) progress: Progress,
    pub(super) notices: &'a mut Notices,
    pub(super) interrupted: &'a AtomicBool,
}

impl Watcher for Screen<'_> {
    fn durable(&mut self, read: u64, lines: u64) {
        self.progress.at(read, lines);
    }

    fn rejected(&mut self, refused: &Refused) {
        let Refused {
            source,
            line,
            byte,
            reason,
        } = refused;
        if let Some(notice) = self.notices.reject(source, *line, *byte, reason) {
            self.progress.say(&notice);
        }
    }

    fn clamped(&mut self, clamped: &Clamped) {
        let Clamped {
            seq,
            channel,
            occurred_at,
            effective_at,
        } = clamped;
        let notice = self
            .notices
            .clamped(channel, *seq, Time(*occurred_at), Time(*effective_at));
        if let Some(notice) = notice {
            self.progress.say(&notice);
        }
    }

    fn stop(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }
}
