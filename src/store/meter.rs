//! The store's measurements of its own work: events for a meter as they happen, and gauges on request.

use super::batch::RefusedLine;
use super::error::StoreError;
use super::line_counts::LineCounts;
use std::time::{Duration, Instant};

/// Measures the writer's work. The writer's threads call it, so it must be quick, and must not call the store.
pub trait Meter: Send + Sync {
    /// A batch is durable; the counts of its lines.
    fn committed(&self, tally: &LineCounts) {
        let _ = tally;
    }

    /// A sync has finished: how long it took, and how many entries it made durable.
    fn synced(&self, took: Duration, entries: u64) {
        let _ = (took, entries);
    }

    /// A snapshot was reconciled with the known state: how long that took.
    fn reconciled(&self, took: Duration) {
        let _ = took;
    }

    /// Lines of a batch that could not be taken, and those that a token did not allow; called only if there are some.
    fn refused(&self, rejected: &[RefusedLine], forbidden: &[RefusedLine]) {
        let _ = (rejected, forbidden);
    }

    /// A write has failed: nothing more is written until the store is opened again.
    fn write_failed(&self, reason: &str) {
        let _ = reason;
    }

    /// Older entries were sealed into a block, up to this one.
    fn sealed(&self, entries: u64, up_to: u64) {
        let _ = (entries, up_to);
    }

    /// So many older entries were pruned, which had so many bytes.
    fn pruned(&self, entries: u64, bytes: u64) {
        let _ = (entries, bytes);
    }

    /// A checkpoint could not be made or saved, or older ones could not be dropped. Nothing is lost: the next opening
    /// reads more of the log, or the store needs more room.
    fn checkpoint_failed(&self, error: &StoreError) {
        let _ = error;
    }

    /// Older entries could not be sealed into a block, or pruned. Nothing is lost: they stay as they are.
    fn sealing_failed(&self, error: &StoreError) {
        let _ = error;
    }
}

/// Measures nothing.
impl Meter for () {}

/// The gauges of the last request. They are renewed only if something was recorded since.
#[derive(Debug, Default)]
pub(super) struct CachedGauges {
    /// The end of the log: the gauges of its state are valid for this end only.
    pub next: u64,
    /// When the store's files were measured.
    pub measured: Option<Instant>,
    /// The gauges.
    pub gauges: Gauges,
}

/// The gauges of a store ([`Store::gauges`](super::Store::gauges)).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gauges {
    /// The seq of the last durable entry.
    pub head: u64,
    /// Lines that are queued for the writer.
    pub waiting: u64,
    /// Bytes of the store's files, some seconds ago; 0 for a store in memory.
    pub bytes: u64,
    /// Channels that the log knows.
    pub channels: u64,
    /// Members present in all channels.
    pub present: u64,
    /// Open gaps.
    pub gaps_open: u64,
    /// Channels with an open resync, counted for each observer: a source is sending what was missed as differences.
    pub resyncs_open: u64,
    /// Observers that the log knows.
    pub observers: u64,
    /// Observers whose ingest connection is up.
    pub connected: u64,
}
