//! `rejects`: the lines that could not be taken; and taking them in again.

use super::ingest::Screen;
use super::taking::{self, Taking};
use super::{failure, ingest_failure};
use crate::cli::answers::{Answers, ListRejects};
use crate::cli::everywhere::Everywhere;
use crate::cli::exit::{Exit, Failure};
use crate::cli::help::HELP;
use crate::cli::interrupt::interrupted;
use crate::cli::notices::Notices;
use crate::cli::output::Output;
use crate::cli::progress::{Progress, say};
use crate::cli::tables::{self, RejectsTable};
use crate::ingest::{How, retry};
use crate::store::{Options, Store};
use clap::Args;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// `rejects`.
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "Examples:
  rollbook rejects
  rollbook rejects --format jsonl | jq -r .text
  rollbook rejects --retry                        after an upgrade that understands them
")]
pub struct Rejects {
    /// Take them in again: those that can be taken now are recorded, and no longer listed
    #[arg(long)]
    pub retry: bool,
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
    everywhere: &Everywhere,
    args: &Rejects,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    if args.retry {
        return again(&everywhere.data, args, output);
    }
    let mut list = output.list(RejectsTable::default());
    Answers::of(everywhere)?.each(&ListRejects {}, |reject| list.row(reject))?;
    list.finish()
}

fn again(data: &Path, args: &Rejects, output: &mut Output<'_>) -> Result<(), Failure> {
    let start = Instant::now();
    let how = How {
        observer: args.observer.clone(),
        self_user: args.self_user.clone(),
        settings: args.taking.settings(),
        rules: args.taking.rules(),
        ..How::default()
    };
    let options = Options {
        create: false,
        durability: args.taking.durability(),
        ..Options::default()
    };
    let store = Store::open(data, options).map_err(|error| failure(data, error))?;
    let interrupted = interrupted();
    let mut notices = Notices::default();
    let mut screen = Screen {
        progress: Progress::start_rows(),
        notices: &mut notices,
        interrupted: &interrupted,
    };
    let taken = retry(&store, &how, &mut screen);
    screen.progress.finish();
    let outcome = taken.map_err(|error| ingest_failure(data, error))?;
    notices.in_all(&outcome.tally);
    notices.rest().iter().for_each(|line| say(line));
    let closed = store.close();
    drop(store);
    let elapsed_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    output.one(&outcome.summary(elapsed_ms), tables::ingest)?;
    closed.map_err(|error| failure(data, error))?;
    if interrupted.load(Ordering::Relaxed) {
        return Err(Failure::new(
            Exit::Interrupted,
            "interrupted; what was taken before is recorded",
        )
        .hint("`rollbook rejects --retry` goes on with those that are left"));
    }
    Ok(())
}
