//! `verify`: checks that the log is intact; with `--repair`, makes a new store of what is whole in a damaged one.

use super::failure;
use crate::care::{self, RestoreError, VerifyDepth};
use crate::cli::answers::{Found, find, open};
use crate::cli::exit::{Exit, Failure};
use crate::cli::help::HELP;
use crate::cli::holding::Holding;
use crate::cli::output::Output;
use crate::cli::progress::FileProgress;
use crate::cli::tables;
use crate::query::answer::Verified;
use crate::store::{Store, StoreError};
use clap::Args;
use std::path::{Path, PathBuf};

#[cfg(feature = "client")]
use crate::cli::answers::unanswered_by_owner;
#[cfg(feature = "client")]
use crate::query::params::VerifyParams;

/// `verify`.
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "Examples:
  rollbook verify
  rollbook verify --deep && echo whole
  rollbook --data damaged verify --repair repaired      what is whole goes into a new store, what is missing is declared
", after_help = "--repair looks for frames and blocks in the raw files, so it works where the store cannot be opened any more. \
It changes nothing there. Where entries are missing, the new store has entries that say so: each channel is blind from there \
until a snapshot shows who is in it. Exit status 0: nothing is missing; 5: something is, and the new store has the rest.")]
pub struct VerifyArgs {
    /// Decide everything again from what was observed, and compare
    #[arg(long)]
    pub deep: bool,
    /// Make a new store, in this empty or missing folder, of all that is whole in the raw files
    #[arg(long, value_name = "DIR", conflicts_with = "deep")]
    pub repair: Option<PathBuf>,
}

pub(in crate::cli) fn run(
    data: &Path,
    args: &VerifyArgs,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    if let Some(dir) = &args.repair {
        return repair_into(data, dir, output);
    }
    let damaged = || {
        let what = format!("the log in {} is damaged", data.display());
        Failure::new(Exit::Corrupt, what)
            .hint("keep a copy of the folder as it is, and restore the last backup beside it")
    };
    let found = match find(data, open) {
        // A store that is too damaged to open has a result, too.
        Err(failure) if failure.exit == Exit::Corrupt => {
            output.one(&Verified::unreadable(failure.what()), tables::verify)?;
            return Err(damaged());
        }
        opened => opened?,
    };
    let mut progress = FileProgress::start(None);
    let verified = args.verify(data, found, &mut |entries| progress.at(0, entries));
    progress.finish();
    let verified = verified?;
    output.one(&verified, tables::verify)?;
    if verified.ok {
        return Ok(());
    }
    Err(damaged())
}

/// Makes a new store, and says what is missing in it.
fn repair_into(data: &Path, dir: &Path, output: &mut Output<'_>) -> Result<(), Failure> {
    let mut progress = FileProgress::start(None);
    let repaired = care::repair(data, dir, |entries| progress.at(0, entries));
    progress.finish();
    let repaired = repaired.map_err(|error| unrepaired(data, dir, error))?;
    output.one(&repaired, tables::repair)?;
    if repaired.ok {
        return Ok(());
    }
    let what = format!(
        "entries are missing; {} has all that was whole, and says what is not",
        dir.display()
    );
    Err(Failure::new(Exit::Corrupt, what)
        .hint("keep the damaged folder as it is; a backup may have more"))
}

fn unrepaired(data: &Path, dir: &Path, error: RestoreError) -> Failure {
    let what = format!("nothing was repaired: {error}");
    match error {
        RestoreError::Store(
            error @ (StoreError::InUse { .. }
            | StoreError::NoSuchStore(_)
            | StoreError::NotAFolder(_)),
        ) => failure(data, error),
        RestoreError::NotEmpty(_) | RestoreError::Exists(_) => {
            Failure::new(Exit::Failed, what).hint("name a folder that does not exist yet")
        }
        RestoreError::Unsound { .. } => Failure::new(Exit::Corrupt, what),
        RestoreError::Unsettled(_) => {
            let what = format!("{}: {error}", dir.display());
            Failure::new(Exit::Failed, what)
        }
        _ => Failure::new(Exit::Failed, what),
    }
}

impl VerifyArgs {
    fn verify(
        &self,
        data: &Path,
        found: Found<Store>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Verified, Failure> {
        match found {
            Found::Store(store) => {
                let depth = if self.deep {
                    VerifyDepth::Deep
                } else {
                    VerifyDepth::Form
                };
                let mut holding = Holding::read(data, *store);
                let verified = holding.store().verify(depth, progress);
                let verified = verified.map_err(|error| failure(data, error))?;
                holding.close(data).map(|()| verified)
            }
            #[cfg(feature = "client")]
            Found::Owner(owner) => {
                let deep = self.deep;
                let verified = owner.verify(&VerifyParams { deep }, progress);
                verified.map_err(|error| unanswered_by_owner(data, error))
            }
        }
    }
}
