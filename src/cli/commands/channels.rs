//! `channels`: the channels there are.

use super::{failure, open};
use crate::cli::exit::Failure;
use crate::cli::output::Output;
use crate::cli::tables::ChannelsTable;
use std::path::Path;

pub(super) fn run(data: &Path, output: &mut Output<'_>) -> Result<(), Failure> {
    let channels = open(data)?
        .channels()
        .map_err(|error| failure(data, error))?;
    let mut list = output.list(ChannelsTable::default());
    for channel in channels {
        list.row(&channel)?;
    }
    list.finish()
}
