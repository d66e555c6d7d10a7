//! What the store tells of its own work: events for a meter as they happen, and gauges on request.

use super::error::StoreError;
use super::line_counts::LineCounts;
use std::time::{Duration, Instant};

/// Whoever measures the writer's work. Called by its threads, so it must be quick, and must not call the store.
pub trait Meter: Send + Sync {
    /// What became of a batch; it is durable.
    fn committed(&self, tally: &LineCounts) {
        let _ = tally;
    }

    /// A sync is through: how long it took, and how many entries it made durable.
    fn synced(&self, took: Duration, entries: u64) {
        let _ = (took, entries);
    }

    /// A snapshot was reconciled with what was known: how long that took.
    fn reconciled(&self, took: Duration) {
        let _ = took;
    }

    /// A checkpoint could not be made or saved. Nothing is lost: the next opening reads more of the log.
    fn checkpoint_failed(&self, error: &StoreError) {
        let _ = error;
    }
}

/// Nobody measures.
impl Meter for () {}

/// How the store stood when it was last looked at, which is not done more often than there is something new.
#[derive(Debug, Default)]
pub(super) struct CachedGauges {
    /// Where the log ended: what is told of its state is good for just that.
    pub next: u64,
    /// When its files were measured.
    pub measured: Option<Instant>,
    /// What was found.
    pub gauges: Gauges,
}

/// How a store stands ([`Store::gauges`](super::Store::gauges)).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gauges {
    /// The last durable entry.
    pub head: u64,
    /// Lines that were handed over and are waiting for the writer.
    pub waiting: u64,
    /// Bytes of its files, some seconds ago; 0 for one in memory.
    pub bytes: u64,
    /// Channels that were heard of.
    pub channels: u64,
    /// Members present in all of them.
    pub present: u64,
    /// Gaps that are open.
    pub gaps_open: u64,
    /// Channels, counted for each observer, of which a source is sending what was missed as differences.
    pub resyncs_open: u64,
    /// Observers that were heard of.
    pub observers: u64,
    /// Observers whose ingest connection is up.
    pub connected: u64,
}
