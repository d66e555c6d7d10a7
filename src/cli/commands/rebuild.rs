//! `rebuild`: deletes all derived data, and derives it again from the log.

use super::{failure, open_alone};
use crate::cli::exit::Failure;
use crate::cli::progress::say;
use std::path::Path;

pub(in crate::cli) fn run(data: &Path) -> Result<(), Failure> {
    let store = open_alone(data, false)?;
    let same = store.rebuild().map_err(|error| failure(data, error))?;
    let head = store.head();
    if same {
        say(&format!(
            "rebuilt from {head} entries; nothing had come apart"
        ));
        Ok(())
    } else {
        say(&format!(
            "rebuilt from {head} entries; what was derived before did not fit the log, and does now"
        ));
        Ok(())
    }
}
