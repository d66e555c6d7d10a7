//! `replay`: the log again, as the lines of a feed.

use super::{failure, now, open};
use crate::cli::args::{Replay, Shape};
use crate::cli::exit::Failure;
use crate::cli::output::Output;
use crate::replay::ReplayFilter;
use std::path::Path;

pub(super) fn run(data: &Path, args: &Replay, output: &mut Output<'_>) -> Result<(), Failure> {
    let now = now();
    let filter = ReplayFilter {
        channel: args.channel.clone(),
        from: args.from.map(|at| at.resolve(now)),
        to: args.to.map(|at| at.resolve(now)),
    };
    let store = open(data)?;
    let mut written = Ok(());
    let played = match args.shape {
        Shape::Agora => store.replay_agora(&filter, |line| {
            written = output.line(line.as_bytes());
            written.is_ok()
        }),
    };
    played.map_err(|error| failure(data, error))?;
    written
}
