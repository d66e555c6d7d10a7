//! `migrate`: brings a store of an older format up to this one.

use super::{failure, open_alone};
use crate::cli::exit::Failure;
use crate::cli::help::HELP;
use crate::cli::progress::say;
use crate::cli::text::count;
use crate::store::{FORMAT, plan};
use clap::Args;
use std::path::Path;
#[cfg(feature = "server")]
use {crate::cli::exit::Exit, crate::server::DiskFigures};

/// `migrate`.
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "Examples:
  rollbook --data ./evening migrate --dry-run      which steps, and what they need
  rollbook --data ./evening migrate
", after_help = "What a step replaces is copied before, to DIR/before-format-N. A migration that was interrupted goes on with the \
step at which it was; opening the store does so, too.")]
pub struct MigrateArgs {
    /// Only say what would be done
    #[arg(long)]
    pub dry_run: bool,
}

pub(in crate::cli) fn run(data: &Path, args: &MigrateArgs) -> Result<(), Failure> {
    let plan = plan(data).map_err(|error| failure(data, error))?;
    if !args.dry_run {
        expect_room(data, plan.copied_bytes)?;
        // Opening the store migrates it.
        drop(open_alone(data, false)?);
    } else if plan.from == 0 {
        return Err(Failure::no_store(data));
    }
    if plan.steps.is_empty() {
        say(&format!(
            "{} has format {FORMAT}, the newest: nothing to do",
            data.display()
        ));
        return Ok(());
    }
    for (format, title) in plan.steps {
        say(&format!("format {format}: {title}"));
    }
    if args.dry_run {
        say(&format!(
            "{} bytes would be copied before; nothing was changed",
            count(plan.copied_bytes)
        ));
        expect_room(data, plan.copied_bytes)?;
    }
    Ok(())
}

/// Checks that there is room for a copy of what the steps replace, and for as much anew.
#[cfg(feature = "server")]
fn expect_room(data: &Path, copied_bytes: u64) -> Result<(), Failure> {
    let needed = copied_bytes.saturating_mul(2);
    match DiskFigures::of(data) {
        Some(disk) if disk.free_bytes < needed => {
            let (free, needed) = (count(disk.free_bytes), count(needed));
            let what =
                format!("{free} bytes are free, and {needed} are needed: nothing was changed");
            Err(Failure::new(Exit::Failed, what))
        }
        _ => Ok(()),
    }
}

/// Without the server nothing asks the system for it: a full disk stops the copy, and the store is as it was.
#[cfg(not(feature = "server"))]
fn expect_room(_data: &Path, _copied_bytes: u64) -> Result<(), Failure> {
    Ok(())
}
