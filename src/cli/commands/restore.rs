//! `restore`: makes a store of backups again.

use super::backup::summary;
use super::failure;
use crate::care::{RestoreError, restore};
use crate::cli::exit::{Exit, Failure};
use crate::cli::help::HELP;
use crate::cli::progress::say;
use crate::cli::text::count;
use crate::log::archive::ArchiveError;
use clap::Args;
use std::cell::Cell;
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// `restore`.
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "Examples:
  rollbook --data ./rolls restore monday.backup
  rollbook --data ./rolls restore monday.backup tuesday.backup    in their order
  rollbook --data ./rolls restore monday.backup --replace         instead of the store that is there
  aws s3 cp s3://backups/rolls - | rollbook --data ./rolls restore -
", after_help = "Everything is read, made and verified beside what is there, and only then takes its place: until then, and \
after a crash at any moment, the store in the folder is the old one or the new one.")]
pub struct RestoreArgs {
    /// A whole backup, and then those that continue it; `-` is standard input
    #[arg(value_name = "FILE", required = true, num_args = 1..)]
    pub files: Vec<PathBuf>,
    /// Replace the store that is there
    #[arg(long)]
    pub replace: bool,
}

pub(in crate::cli) fn run(data: &Path, args: &RestoreArgs) -> Result<(), Failure> {
    // The one that is read: errors are about it.
    let reached = Cell::new(data);
    let opened = args.files.iter().map(|file| {
        reached.set(file);
        let opened: std::io::Result<Box<dyn std::io::Read>> = match file == Path::new("-") {
            true => Ok(Box::new(std::io::stdin().lock())),
            false => File::open(file).map(|file| Box::new(file) as _),
        };
        opened.map_err(|error| RestoreError::Archive(ArchiveError::Io(error)))
    });
    let restored = restore(data, opened, args.replace);
    let restored = restored.map_err(|error| unrestored(data, reached.get(), error))?;
    say(&format!(
        "{}: {} entries restored; the last backup has {}",
        data.display(),
        count(restored.entries),
        summary(&restored.last)
    ));
    Ok(())
}

fn unrestored(data: &Path, file: &Path, error: RestoreError) -> Failure {
    let what = match &error {
        RestoreError::Archive(_) | RestoreError::Order(_) => {
            format!("nothing was restored: {}: {error}", file.display())
        }
        _ => format!("nothing was restored: {error}"),
    };
    match error {
        RestoreError::Store(error) => failure(data, error),
        RestoreError::Exists(_) => Failure::new(Exit::Failed, what)
            .hint("--data names another folder; --replace puts the backup in its place"),
        RestoreError::Order(_) => Failure::new(Exit::Usage, what),
        RestoreError::Unsettled(_) => Failure::new(Exit::Failed, error.to_string()),
        RestoreError::Archive(ArchiveError::Io(error)) if error.kind() == ErrorKind::NotFound => {
            Failure::new(Exit::NotFound, what)
        }
        RestoreError::Archive(error) if error.is_damage() => Failure::new(Exit::Corrupt, what),
        RestoreError::Unsound { .. } => Failure::new(Exit::Corrupt, what),
        _ => Failure::new(Exit::Failed, what),
    }
}
