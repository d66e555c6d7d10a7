//! `verify`: check that the log is whole.

use super::failure;
use crate::care::VerifyDepth;
use crate::cli::answers::open_store;
use crate::cli::exit::{Exit, Failure};
use crate::cli::help::HELP;
use crate::cli::output::Output;
use crate::cli::progress::Progress;
use crate::cli::tables;
use crate::query::answer::Verified;
use clap::Args;
use std::path::Path;

/// `verify`.
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "Examples:
  rollbook verify
  rollbook verify --deep && echo whole
")]
pub struct Verify {
    /// Decide everything again from what was observed, and compare
    #[arg(long)]
    pub deep: bool,
}

pub(in crate::cli) fn run(
    data: &Path,
    args: &Verify,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let damaged = || {
        let what = format!("the log in {} is damaged", data.display());
        Failure::new(Exit::Corrupt, what)
            .hint("keep a copy of the folder as it is, and restore the last backup beside it")
    };
    let store = match open_store(data) {
        // What cannot even be opened has been looked at, too.
        Err(failure) if failure.exit == Exit::Corrupt => {
            output.one(&Verified::unreadable(failure.what()), tables::verify)?;
            return Err(damaged());
        }
        opened => opened?,
    };
    let depth = if args.deep {
        VerifyDepth::Deep
    } else {
        VerifyDepth::Form
    };
    let mut progress = Progress::start(None);
    let verified = store.verify(depth, |entries| progress.at(0, entries));
    progress.finish();
    let verified = verified.map_err(|error| failure(data, error))?;
    output.one(&verified, tables::verify)?;
    if verified.ok {
        return Ok(());
    }
    Err(damaged())
}
