//! The commands, one per file: each calls the library and passes its answer to the output.

pub mod attendance;
pub mod backup;
pub mod bench;
pub mod channels;
pub mod compact;
pub mod completions;
pub mod export;
#[cfg(feature = "client")]
mod follow;
pub mod forget;
#[cfg(feature = "client")]
mod forward_args;
pub mod gaps;
#[cfg(feature = "client")]
pub mod health;
pub mod history;
pub mod ingest;
#[cfg(feature = "server")]
pub mod listen_args;
#[cfg(any(feature = "client", feature = "server"))]
pub mod log_args;
pub mod man;
pub mod migrate;
pub mod missed;
#[cfg(feature = "server")]
mod notify;
pub mod picture;
pub mod prune;
pub mod rebuild;
#[cfg(feature = "client")]
pub mod record;
pub mod rejects;
pub mod replay;
pub mod restore;
pub mod schema;
#[cfg(feature = "server")]
pub mod serve;
#[cfg(feature = "server")]
mod serve_check;
pub mod sessions;
pub mod simulate;
pub mod stats;
pub mod timeline;
#[cfg(feature = "server")]
pub mod token;
pub mod verify;
pub mod who;
pub mod write_args;

use super::exit::{Exit, Failure};
use super::progress::say;
use crate::domain::time::Millis;
use crate::ingest::IngestError;
use crate::ingest::source::SourceError;
use crate::query::answer::past_retention;
use crate::store::{Options, Store, StoreError};
use std::path::Path;

/// Opens the store for a command that needs it exclusively.
fn open_alone(data: &Path, create: bool) -> Result<Store, Failure> {
    let options = Options::default().create(create);
    Store::open(data, options).map_err(|error| failure(data, error))
}

/// Prints warnings that matter before more is recorded.
fn caution(data: &Path, store: &Store) -> Result<(), Failure> {
    let cautions = store.cautions().map_err(|error| failure(data, error))?;
    cautions
        .iter()
        .for_each(|caution| say(&caution.to_string()));
    Ok(())
}

pub(super) fn now() -> Millis {
    chrono::Utc::now().timestamp_millis()
}

/// Turns a store error into a sentence with advice.
pub(super) fn failure(data: &Path, error: StoreError) -> Failure {
    match error {
        StoreError::NoSuchStore(dir) => Failure::no_store(&dir),
        StoreError::NotAFolder(_) => Failure::new(Exit::NotFound, error.to_string()).hint(
            "--data or ROLLBOOK_DATA names the folder of a store; a file of events is given to `rollbook ingest`",
        ),
        StoreError::NoSuchChannel(channel) => Failure::no_channel(&channel, data),
        StoreError::PastRetention { seq, retained_from } => {
            Failure::past_retention(past_retention(seq, retained_from))
        }
        StoreError::InUse { dir, holder } => Failure::in_use(&dir, Some(&holder)),
        StoreError::NewerFormat { .. } => Failure::new(Exit::Failed, error.to_string()).hint(
            "a newer rollbook wrote it: use that one, or restore a backup of the older format",
        ),
        StoreError::Corrupt { .. } | StoreError::Layout { .. } => {
            Failure::corrupt(error.to_string())
        }
        ref error if error.is_damage() => Failure::corrupt(format!("{}: {error}", data.display())),
        other => Failure::new(Exit::Failed, other.to_string()),
    }
}

fn ingest_failure(data: &Path, error: IngestError) -> Failure {
    match error {
        IngestError::Store(error) => failure(data, error),
        IngestError::Changed { .. } => Failure::new(Exit::Failed, error.to_string())
            .hint("leave --resume away to take in the whole file, or name the file that was meant"),
        IngestError::TooManyRejects { .. } => Failure::new(Exit::Failed, error.to_string())
            .hint("--max-rejects allows more; `rollbook rejects` shows what is wrong with them"),
        IngestError::Source(SourceError::Overpacked { .. }) => {
            Failure::new(Exit::Failed, error.to_string())
                .hint("if it is what it should be, --max-unpacked BYTES allows more")
        }
        other => Failure::new(Exit::Failed, other.to_string()),
    }
}
