//! Scores a store against the truth: its promises must hold, whatever the link did.
//!
//! | file | question |
//! | --- | --- |
//! | `knowledge` | what could be known after each line |
//! | `lists` | what each observer's own list shows, and what is still collected |
//! | `entries` | does the log hold all of it and nothing else; do windows hold the true times |
//! | `stays` | do the bounds of `sessions` hold |
//! | `gaps` | are gaps where link lines report them |
//! | `moments` | is each `certain` answer true; is `known_at` the answer that was given then |
//!
//! The store is asked only through its public API. The score uses no rule beyond what the guide promises.

mod entries;
mod gaps;
mod knowledge;
mod lists;
mod moments;
mod stays;

use super::rng::SimRng;
use super::run::{RecordedRun, RunError, SimRun};
use serde::Serialize;

/// How many moments are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Every moment at and around every event.
    Every,
    /// A sample of them, another one for each seed.
    Some,
}

/// The kinds of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScoreFault {
    Window,
    Certain,
    Missed,
    Invented,
    Session,
    Gap,
    KnownAt,
}

/// How many faults of a seed are described.
const DESCRIBED_MAX: usize = 5;

/// The result of one run, or of many.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Score {
    /// Seeds that were run.
    pub seeds: u64,
    /// True changes.
    pub true_events: u64,
    /// Lines recorded.
    pub lines: u64,
    /// Inferred entries of true changes.
    pub inferred: u64,
    /// Moments that were checked.
    pub moments: u64,
    /// Entries whose window does not hold the true time.
    pub wrong_windows: u64,
    /// Certain answers that are not true.
    pub wrong_certain: u64,
    /// Changes that could be seen and are in no entry.
    pub missed: u64,
    /// Entries of changes that did not happen.
    pub invented: u64,
    /// Stays whose bounds do not hold.
    pub wrong_sessions: u64,
    /// Channels whose gaps are not those that link lines report.
    pub wrong_gaps: u64,
    /// Answers with `known_at` that differ from the answer given then.
    pub wrong_known_at: u64,
    /// Descriptions of the first few faults.
    #[serde(skip)]
    pub described: Vec<String>,
}

impl Score {
    /// The number of all faults.
    #[must_use]
    pub fn wrong(&self) -> u64 {
        self.wrong_windows
            + self.wrong_certain
            + self.missed
            + self.invented
            + self.wrong_sessions
            + self.wrong_gaps
            + self.wrong_known_at
    }

    /// Adds another score.
    pub fn add(&mut self, other: &Score) {
        self.seeds += other.seeds;
        self.true_events += other.true_events;
        self.lines += other.lines;
        self.inferred += other.inferred;
        self.moments += other.moments;
        self.wrong_windows += other.wrong_windows;
        self.wrong_certain += other.wrong_certain;
        self.missed += other.missed;
        self.invented += other.invented;
        self.wrong_sessions += other.wrong_sessions;
        self.wrong_gaps += other.wrong_gaps;
        self.wrong_known_at += other.wrong_known_at;
        let room = DESCRIBED_MAX.saturating_sub(self.described.len());
        self.described
            .extend(other.described.iter().take(room).cloned());
    }

    fn fault(&mut self, fault: ScoreFault, describe: impl FnOnce() -> String) {
        let count = match fault {
            ScoreFault::Window => &mut self.wrong_windows,
            ScoreFault::Certain => &mut self.wrong_certain,
            ScoreFault::Missed => &mut self.missed,
            ScoreFault::Invented => &mut self.invented,
            ScoreFault::Session => &mut self.wrong_sessions,
            ScoreFault::Gap => &mut self.wrong_gaps,
            ScoreFault::KnownAt => &mut self.wrong_known_at,
        };
        *count += 1;
        if self.described.len() < DESCRIBED_MAX {
            self.described.push(format!("{fault:?}: {}", describe()));
        }
    }
}

/// Scores a store that recorded a run.
pub(super) fn score(
    run: &SimRun,
    heard: &RecordedRun,
    depth: Depth,
    dice: &mut SimRng,
) -> Result<Score, RunError> {
    let mut score = Score {
        seeds: 1,
        true_events: run.world.changes.len() as u64,
        lines: run.told.len() as u64,
        ..Score::default()
    };
    entries::score(run, heard, &mut score)?;
    gaps::score(run, heard, &mut score)?;
    moments::score(run, heard, depth, dice, &mut score)?;
    Ok(score)
}
