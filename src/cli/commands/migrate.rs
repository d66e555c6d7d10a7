//! `migrate`: brings a store of an older format up to this one.

use super::{failure, open_alone};
use crate::cli::exit::Failure;
use crate::cli::progress::say;
use crate::store::{FORMAT, plan};
use std::path::Path;

pub(in crate::cli) fn run(data: &Path) -> Result<(), Failure> {
    let plan = plan(data).map_err(|error| failure(data, error))?;
    // Opening the store migrates it.
    drop(open_alone(data, false)?);
    if plan.steps.is_empty() {
        say(&format!(
            "{} has format {FORMAT}, the newest: nothing to do",
            data.display()
        ));
    }
    for (format, title) in plan.steps {
        say(&format!("format {format}: {title}"));
    }
    Ok(())
}
