//! `gaps`: when nobody watched a channel.

use super::{failure, open};
use crate::cli::args::Channel;
use crate::cli::exit::Failure;
use crate::cli::output::Output;
use crate::cli::tables::GapsTable;
use std::path::Path;

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
