//! Scores a store against the truth: what it promises must hold, whatever the link did.
//!
//! | file | question |
//! | --- | --- |
//! | `knowledge` | what could be known after each line |
//! | `lists` | what each observer believes, and what is still collected |
//! | `entries` | is that found, and no more; do windows hold what happened |
//! | `stays` | do the bounds of `sessions` hold |
//! | `gaps` | are gaps where link lines tell of them |
//! | `moments` | is what is `certain` true; is what was known then what is said now to have been known |
//!
//! A store is asked what anyone may ask. No rule is known here but what the guide promises.

mod entries;
mod gaps;
mod knowledge;
mod lists;
mod moments;
mod stays;

use super::rng::SimRng;
use super::run::{RecordedRun, RunError, SimRun};
use serde::Serialize;

/// How much is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Every moment at and around everything that happened.
    Every,
    /// Some of them, others for each seed.
    Some,
}

/// What can be wrong.
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

/// Faults of one seed that are described.
const DESCRIBED_MAX: usize = 5;

/// What a run, or many, came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Score {
    /// Seeds that were run.
    pub seeds: u64,
    /// True changes.
    pub true_events: u64,
    /// Lines told.
    pub lines: u64,
    /// Inferred entries that tell of something true.
    pub inferred: u64,
    /// Moments asked for.
    pub moments: u64,
    /// Entries whose window does not hold what happened.
    pub wrong_windows: u64,
    /// Certain answers that are not true.
    pub wrong_certain: u64,
    /// Changes that could be seen and are in no entry.
    pub missed: u64,
    /// Entries of changes that did not happen.
    pub invented: u64,
    /// Stays whose bounds do not hold.
    pub wrong_sessions: u64,
    /// Channels whose gaps are not those that link lines tell of.
    pub wrong_gaps: u64,
    /// Answers that are not what was known then.
    pub wrong_known_at: u64,
    /// What was wrong, in words; the first few.
    #[serde(skip)]
    pub described: Vec<String>,
}

impl Score {
    /// How much is wrong.
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

    /// Adds another one.
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

/// Asks a store that was told a run.
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
