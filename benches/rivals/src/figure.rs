//! What a work measured: one JSON object on standard output, which the script reads.

use crate::Outcome;
use serde::Serialize;
use std::time::Duration;

/// The figures of one work of one contender in one run.
#[derive(Debug, Serialize)]
pub struct Figure {
    /// How many lines, snapshots or questions there were.
    pub count: u64,
    /// How long all of them took.
    pub seconds: f64,
    /// The median of the times of each, or of each batch.
    pub p50_us: f64,
    /// 99 of 100 took no longer.
    pub p99_us: f64,
}

impl Figure {
    /// Figures of `count` things that took these times.
    pub fn of(count: usize, mut times: Vec<Duration>, all: Duration) -> Figure {
        times.sort_unstable();
        let at = |percent: usize| {
            let place = (times.len() * percent).div_ceil(100).saturating_sub(1);
            let time = times.get(place).copied().unwrap_or_default();
            time.as_secs_f64() * 1e6
        };
        Figure {
            count: count as u64,
            seconds: all.as_secs_f64(),
            p50_us: at(50),
            p99_us: at(99),
        }
    }

    /// Prints them.
    pub fn print(&self) -> Outcome<()> {
        println!("{}", serde_json::to_string(self)?);
        Ok(())
    }
}
