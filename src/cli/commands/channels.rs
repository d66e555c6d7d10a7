//! `channels`: the channels there are.

use crate::cli::answers::{Answers, ListChannels};
use crate::cli::args::Cli;
use crate::cli::exit::Failure;
use crate::cli::output::Output;
use crate::cli::tables::ChannelsTable;

pub(super) fn run(cli: &Cli, output: &mut Output<'_>) -> Result<(), Failure> {
    let mut list = output.list(ChannelsTable::default());
    Answers::of(cli)?.each(&ListChannels {}, |channel| list.row(channel))?;
    list.finish()
}
