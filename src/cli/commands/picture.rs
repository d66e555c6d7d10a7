//! The option `--svg`: a picture in a file, in place of what a terminal shows.

use super::export::export_failure;
use crate::cli::exit::Failure;
use crate::export::{Existing, write_whole};
use clap::Args;
use std::path::{Path, PathBuf};

/// Where a picture goes.
#[derive(Debug, Args)]
pub struct PictureArgs {
    /// Draw a picture for a report into this file, as SVG, in place of what the terminal shows
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// With --svg: replace the file if there is one
    #[arg(long, requires = "svg")]
    pub force: bool,
}

impl PictureArgs {
    /// Writes the picture. `data` is named in errors of the store.
    pub(super) fn write(&self, file: &Path, data: &Path, svg: &str) -> Result<(), Failure> {
        let existing = match self.force {
            true => Existing::Replace,
            false => Existing::Keep,
        };
        let written = write_whole(file, existing, svg.as_bytes());
        written.map_err(|error| export_failure(data, error))
    }
}
