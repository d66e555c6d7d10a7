//! `missed`: who came, went and changed while nobody watched.

use super::{failure, now, open};
use crate::cli::args::Missed;
use crate::cli::exit::Failure;
use crate::cli::output::Output;
use crate::cli::tables::MissedTable;
use crate::query::MissedFilter;
use std::path::Path;

pub(super) fn run(data: &Path, args: &Missed, output: &mut Output<'_>) -> Result<(), Failure> {
    let now = now();
    let filter = MissedFilter {
        gap: args.gap,
        since: args.since.map(|at| at.resolve(now)),
        known_at: args.known_at.map(|at| at.resolve(now)),
    };
    let missed = open(data)?.missed(&args.channel, &filter);
    let mut list = output.list(MissedTable::new(&args.channel));
    for gap in missed.map_err(|error| failure(data, error))? {
        list.row(&gap)?;
    }
    list.finish()
}
