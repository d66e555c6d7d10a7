//! The outcome of a source: how many lines it had, and what became of them. How it is shown is in `summary`.

use super::summary::IngestSummary;
use crate::domain::time::Millis;
use crate::store::LineCounts;

/// The outcome of a source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct IngestOutcome {
    /// Lines read, without blank ones.
    pub lines: u64,
    /// The counts of their results.
    pub tally: LineCounts,
    /// The latest time that the source reported, Unix ms.
    pub latest_time: Option<Millis>,
    /// It ended at a rejected line (`strict`).
    pub stopped: bool,
}

impl IngestOutcome {
    /// Adds the outcome of a later source.
    pub fn add(&mut self, later: &IngestOutcome) {
        self.lines += later.lines;
        self.tally.add(&later.tally);
        self.latest_time = self.latest_time.max(later.latest_time);
        self.stopped |= later.stopped;
    }

    /// The summary that the command line and the server show.
    #[doc(hidden)]
    #[must_use]
    pub fn summary(&self, elapsed_ms: u64) -> IngestSummary {
        IngestSummary {
            lines: self.lines,
            counts: self.tally,
            elapsed_ms,
        }
    }
}
