//! `sessions`: stays of members.

use super::{failure, now, open};
use crate::cli::args::Sessions;
use crate::cli::exit::Failure;
use crate::cli::output::Output;
use crate::cli::tables::SessionsTable;
use crate::query::SessionFilter;
use std::path::Path;

pub(super) fn run(data: &Path, args: &Sessions, output: &mut Output<'_>) -> Result<(), Failure> {
    let now = now();
    let filter = SessionFilter {
        channel: args.channel.clone(),
        topic: args.topic.clone(),
        user: args.user.clone(),
        from: args.from.map(|at| at.resolve(now)),
        to: args.to.map(|at| at.resolve(now)),
        known_at: args.known_at.map(|at| at.resolve(now)),
    };
    let store = open(data)?;
    let mut list = output.list(SessionsTable::default());
    let mut written = Ok(());
    let read = store.sessions(&filter, |session| {
        written = list.row(&session);
        written.is_ok()
    });
    read.map_err(|error| failure(data, error))?;
    written?;
    list.finish()
}
