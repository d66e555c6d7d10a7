//! `ingest`: record events from files or standard input.

use super::taking::{self, Taking};
use super::{failure, ingest_failure};
use crate::cli::exit::{Exit, Failure};
use crate::cli::help::HELP;
use crate::cli::interrupt::interrupted;
use crate::cli::notices::Notices;
use crate::cli::output::Output;
use crate::cli::progress::{Progress, say};
use crate::cli::tables;
use crate::ingest::source::Source;
use crate::ingest::{How, Outcome, Watcher, ingest};
use crate::store::{Clamped, DifferingRetry, Options, Refused, Store};
use clap::Args;
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
    /// Who watched, for lines that do not say
    #[arg(
        long,
        value_name = "NAME",
        default_value = "default",
        allow_hyphen_values = true,
        value_parser = taking::name
    )]
    pub observer: String,
    /// The observer's own user id, for lines that do not say: a snapshot never infers that he left
    #[arg(long = "self", value_name = "USER", allow_hyphen_values = true, value_parser = taking::name)]
    pub self_user: Option<String>,
    /// How lines are taken and kept.
    #[command(flatten)]
    pub taking: Taking,
}

pub(in crate::cli) fn run(
    data: &Path,
    args: &Ingest,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let start = Instant::now();
    let how = How {
        observer: args.observer.clone(),
        self_user: args.self_user.clone(),
        settings: args.taking.settings(),
        rules: args.taking.rules(),
        strict: args.strict,
        resume: args.resume,
        keep_recorded: args.keep_recorded,
        only: None,
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
    let store = Store::open(
        data,
        Options {
            durability: args.taking.durability(),
            ..Options::default()
        },
    )
    .map_err(|error| failure(data, error))?;
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
    notices.in_all(&outcome.tally);
    notices.rest().iter().for_each(|line| say(line));
    let doubt = args.taking.doubt_of_times(outcome.latest_time);
    doubt.iter().for_each(|line| say(line));
    drop(store);
    let elapsed_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    output.one(&outcome.summary(elapsed_ms), tables::ingest)?;
    done?;
    if outcome.stopped {
        return Err(Failure::new(
            Exit::Failed,
            "stopped at a line that could not be taken (--strict)",
        )
        .hint("what came before it is recorded: give what begins with it, mended, as a file of its own (`tail -n +LINE FILE`), or leave --strict away"));
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
        if let Some(notice) = self.notices.clamped(clamped) {
            self.progress.say(&notice);
        }
    }

    fn differing(&mut self, retry: &DifferingRetry) {
        if let Some(notice) = self.notices.differing(retry) {
            self.progress.say(&notice);
        }
    }

    fn stop(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }
}
