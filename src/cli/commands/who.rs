//! `who`: who is, or was, present in a channel.

use super::{failure, now, open};
use crate::cli::args::Who;
use crate::cli::exit::Failure;
use crate::cli::output::Output;
use crate::cli::tables;
use crate::query::{WhoFilter, WhoWhen};
use std::path::Path;

pub(super) fn run(data: &Path, args: &Who, output: &mut Output<'_>) -> Result<(), Failure> {
    let now = now();
    let when = match (args.at, args.seq) {
        (Some(at), _) => WhoWhen::At(at.resolve(now)),
        (None, Some(seq)) => WhoWhen::Seq(seq),
        (None, None) => WhoWhen::Head,
    };
    let filter = WhoFilter {
        topic: args.topic.clone(),
        when,
        known_at: args.known_at.map(|at| at.resolve(now)),
        certain: args.certain,
    };
    let who = open(data)?
        .who(&args.channel, &filter)
        .map_err(|error| failure(data, error))?;
    output.one(&who, tables::who)
}
