//! Measures time: each piece of work alone, and all together.

use super::Latency;
use hdrhistogram::Histogram;
use std::time::{Duration, Instant};

/// Latencies with three significant digits.
pub(super) struct LatencyRecorder {
    /// In nanoseconds. `None` if the histogram could not be made; then there are no samples.
    taken: Option<Histogram<u64>>,
    spent: Duration,
}

impl LatencyRecorder {
    pub fn new() -> Self {
        LatencyRecorder {
            taken: Histogram::new(3).ok(),
            spent: Duration::ZERO,
        }
    }

    /// Times one piece of work as a sample, and adds it to the time spent.
    pub fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let done = work();
        let took = start.elapsed();
        self.spent += took;
        self.sample(took);
        done
    }

    /// Adds a sample whose time is counted by [`LatencyRecorder::spend`].
    pub fn sample(&mut self, took: Duration) {
        if let Some(taken) = &mut self.taken {
            // The histogram grows as needed. A value that does not fit is longer than any run.
            let _ = taken.record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
        }
    }

    /// Adds time in which samples overlap.
    pub fn spend(&mut self, spent: Duration) {
        self.spent += spent;
    }

    pub fn per_second(&self, count: u64) -> f64 {
        count as f64 / self.spent.as_secs_f64().max(1e-9)
    }

    pub fn latency(&self) -> Latency {
        let at = |quantile| {
            let taken = self.taken.as_ref();
            taken.map_or(0.0, |taken| {
                taken.value_at_quantile(quantile) as f64 / 1_000.0
            })
        };
        Latency {
            p50_us: at(0.5),
            p90_us: at(0.9),
            p99_us: at(0.99),
            p999_us: at(0.999),
            max_us: at(1.0),
        }
    }
}
