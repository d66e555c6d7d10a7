//! `rejects`: lists the rejected lines, or retries them.

use super::ingest::IngestScreen;
use super::ingest_failure;
use super::write_args::{self, WriteArgs};
use crate::cli::answers::{Found, ListRejects, QueryBackend, find};
use crate::cli::exit::{Exit, Failure};
use crate::cli::global_args::GlobalArgs;
use crate::cli::help::HELP;
use crate::cli::holding::Holding;
use crate::cli::interrupt::interrupted;
use crate::cli::notices::Notices;
use crate::cli::output::Output;
use crate::cli::progress::{FileProgress, say};
use crate::cli::tables::{self, RejectsTable};
use crate::ingest::{IngestOptions, IngestOutcome, retry};
use crate::query::owner::Retried;
use crate::store::Options;
use clap::Args;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Instant;
#[cfg(feature = "client")]
use {
    crate::cli::answers::unanswered_by_owner, crate::client::owner::PieceReader,
    crate::ingest::ProgressListener, crate::query::owner::RetryRow,
    crate::query::params::RetryParams,
};

/// `rejects`.
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "Examples:
  rollbook rejects
  rollbook rejects --format jsonl | jq -r .text
  rollbook rejects --retry                        after an upgrade that understands them
")]
pub struct RejectsArgs {
    /// Take them in again: those that can be taken now are recorded, and no longer listed
    #[arg(long)]
    pub retry: bool,
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
    everywhere: &GlobalArgs,
    args: &RejectsArgs,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    if args.retry {
        return again(&everywhere.data, args, output);
    }
    let mut list = output.list(RejectsTable::default());
    QueryBackend::of(everywhere)?.each(&ListRejects {}, |reject| list.row(reject))?;
    list.finish()
}

fn again(data: &Path, args: &RejectsArgs, output: &mut Output<'_>) -> Result<(), Failure> {
    let start = Instant::now();
    let interrupted = interrupted();
    let mut notices = Notices::default();
    let mut screen = IngestScreen {
        progress: FileProgress::start_rows(),
        notices: &mut notices,
        interrupted: &interrupted,
    };
    let taken = args.take_again(data, &mut screen);
    screen.progress.finish();
    let (taken, closed) = taken?;
    if let Some(Retried { lines, tally }) = taken {
        notices.in_all(&tally);
        notices.rest().iter().for_each(|line| say(line));
        let outcome = IngestOutcome {
            lines,
            tally,
            ..IngestOutcome::default()
        };
        let elapsed_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        output.one(&outcome.summary(elapsed_ms), tables::ingest)?;
    }
    closed?;
    if interrupted.load(Ordering::Relaxed) {
        return Err(Failure::new(
            Exit::Interrupted,
            "interrupted; what was taken before is recorded",
        )
        .hint("`rollbook rejects --retry` goes on with those that are left"));
    }
    Ok(())
}

impl RejectsArgs {
    /// Retries the rejects. Returns the outcome (`None`: the retry ran in the process that has the store open, and
    /// was interrupted, so no outcome is known) and the result of closing the store.
    fn take_again(
        &self,
        data: &Path,
        screen: &mut IngestScreen<'_>,
    ) -> Result<(Option<Retried>, Result<(), Failure>), Failure> {
        let options = Options::default()
            .create(false)
            .durability(self.taking.durability());
        let (rules, settings) = (self.taking.rules(), self.taking.settings());
        let open = |data: &Path, patience| {
            let options = options.clone().patience(patience);
            Holding::record(data, options, rules, settings)
        };
        match find(data, open)? {
            Found::Store(mut holding) => {
                let how = IngestOptions {
                    observer: self.observer.clone(),
                    self_user: self.self_user.clone(),
                    settings,
                    rules,
                    ..IngestOptions::default()
                };
                let outcome = retry(holding.store(), &how, screen);
                let outcome = outcome.map_err(|error| ingest_failure(data, error))?;
                let (lines, tally) = (outcome.lines, outcome.tally);
                Ok((Some(Retried { lines, tally }), holding.close(data)))
            }
            #[cfg(feature = "client")]
            Found::Owner(owner) => {
                let interrupted = screen.interrupted;
                let each = &mut |row| {
                    match row {
                        RetryRow::Rejected(refused) => screen.rejected(&refused),
                        RetryRow::Clamped(clamped) => screen.clamped(&clamped),
                        RetryRow::Differing(retry) => screen.differing(&retry),
                    }
                    true
                };
                let stop = &|| interrupted.load(Ordering::Relaxed);
                let taken = owner.retry_rejects(&self.params(), PieceReader { stop, each });
                let taken = taken.map_err(|error| unanswered_by_owner(data, error))?;
                Ok((taken, Ok(())))
            }
        }
    }

    #[cfg(feature = "client")]
    fn params(&self) -> RetryParams {
        let taking = &self.taking;
        RetryParams {
            observer: self.observer.clone(),
            self_user: self.self_user.clone(),
            skew_tolerance: taking.skew_tolerance,
            max_ahead: taking.max_ahead,
            slack: taking.slack,
            lossy: taking.lossy_feed,
            resync: taking.resync,
            time_unit: taking.time_unit.word().to_owned(),
            presence_timeout: taking.presence_timeout,
            presence_interval: taking.presence_interval,
            presence_debounce: taking.presence_debounce,
        }
    }
}
