//! The commands, one a file: each calls the library and hands its answer to the output.

mod channels;
pub mod gaps;
pub mod history;
pub mod ingest;
mod migrate;
pub mod missed;
mod rebuild;
mod rejects;
pub mod replay;
#[cfg(feature = "server")]
pub mod serve;
pub mod sessions;
pub mod simulate;
pub mod stats;
pub mod taking;
#[cfg(feature = "server")]
pub mod token;
pub mod verify;
pub mod who;

use super::args::{Cli, Command};
use super::exit::{Exit, Failure};
use super::output::Output;
use crate::domain::time::Millis;
use crate::ingest::IngestError;
use crate::store::{Options, Store, StoreError};
use std::path::Path;
use std::time::Duration;

/// Carries out what was typed.
///
/// # Errors
/// The sentence for standard error, and the exit status.
pub fn run(cli: &Cli, output: &mut Output<'_>) -> Result<(), Failure> {
    match &cli.command {
        Command::Ingest(args) => ingest::run(&cli.data, args, output),
        Command::Who(args) => who::run(&cli.data, args, output),
        Command::History(args) => history::run(&cli.data, args, output),
        Command::Missed(args) => missed::run(&cli.data, args, output),
        Command::Sessions(args) => sessions::run(&cli.data, args, output),
        Command::Stats(args) => stats::run(&cli.data, args, output),
        Command::Gaps(args) => gaps::run(&cli.data, args, output),
        Command::Channels => channels::run(&cli.data, output),
        Command::Rejects => rejects::run(&cli.data, output),
        Command::Replay(args) => replay::run(&cli.data, args, output),
        #[cfg(feature = "server")]
        Command::Serve(args) => serve::run(&cli.data, cli.verbose, args),
        #[cfg(feature = "server")]
        Command::Token(args) => token::run(args, output),
        Command::Verify(args) => verify::run(&cli.data, args, output),
        Command::Simulate(args) => simulate::run(args, output),
        Command::Rebuild => rebuild::run(&cli.data),
        Command::Migrate => migrate::run(&cli.data),
    }
}

/// Queries are short: one that finds another one at work waits for it so long.
const QUERY_PATIENCE: Duration = Duration::from_secs(5);

/// Opens the store for a query.
fn open(data: &Path) -> Result<Store, Failure> {
    let options = Options {
        create: false,
        patience: QUERY_PATIENCE,
        ..Options::default()
    };
    Store::open(data, options).map_err(|error| failure(data, error))
}

/// Opens the store for a command that needs it alone.
fn open_alone(data: &Path, create: bool) -> Result<Store, Failure> {
    let options = Options {
        create,
        ..Options::default()
    };
    Store::open(data, options).map_err(|error| failure(data, error))
}

fn now() -> Millis {
    chrono::Utc::now().timestamp_millis()
}

/// What the library says, as a sentence with what to do.
fn failure(data: &Path, error: StoreError) -> Failure {
    match error {
        StoreError::NoSuchStore(dir) => Failure::no_store(&dir),
        StoreError::NoSuchChannel(channel) => Failure::no_channel(&channel, data),
        StoreError::InUse { dir, holder } => Failure::in_use(&dir, Some(&holder)),
        StoreError::NewerFormat { .. } => Failure::new(Exit::Failed, error.to_string()).hint(
            "a newer rollbook wrote it: use that one, or restore a backup of the older format",
        ),
        StoreError::Corrupt { .. } => Failure::corrupt(error.to_string()),
        ref error if error.is_damage() => Failure::corrupt(format!("{}: {error}", data.display())),
        other => Failure::new(Exit::Failed, other.to_string()),
    }
}

fn ingest_failure(data: &Path, error: IngestError) -> Failure {
    match error {
        IngestError::Store(error) => failure(data, error),
        IngestError::Changed { .. } => Failure::new(Exit::Failed, error.to_string())
            .hint("leave --resume away to take in the whole file, or name the file that was meant"),
        other => Failure::new(Exit::Failed, other.to_string()),
    }
}
