//! Runs many seeds of one mix on all cores. The result does not depend on the number of cores.

use super::mix::Mix;
use super::run::RunError;
use super::score::{Depth, Score};
use crate::export::record::ExportRow;
use crate::export::schema::{self, TableSchema};
use serde::Serialize;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// The result of many seeds of a mix.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct MixTotals {
    /// The mix.
    pub mix: String,
    /// All seeds together.
    #[serde(flatten)]
    pub score: Score,
    /// The lowest seed with a fault.
    pub first_wrong: Option<u64>,
}

/// Runs and scores a range of seeds of a mix.
///
/// # Errors
/// [`RunError`] when a seed could not be run at all.
pub fn simulate_many(
    mix: &'static Mix,
    seeds: Range<u64>,
    depth: Depth,
) -> Result<MixTotals, RunError> {
    let next = AtomicU64::new(seeds.start);
    let tally = Mutex::new(Ok(MixTotals {
        mix: mix.name.to_owned(),
        ..MixTotals::default()
    }));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            let score = super::simulate(mix, seed, depth);
            let mut tally = tally.lock().unwrap_or_else(|held| held.into_inner());
            match (&mut *tally, score) {
                (Ok(tally), Ok(score)) => tally.take(seed, score),
                (done, Err(error)) => *done = Err(error),
                (Err(_), Ok(_)) => return,
            }
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 1..cores {
            scope.spawn(work);
        }
        work();
    });
    tally.into_inner().unwrap_or_else(|held| held.into_inner())
}

impl MixTotals {
    /// Adds one score. The described faults are those of the lowest wrong seed, whatever the order of the runs.
    fn take(&mut self, seed: u64, mut score: Score) {
        let described = std::mem::take(&mut score.described);
        self.score.add(&score);
        if score.wrong() > 0 && self.first_wrong.is_none_or(|first| seed < first) {
            self.first_wrong = Some(seed);
            self.score.described = described;
        }
    }
}
impl ExportRow for MixTotals {
    const TABLE: &'static TableSchema = &schema::SIMULATE;
}
