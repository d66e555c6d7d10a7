//! `compact`: seals the past into blocks, and rewrites the engine's files.

use super::failure;
use crate::cli::exit::Failure;
use crate::cli::progress::say;
use crate::store::Store;
use std::path::Path;

pub(in crate::cli) fn run(data: &Path) -> Result<(), Failure> {
    let done = Store::compact(data).map_err(|error| failure(data, error))?;
    let sealed = done.sealed;
    say(&format!(
        "{} entries are sealed in {} blocks of {} bytes",
        sealed.entries, sealed.blocks, sealed.bytes
    ));
    say(&format!(
        "{}: {} bytes before, {} now",
        data.display(),
        done.bytes_before,
        done.bytes_after
    ));
    Ok(())
}
