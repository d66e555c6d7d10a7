//! `history`: the entries of the log.

use super::{failure, now, open};
use crate::cli::args::{EntryKind, EntryOrigin, History};
use crate::cli::exit::Failure;
use crate::cli::output::Output;
use crate::cli::tables::HistoryTable;
use crate::query::HistoryFilter;
use crate::query::answer::EntryType;
use std::path::Path;

pub(super) fn run(data: &Path, args: &History, output: &mut Output<'_>) -> Result<(), Failure> {
    let now = now();
    let entry_type = |kind: &EntryKind| match kind {
        EntryKind::Join => EntryType::Join,
        EntryKind::Leave => EntryType::Leave,
        EntryKind::Update => EntryType::Update,
        EntryKind::Snapshot => EntryType::Snapshot,
        EntryKind::Link => EntryType::Link,
        EntryKind::Token => EntryType::Token,
    };
    let filter = HistoryFilter {
        channel: args.channel.clone(),
        topic: args.topic.clone(),
        user: args.user.clone(),
        from: args.from.map(|at| at.resolve(now)),
        to: args.to.map(|at| at.resolve(now)),
        types: args.types.iter().map(entry_type).collect(),
        observed: args.origin.map(|origin| origin == EntryOrigin::Observed),
        after_seq: args.after_seq,
        limit: args.limit,
    };
    let store = open(data)?;
    let mut list = output.list(HistoryTable::new(args.channel.is_some()));
    let mut written = Ok(());
    let read = store.history(&filter, |entry| {
        written = list.row(&entry);
        written.is_ok()
    });
    read.map_err(|error| failure(data, error))?;
    written?;
    list.finish()
}
