//! `ingest`: records events from files or standard input.

use super::write_args::{self, WriteArgs};
use super::{caution, failure, ingest_failure};
use crate::cli::exit::{Exit, Failure};
use crate::cli::help::HELP;
use crate::cli::holding::Holding;
use crate::cli::interrupt::interrupted;
use crate::cli::notices::Notices;
use crate::cli::output::Output;
use crate::cli::progress::{FileProgress, say};
use crate::cli::tables;
use crate::cli::text::many;
use crate::ingest::source::{Source, SourceError};
use crate::ingest::{
    IngestError, IngestOptions, IngestOutcome, Pointer, ProgressListener, Unfinished,
    WritePermissions, ingest,
};
use crate::limits::REJECTS_PER_SOURCE_MAX;
use crate::query::time::Span;
use crate::store::{Clamped, DifferingRetry, Options, RefusedLine};
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
  rollbook ingest webhooks.json --at /payload     events in an envelope
  rollbook ingest mixed.jsonl --reorder 5s        lines that were delivered out of order
  rollbook replay --as rollbook | rollbook --data copy ingest --keep-recorded
", after_help = "A file has JSON lines; or it is, as its start tells, one JSON array of events, or JSON that is \
spread over lines. It may be UTF-16 with a byte-order mark, and packed (gzip, zstd). In an array, or in what is spread \
over lines, each element or value counts as a line, named by where it begins. A bad one is a reject, and the rest goes \
on. Bytes are counted in the text, unpacked and in UTF-8.

Exit status 1: a file could not be read to its end, or every line was rejected; what was recorded is in the summary.")]
pub struct IngestArgs {
    /// JSON lines, a JSON array of events, or JSON spread over lines, also packed (.gz, .zst); - or none is standard
    /// input
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Go on behind the last durable line of an earlier run of the same file
    #[arg(long)]
    pub resume: bool,
    /// Record lines that say when they were recorded, as those of `replay --as rollbook` do, as they were then
    #[arg(long)]
    pub keep_recorded: bool,
    /// Where the event stands in its line, as a JSON pointer: an object, text that is JSON again, or an array of events.
    /// --at /payload takes {"id":7,"payload":{"t":"join",…}}
    #[arg(long, value_name = "POINTER")]
    pub at: Option<Pointer>,
    /// Decide lines in the order of their times where these lie apart by no more than this (5000, 5000ms, 5s): a leave
    /// that was delivered before its join then makes a stay. --reorder 5s. At most 100,000 lines or 64 MiB wait; beyond
    /// that the earliest goes on. Lines of the same time keep their order, a line without a time stays behind the line
    /// before it, and the last lines of a live feed wait until later ones come. Not with --resume: no byte is the one up
    /// to which all is recorded. With --strict, what has earlier times is recorded when it stops
    #[arg(long, value_name = "MS", conflicts_with = "resume")]
    pub reorder: Option<Span>,
    /// Stop at the first line that cannot be taken, keeping what came before it
    #[arg(long)]
    pub strict: bool,
    /// Stop once more lines than this could not be taken. Beyond 100,000 of one file they are only counted
    #[arg(long, value_name = "N", default_value_t = REJECTS_PER_SOURCE_MAX, hide_default_value = true)]
    pub max_rejects: u64,
    /// Take in so many bytes of a packed file, however small that is. Else it may be 200 times as large as it is packed,
    /// or 64 MiB
    #[arg(long, value_name = "BYTES")]
    pub max_unpacked: Option<u64>,
    /// Who watched, for lines that do not say
    #[arg(
        long,
        value_name = "NAME",
        default_value = "default",
        allow_hyphen_values = true,
        value_parser = write_args::name
    )]
    pub observer: String,
    /// The observer's own user id, for lines that do not say: a snapshot never infers that he left
    #[arg(long = "self", value_name = "USER", allow_hyphen_values = true, value_parser = write_args::name)]
    pub self_user: Option<String>,
    /// How lines are taken and kept.
    #[command(flatten)]
    pub taking: WriteArgs,
}

