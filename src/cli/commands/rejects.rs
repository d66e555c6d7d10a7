//! `rejects`: the lines that could not be taken.

use super::{failure, open};
use crate::cli::exit::Failure;
use crate::cli::output::Output;
use crate::cli::tables::RejectsTable;
use std::path::Path;

pub(super) fn run(data: &Path, output: &mut Output<'_>) -> Result<(), Failure> {
    let store = open(data)?;
    let mut list = output.list(RejectsTable::default());
    let mut written = Ok(());
    let read = store.rejects(|reject| {
        written = list.row(&reject);
        written.is_ok()
    });
    read.map_err(|error| failure(data, error))?;
    written?;
    list.finish()
}
