//! `bench`: what a Rollbook does on this machine.

use super::taking::Durability;
use super::{failure, interrupted};
use crate::bench::{BenchError, Sizes, bench};
use crate::cli::exit::{Exit, Failure};
use crate::cli::help::HELP;
use crate::cli::output::Output;
use crate::cli::progress::say;
use crate::cli::tables;
use clap::Args;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

/// `bench`.
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "Examples:
  rollbook bench --quick
  rollbook bench --dir /mnt/disk --format json > figures.json
")]
pub struct Figures {
    /// A few seconds instead of a minute or more; the figures are coarse
    #[arg(long)]
    pub quick: bool,
    /// On which disk: a folder is made in this one, and taken away again
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
    /// What an acknowledged line survives; the bare file beside it survives the same
    #[arg(long, value_name = "LEVEL", default_value = "power")]
    pub durability: Durability,
}

pub(in crate::cli) fn run(
    data: &Path,
    args: &Figures,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let sizes = if args.quick {
        Sizes::QUICK
    } else {
        Sizes::FULL
    };
    let interrupted = interrupted();
    let mut progress = |work: &str| {
        say(&format!("{work} …"));
        !interrupted.load(Ordering::Relaxed)
    };
    let done = bench(&args.dir, &sizes, args.durability.into(), &mut progress);
    let figures = done.map_err(|error| match error {
        BenchError::Store(error) => failure(data, error),
        BenchError::Stopped => Failure::new(Exit::Interrupted, error.to_string()),
        other => Failure::new(Exit::Failed, other.to_string()),
    })?;
    output.one(&figures, tables::bench)
}
