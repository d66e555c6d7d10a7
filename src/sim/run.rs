//! Runs one seed of one mix, from the world to the store that recorded it.

use super::feed;
use super::link;
use super::mix::Mix;
use super::pen::Pen;
use super::told::{self, SimLine};
use super::world::World;
use crate::domain::entry::Rules;
use crate::domain::event::{EventPayload, ReportedConnection};
use crate::domain::time::Millis;
use crate::feed::{Defaults, LineError, parse};
use crate::store::{Options, Store, StoreError};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Why a seed could not be run: always a fault of the simulator or of the store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A line of the simulator cannot be read.
    #[error("the line {line} of the feed cannot be read: {refusal}")]
    Line {
        /// The line's number, from 1.
        line: usize,
        /// What is wrong with it.
        refusal: LineError,
    },
    /// The store refused a line.
    #[error("the line {line} of the feed was refused: {reason}")]
    Refused {
        /// The line's number, from 1.
        line: usize,
        /// Why the store refused it.
        reason: String,
    },
}

/// What happened in a world, and the lines that report it.
pub struct SimRun {
    pub(super) mix: &'static Mix,
    pub(super) world: World,
    pub(super) told: Vec<SimLine>,
    lines: Vec<String>,
}

/// A store that recorded a run, and its head after each line.
pub(super) struct RecordedRun {
    pub store: Store,
    /// The rules that it was ingested with.
    pub rules: Rules,
    pub heads: Vec<u64>,
}

impl SimRun {
    /// The run of a seed. The same seed always gives the same run.
    #[must_use]
    pub fn new(mix: &'static Mix, seed: u64) -> SimRun {
        let world = World::of(mix, seed);
        let told = link::tell(mix, &world, seed);
        let pen = Pen::new(mix, &world, seed);
        let lines = told.iter().map(|told| pen.line(told)).collect();
        SimRun {
            mix,
            world,
            told,
            lines,
        }
    }

    /// The reported lines.
    #[must_use]
    pub fn feed(&self) -> &[String] {
        &self.lines
    }

    /// The true changes, one by one, as lines of Rollbook's own feed format.
    #[must_use]
    pub fn truth(&self) -> Vec<String> {
        let positions = 1..=self.world.changes.len();
        positions
            .filter_map(|position| feed::truth(&self.world, position))
            .collect()
    }

    /// The rules of its mix.
    pub(super) fn rules(&self) -> Rules {
        self.mix.rules
    }

    /// Records all lines in a new store.
    pub(super) fn tell_all(&self, rules: Rules) -> Result<RecordedRun, RunError> {
        self.tell(self.lines.len(), rules)
    }

    /// Records the first `lines` lines in a new store, each at its time.
    pub(super) fn tell(&self, lines: usize, rules: Rules) -> Result<RecordedRun, RunError> {
        let now = Arc::new(AtomicI64::new(0));
        let clock = Arc::clone(&now);
        let store = Store::in_memory(Options {
            rules,
            clock: Arc::new(move || clock.load(Ordering::SeqCst)),
            ..Options::default()
        })?;
        let defaults = Defaults::of("default");
        let mut heads = Vec::with_capacity(lines);
        for (index, (told, text)) in self.told.iter().zip(&self.lines).take(lines).enumerate() {
            let line = index + 1;
            let mut event = parse(text.as_bytes(), &defaults)
                .map_err(|refusal| RunError::Line { line, refusal })?;
            if let told::SimPayload::Connection(what) = told.said {
                let at = event.stamp.ts;
                event.payload = EventPayload::Connection(ReportedConnection { what, at });
            }
            now.store(told.recorded, Ordering::SeqCst);
            let receipt = store.record(&[event]).map_err(StoreError::from)?;
            if let Some(refused) = receipt.rejected.first() {
                let reason = refused.reason.clone();
                return Err(RunError::Refused { line, reason });
            }
            heads.push(store.head());
        }
        Ok(RecordedRun {
            store,
            rules,
            heads,
        })
    }

    /// The number of lines that were recorded at or before a time.
    pub(super) fn recorded_by(&self, known_at: Millis) -> usize {
        self.told.partition_point(|told| told.recorded <= known_at)
    }
}
