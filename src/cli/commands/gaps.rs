//! `gaps`: when nobody watched a channel.

use super::{failure, open};
use crate::cli::args::HELP;
use crate::cli::exit::Failure;
use crate::cli::output::Output;
use crate::cli::tables::GapsTable;
use clap::Args;
use std::path::Path;

/// `gaps`.
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "Examples:
  rollbook gaps studio-7
  rollbook gaps studio-7 --format csv
")]
pub struct Channel {
    /// The channel
    pub channel: String,
}

pub(super) fn run(data: &Path, args: &Channel, output: &mut Output<'_>) -> Result<(), Failure> {
    let gaps = open(data)?
        .gaps(&args.channel)
        .map_err(|error| failure(data, error))?;
    let mut list = output.list(GapsTable::default());
    for gap in gaps {
        list.row(&gap)?;
    }
    list.finish()
}
