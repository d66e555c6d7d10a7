//! `channels`: the channels there are.

use crate::cli::answers::{Answers, ListChannels};
use crate::cli::everywhere::Everywhere;
use crate::cli::exit::Failure;
use crate::cli::output::Output;
use crate::cli::tables::ChannelsTable;

pub(in crate::cli) fn run(everywhere: &Everywhere, output: &mut Output<'_>) -> Result<(), Failure> {
    let mut list = output.list(ChannelsTable::default());
    Answers::of(everywhere)?.each(&ListChannels {}, |channel| list.row(channel))?;
    list.finish()
}
