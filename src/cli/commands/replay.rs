//! `replay`: the log again, as the lines of a feed.

use super::{failure, now};
use crate::cli::answers::open_store;
use crate::cli::args::{HELP, at_time};
use crate::cli::exit::Failure;
use crate::cli::output::Output;
use crate::query::time::When;
use crate::replay::{self, Paced, Played, Remote, ReplayFilter, Speed};
use clap::{Args, ValueEnum};
use std::path::Path;

/// `replay`.
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "Examples:
  rollbook replay studio-7 --as agora > evening.jsonl
  rollbook replay --from -2h --to -1h --speed 60 | my-application
  rollbook replay --as rollbook | rollbook --data copy ingest --keep-recorded
", after_help = "A paced replay is paused by Ctrl-Z and goes on with fg, and by a reader that stops reading: it goes on \
where it was, and does not hurry to catch up.")]
pub struct Replay {
    /// Only this channel
    pub channel: Option<String>,
    /// Only what takes effect at or after this moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, help = at_time("Only what takes effect at or after this moment"))]
    pub from: Option<When>,
    /// Only what takes effect before this moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub to: Option<When>,
    /// Only this entry and those behind it
    #[arg(long, value_name = "N")]
    pub from_seq: Option<u64>,
    /// Only this entry and those before it
    #[arg(long, value_name = "N")]
    pub to_seq: Option<u64>,
    /// How many times as fast as it was (0.5, 1, 60), or max: flat out
    #[arg(long, value_name = "N", default_value = "max")]
    pub speed: Speed,
    /// The shape of the lines
    #[arg(long = "as", value_name = "SHAPE", default_value = "agora")]
    pub shape: Shape,
}

/// A shape of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shape {
    /// Agora's, as its JavaScript SDK gives them
    Agora,
    /// Rollbook's own, from which `ingest --keep-recorded` makes the same log again
    Rollbook,
}

pub(super) fn run(data: &Path, args: &Replay, output: &mut Output<'_>) -> Result<(), Failure> {
    let now = now();
    let filter = ReplayFilter {
        channel: args.channel.clone(),
        from: args.from.map(|at| at.resolve(now)),
        to: args.to.map(|at| at.resolve(now)),
        from_seq: args.from_seq,
        to_seq: args.to_seq,
    };
    let shape = match args.shape {
        Shape::Agora => replay::Shape::Agora,
        Shape::Rollbook => replay::Shape::Rollbook,
    };
    let store = open_store(data)?;
    let mut written = Ok(());
    let each = |line: &Played<'_>| {
        written = output.line(line.text.as_bytes());
        if args.speed != Speed::Max && written.is_ok() {
            // Who follows it is to see each line in its time.
            written = output.flush();
        }
        written.is_ok()
    };
    let mut sink = Paced::new(each, args.speed, Remote::default());
    let played = store.play(&filter, shape, &mut sink);
    drop(sink);
    played.map_err(|error| failure(data, error))?;
    written
}
