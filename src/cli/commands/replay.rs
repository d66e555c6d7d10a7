//! `replay`: the log again, as the lines of a feed.

use super::{failure, now, open};
use crate::cli::args::{HELP, at_time};
use crate::cli::exit::Failure;
use crate::cli::output::Output;
use crate::query::time::When;
use crate::replay::ReplayFilter;
use clap::{Args, ValueEnum};
use std::path::Path;

/// `replay`.
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "Examples:
  rollbook replay studio-7 --as agora > evening.jsonl
  rollbook replay --from -2h --to -1h --as agora
")]
pub struct Replay {
    /// Only this channel
    pub channel: Option<String>,
    /// Only what takes effect at or after this moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, help = at_time("Only what takes effect at or after this moment"))]
    pub from: Option<When>,
    /// Only what takes effect before this moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub to: Option<When>,
    /// The shape of the lines
    #[arg(long = "as", value_name = "SHAPE", default_value = "agora")]
    pub shape: Shape,
}

/// A shape of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shape {
    /// Agora's, as its JavaScript SDK gives them
    Agora,
}

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
