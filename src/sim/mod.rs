//! Worlds with a truth, weak links, and a score: proof by trial that what Rollbook says about windows and certainty
//! holds.
//!
//! ```text
//! seed ──> world ──link──> told ──feed──> lines ──> store ──┐
//!            └───────────── truth ────────────────────── score
//! ```
//!
//! | file | what |
//! | --- | --- |
//! | `mix` | what a source does wrong, and how it is to be ingested |
//! | `mixes` | the table of them |
//! | `sources` | what mixes have in common |
//! | `world` | people who come, change, move and go |
//! | `presence` | the same as a presence service has it: noticed late, told once an interval |
//! | `told` | what a line says |
//! | `link` | what observers are sent of it, and when the link is lost |
//! | `agora` | the same for a client that has a link a channel, and may resume its session |
//! | `way` | what of that arrives, and when |
//! | `feed` | the same as lines |
//! | `presence_feed` | presence events as lines |
//! | `run` | a seed, up to a store that was told its lines, each at its time |
//! | `score` | the store's answers against the truth |
//! | `many` | many seeds, on all cores |
//! | `rng` | chance: all of it follows from the seed |
//! | `pen` | writes what is told as JSON |
//!
//! **Invariant:** a seed is a run, byte for byte, on every machine. No clock is read; the store's is that of the world.

mod agora;
mod feed;
mod link;
mod many;
mod mix;
mod mixes;
mod pen;
mod presence;
mod presence_feed;
mod rng;
mod run;
mod score;
mod sources;
mod told;
mod way;
mod world;

pub use many::{MixTotals, simulate_many};
pub use mix::Mix;
pub use mixes::MIXES;
pub use run::{RunError, SimRun};
pub use score::{Depth, Score};

use crate::domain::entry::Rules;
use rng::SimRng;

/// Runs a seed of a mix, and scores the store that was told of it.
///
/// ```
/// use rollbook::sim::{Depth, Mix, simulate};
/// let told = Mix::named("told").unwrap();
/// let score = simulate(told, 7, Depth::Every)?;
/// assert_eq!(score.wrong(), 0, "{:?}", score.described);
/// # Ok::<(), rollbook::sim::RunError>(())
/// ```
///
/// # Errors
/// [`RunError`], where it could not be run at all. What is wrong with the store's answers is in the score.
pub fn simulate(mix: &'static Mix, seed: u64, depth: Depth) -> Result<Score, RunError> {
    simulate_as(mix, seed, depth, mix.rules)
}

/// The same, ingested by other rules than those that the mix needs.
///
/// # Errors
/// [`RunError`].
pub fn simulate_as(
    mix: &'static Mix,
    seed: u64,
    depth: Depth,
    rules: Rules,
) -> Result<Score, RunError> {
    let run = SimRun::new(mix, seed);
    score::score(
        &run,
        &run.tell_all(rules)?,
        depth,
        &mut SimRng::new(seed, 9),
    )
}

/// Scores a store that was told of another run against the truth of `run`.
///
/// # Errors
/// [`RunError`].
pub fn score_another(run: &SimRun, told: &SimRun, depth: Depth) -> Result<Score, RunError> {
    score::score(
        run,
        &told.tell_all(told.rules())?,
        depth,
        &mut SimRng::new(0, 9),
    )
}