pub(in crate::cli) fn run(
    data: &Path,
    args: &IngestArgs,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let start = Instant::now();
    let how = args.options();
    let standard_input = [PathBuf::from("-")];
    let files = if args.files.is_empty() {
        &standard_input[..]
    } else {
        &args.files
    };
    // Check that all files exist before a store is created.
    let sources = open_all(data, files, args.max_unpacked)?;
    let options = Options::default().durability(args.taking.durability());
    let holding = Holding::record_soon(data, options, how.rules, how.settings);
    let mut holding = holding.map_err(|error| failure(data, error))?;
    caution(data, holding.store())?;
    let interrupted = interrupted();
    let mut outcome = IngestOutcome::default();
    let mut notices = Notices::default();
    let mut done = Ok(());
    for (source, file) in sources.into_iter().zip(files) {
        let size = std::fs::metadata(file)
            .ok()
            .filter(std::fs::Metadata::is_file);
        let mut screen = IngestScreen {
            progress: FileProgress::start(size.map(|size| size.len())),
            notices: &mut notices,
            interrupted: &interrupted,
        };
        let known_again = source.fingerprint().is_some() && args.reorder.is_none();
        let taken = ingest(holding.store(), source, &how, &mut screen);
        screen.progress.finish();
        match taken {
            Ok(taken) => outcome.add(&taken),
            Err(unfinished) => {
                outcome.add(&unfinished.outcome);
                done = Err(cut_short(data, *unfinished, known_again));
            }
        }
        if done.is_err() || outcome.stopped || interrupted.load(Ordering::Relaxed) {
            break;
        }
    }
    notices.in_all(&outcome.tally);
    notices.rest().iter().for_each(|line| say(line));
    let closed = holding.close(data);
    let doubt = args.taking.doubt_of_times(outcome.latest_time);
    doubt.iter().for_each(|line| say(line));
    drop(holding);
    let elapsed_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    output.one(&outcome.summary(elapsed_ms), tables::ingest)?;
    done?;
    closed?;
    check_outcome(&outcome, args, interrupted.load(Ordering::Relaxed))
}

impl IngestArgs {
    fn options(&self) -> IngestOptions {
        IngestOptions {
            observer: self.observer.clone(),
            self_user: self.self_user.clone(),
            settings: self.taking.settings(),
            rules: self.taking.rules(),
            strict: self.strict,
            max_rejects: self.max_rejects,
            resume: self.resume,
            keep_recorded: self.keep_recorded,
            at: self.at.clone(),
            reorder_ms: self.reorder.map(|window| window.0),
            reach: WritePermissions::default(),
        }
    }
}

fn open_all(
    data: &Path,
    files: &[PathBuf],
    max_unpacked: Option<u64>,
) -> Result<Vec<Source>, Failure> {
    let mut sources = Vec::with_capacity(files.len());
    for file in files {
        let source = Source::open(file).map_err(|error| ingest_failure(data, error.into()))?;
        if let Some(bytes) = max_unpacked {
            source.unpack_at_any_ratio(bytes);
        }
        sources.push(source);
    }
    Ok(sources)
}

/// Fails if the run stopped at a line, was interrupted, or could take nothing.
fn check_outcome(
    outcome: &IngestOutcome,
    args: &IngestArgs,
    interrupted: bool,
) -> Result<(), Failure> {
    if outcome.stopped {
        let hint = match args.reorder {
            None => {
                "what came before it is recorded: give what begins with it, mended, as a file of its own (`tail -n +LINE FILE`), or leave --strict away"
            }
            Some(_) => {
                "what has earlier times is recorded: mend the line and take the file in again, into an empty store, or leave --strict away"
            }
        };
        let what = "stopped at a line that could not be taken (--strict)";
        return Err(Failure::new(Exit::Failed, what).hint(hint));
    }
    if interrupted {
        return Err(Failure::new(
            Exit::Interrupted,
            "interrupted; what was read before is recorded",
        )
        .hint("`rollbook ingest --resume` with the same files goes on from here"));
    }
    if outcome.lines > 0 && outcome.tally.rejected == outcome.lines {
        let what = format!(
            "none of {} could be taken",
            many(outcome.lines, "line", "lines")
        );
        return Err(Failure::new(Exit::Failed, what).hint(
            "`rollbook rejects` lists them with what is wrong; where events stand in an envelope, --at says where",
        ));
    }
    Ok(())
}

/// Explains why a file was not read to its end, and how far it was.
fn cut_short(data: &Path, unfinished: Unfinished, known_again: bool) -> Failure {
    let Unfinished { byte, error, .. } = unfinished;
    let recorded = matches!(
        error,
        IngestError::Source(
            SourceError::Read { .. } | SourceError::Corrupt { .. } | SourceError::Unclosed { .. }
        )
    );
    let failure = ingest_failure(data, error);
    if recorded {
        let again = if known_again {
            "; once the file is whole, `rollbook ingest --resume` goes on there"
        } else {
            ""
        };
        failure.hint(format!(
            "what stands before byte {byte} of its text is recorded{again}"
        ))
    } else {
        failure
    }
}

/// The messages and progress during an ingest.
pub(super) struct IngestScreen<'a> {
    pub(super) progress: FileProgress,
    pub(super) notices: &'a mut Notices,
    pub(super) interrupted: &'a AtomicBool,
}

impl ProgressListener for IngestScreen<'_> {
    fn durable(&mut self, read: u64, lines: u64) {
        self.progress.at(read, lines);
    }

    fn rejected(&mut self, refused: &RefusedLine) {
        let RefusedLine {
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
