//! `verify`: checks that the log is intact.

use super::failure;
use crate::care::VerifyDepth;
use crate::cli::answers::{Found, find, open};
use crate::cli::exit::{Exit, Failure};
use crate::cli::help::HELP;
use crate::cli::holding::Holding;
use crate::cli::output::Output;
use crate::cli::progress::FileProgress;
use crate::cli::tables;
use crate::query::answer::Verified;
use crate::store::Store;
use clap::Args;
use std::path::Path;

#[cfg(feature = "client")]
use crate::cli::answers::unanswered_by_owner;
#[cfg(feature = "client")]
use crate::query::params::VerifyParams;

/// `verify`.
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "Examples:
  rollbook verify
  rollbook verify --deep && echo whole
")]
pub struct VerifyArgs {
    /// Decide everything again from what was observed, and compare
    #[arg(long)]
    pub deep: bool,
}

pub(in crate::cli) fn run(
    data: &Path,
    args: &VerifyArgs,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
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
