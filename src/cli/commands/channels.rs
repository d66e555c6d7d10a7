//! `channels`: the channels there are.

use crate::cli::answers::{ListChannels, QueryBackend};
use crate::cli::exit::Failure;
use crate::cli::global_args::GlobalArgs;
use crate::cli::output::Output;
use crate::cli::tables::ChannelsTable;

pub(in crate::cli) fn run(everywhere: &GlobalArgs, output: &mut Output<'_>) -> Result<(), Failure> {
    let mut list = output.list(ChannelsTable::default());
    QueryBackend::of(everywhere)?.each(&ListChannels {}, |channel| list.row(channel))?;
    list.finish()
}
