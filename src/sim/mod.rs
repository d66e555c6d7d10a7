//! Simulates worlds with a known truth and weak links, and scores a store against the truth. This tests whether
//! Rollbook's windows and certainties hold.
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
//! | `world` | users who join, change, move and leave |
//! | `presence` | the same as a presence service sees it: noticed late, reported once an interval |
//! | `told` | what a line reports |
//! | `link` | which of it the source sends to observers, and when the link is lost |
//! | `agora` | the same for a client that has one link per channel and may resume its session |
//! | `way` | which of these lines arrive, and when |
//! | `feed` | the lines as text |
//! | `presence_feed` | presence events as text |
//! | `run` | one seed, up to a store that has recorded its lines, each at its time |
//! | `score` | the store's answers against the truth |
//! | `many` | many seeds, on all cores |
//! | `rng` | random numbers: all of them follow from the seed |
//! | `pen` | writes lines as JSON |
//!
//! **Invariant:** a seed gives the same run, byte for byte, on every machine. No clock is read: the store uses the
//! world's time.

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

/// Runs a seed of a mix, and scores the store that recorded it.
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
/// [`RunError`] when the seed could not be run at all. Wrong answers of the store are counted in the score instead.
pub fn simulate(mix: &'static Mix, seed: u64, depth: Depth) -> Result<Score, RunError> {
    simulate_as(mix, seed, depth, mix.rules)
}

/// Like [`simulate`], but ingests with other rules than those of the mix.
///
/// # Errors
/// [`RunError`] when the seed could not be run at all.
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

/// Scores a store that recorded the run `told` against the truth of `run`.
///
/// # Errors
/// [`RunError`] when the lines of `told` could not be recorded.
pub fn score_another(run: &SimRun, told: &SimRun, depth: Depth) -> Result<Score, RunError> {
    score::score(
        run,
        &told.tell_all(told.rules())?,
        depth,
        &mut SimRng::new(0, 9),
    )
}
