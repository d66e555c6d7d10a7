//! `simulate`: runs weak-network workloads with a known truth, and scores the store's answers against it.

use crate::cli::exit::{Exit, Failure};
use crate::cli::help::HELP;
use crate::cli::output::Output;
use crate::cli::tables::SimulationTable;
use crate::sim::{Depth, MIXES, Mix, MixTotals, SimRun, simulate_many};
use clap::Args;
use std::path::{Path, PathBuf};

/// Up to this number of seeds, runs are checked at every moment; above it, at some moments only.
const ASKED_EVERYTHING_MAX: u64 = 1_000;

/// `simulate`.
#[derive(Debug, Args)]
#[command(help_template = HELP, before_help = "Examples:
  rollbook simulate --seeds 1000                  every mix of faults, a thousand seeds each
  rollbook simulate --mix told --seed 7           one run again
  rollbook simulate --mix told --write ./told-7   its feed and its truth, as JSON lines
")]
pub struct SimulateArgs {
    /// Runs of each mix
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seeds: u64,
    /// The first seed
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    pub seed: u64,
    /// What the source does wrong: one of the mixes, or all
    #[arg(long, value_name = "NAME", default_value = "all")]
    pub mix: String,
    /// Write feed.jsonl and truth.jsonl of the first seed into this folder instead
    #[arg(long, value_name = "DIR")]
    pub write: Option<PathBuf>,
}

pub(in crate::cli) fn run(args: &SimulateArgs, output: &mut Output<'_>) -> Result<(), Failure> {
    let mixes = match Mix::named(&args.mix) {
        Some(mix) => std::slice::from_ref(mix),
        None if args.mix == "all" => MIXES,
        None => return Err(no_mix(&args.mix)),
    };
    if let Some(dir) = &args.write {
        let [mix] = mixes else {
            return Err(Failure::new(Exit::Usage, "--write takes one mix").hint(names()));
        };
        return write(dir, &SimRun::new(mix, args.seed));
    }
    let depth = if args.seeds > ASKED_EVERYTHING_MAX {
        Depth::Some
    } else {
        Depth::Every
    };
    let seeds = args.seed..args.seed.saturating_add(args.seeds);
    let mut wrong = Vec::new();
    let mut list = output.list(SimulationTable::default());
    for mix in mixes {
        let tally = simulate_many(mix, seeds.clone(), depth)
            .map_err(|error| Failure::new(Exit::Failed, format!("mix {}: {error}", mix.name)))?;
        list.row(&tally)?;
        if tally.first_wrong.is_some() {
            wrong.push(tally);
        }
    }
    list.finish()?;
    match wrong.first() {
        None => Ok(()),
        Some(first) => Err(failure(first, &wrong)),
    }
}

/// Describes the first seed with wrong answers.
fn failure(first: &MixTotals, all: &[MixTotals]) -> Failure {
    let seed = first.first_wrong.unwrap_or_default();
    let mut what = format!("wrong answers: mix {}, seed {seed}", first.mix);
    for described in &first.score.described {
        what.push_str("\n  ");
        what.push_str(described);
    }
    let others: Vec<String> = all
        .iter()
        .skip(1)
        .map(|tally| {
            let seed = tally.first_wrong.unwrap_or_default();
            format!("mix {}, seed {seed}", tally.mix)
        })
        .collect();
    let failure = Failure::new(Exit::Failed, what);
    if others.is_empty() {
        failure
    } else {
        failure.hint(format!("also wrong: {}", others.join("; ")))
    }
}

fn no_mix(name: &str) -> Failure {
    Failure::new(Exit::Usage, format!("there is no mix {name}")).hint(names())
}

fn names() -> String {
    let names: Vec<&str> = MIXES.iter().map(|mix| mix.name).collect();
    format!("the mixes are {}", names.join(", "))
}

fn write(dir: &Path, run: &SimRun) -> Result<(), Failure> {
    let put = |name: &str, lines: &[String]| {
        let mut text = lines.join("\n");
        text.push('\n');
        std::fs::write(dir.join(name), text)
    };
    let done = std::fs::create_dir_all(dir)
        .and_then(|()| put("feed.jsonl", run.feed()))
        .and_then(|()| put("truth.jsonl", &run.truth()));
    done.map_err(|error| {
        let place = dir.display();
        Failure::new(Exit::Failed, format!("cannot write into {place}: {error}"))
    })
}
