//! `stats`: how many, at most, how long.

use super::{failure, now, open};
use crate::cli::args::Stats;
use crate::cli::exit::Failure;
use crate::cli::output::Output;
use crate::cli::tables::StatsTable;
use crate::query::StatsFilter;
use std::path::Path;

pub(super) fn run(data: &Path, args: &Stats, output: &mut Output<'_>) -> Result<(), Failure> {
    let now = now();
    let filter = StatsFilter {
        channel: args.channel.clone(),
        topic: args.topic.clone(),
        from: args.from.map(|at| at.resolve(now)),
        to: args.to.map(|at| at.resolve(now)),
        every_ms: args.every.map(|every| every.0),
        known_at: args.known_at.map(|at| at.resolve(now)),
    };
    let stats = open(data)?
        .stats(&filter)
        .map_err(|error| failure(data, error))?;
    let mut list = output.list(StatsTable::default());
    for line in stats {
        list.row(&line)?;
    }
    list.finish()
}
