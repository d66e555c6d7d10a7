//! Counts of what became of lines.

use crate::domain::entry::{Change, Disposition, Entry, Origin, Payload};
use crate::domain::event::ChangeKind;
use serde::{Deserialize, Serialize};

/// What became of some lines ([guide](crate::guide::files#summary)).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct LineCounts {
    /// Events observed: changes of members, snapshots, link and token lines.
    pub events: u64,
    /// Entries appended.
    pub entries: u64,
    /// Joins observed and applied.
    pub joins: u64,
    /// Leaves observed and applied.
    pub leaves: u64,
    /// Updates observed and applied.
    pub updates: u64,
    /// Snapshots.
    pub snapshots: u64,
    /// Joins inferred, baseline ones included.
    pub inferred_joins: u64,
    /// Leaves inferred.
    pub inferred_leaves: u64,
    /// Updates inferred.
    pub inferred_updates: u64,
    /// Joins of members that were present when a channel was first seen.
    pub baseline_joins: u64,
    /// Events that repeated what was known.
    pub duplicates: u64,
    /// Events (and snapshots) older than what is known.
    pub stale: u64,
    /// Leaves of members that were not present.
    pub unknown: u64,
    /// Differences that a source sent after its link came up.
    pub collected: u64,
    /// Retries: lines whose id had been recorded before.
    pub retries: u64,
    /// Retries whose contents differ from what was recorded the first time.
    pub retries_differing: u64,
    /// Lines that were rejected.
    pub rejected: u64,
    /// Lines that the sender had no right to write.
    #[serde(skip)]
    pub forbidden: u64,
    /// Entries whose effective time is more than 60 s after they occurred.
    pub clamped: u64,
    /// The first entry appended.
    pub first_seq: Option<u64>,
    /// The last entry appended.
    pub last_seq: Option<u64>,
}

impl LineCounts {
    /// Counts one entry.
    pub(super) fn count(&mut self, entry: &Entry) {
        self.entries += 1;
        self.first_seq = self.first_seq.or(Some(entry.seq));
        self.last_seq = Some(entry.seq);
        match &entry.payload {
            Payload::Change(change) => self.change(change),
            Payload::Snapshot(snapshot) => {
                self.snapshots += 1;
                self.stale += u64::from(snapshot.stale);
            }
            Payload::Link(_) | Payload::Token(_) => {}
        }
    }

    fn change(&mut self, change: &Change) {
        let observed = change.origin == Origin::Observed;
        if let Origin::Inferred(by) = change.origin {
            self.baseline_joins += u64::from(by.baseline);
        }
        let counter = match (change.disposition, change.kind) {
            (Disposition::Duplicate, _) => &mut self.duplicates,
            (Disposition::Stale, _) => &mut self.stale,
            (Disposition::Unknown, _) => &mut self.unknown,
            (Disposition::Collected, _) => &mut self.collected,
            (Disposition::Applied, ChangeKind::Join) if observed => &mut self.joins,
            (Disposition::Applied, ChangeKind::Leave) if observed => &mut self.leaves,
            (Disposition::Applied, ChangeKind::Update) if observed => &mut self.updates,
            (Disposition::Applied, ChangeKind::Join) => &mut self.inferred_joins,
            (Disposition::Applied, ChangeKind::Leave) => &mut self.inferred_leaves,
            (Disposition::Applied, ChangeKind::Update) => &mut self.inferred_updates,
        };
        *counter += 1;
    }

    /// Counts the events of one line: each member that it reports; a snapshot, link or token line counts as one.
    pub(super) fn line(&mut self, entries: &[Entry]) {
        let changes = entries
            .iter()
            .all(|entry| matches!(entry.payload, Payload::Change(_)));
        self.events += if changes { entries.len() as u64 } else { 1 };
    }

    /// Adds the counts of later lines.
    pub fn add(&mut self, later: &LineCounts) {
        self.events += later.events;
        self.entries += later.entries;
        self.joins += later.joins;
        self.leaves += later.leaves;
        self.updates += later.updates;
        self.snapshots += later.snapshots;
        self.inferred_joins += later.inferred_joins;
        self.inferred_leaves += later.inferred_leaves;
        self.inferred_updates += later.inferred_updates;
        self.baseline_joins += later.baseline_joins;
        self.duplicates += later.duplicates;
        self.stale += later.stale;
        self.unknown += later.unknown;
        self.collected += later.collected;
        self.retries += later.retries;
        self.retries_differing += later.retries_differing;
        self.rejected += later.rejected;
        self.forbidden += later.forbidden;
        self.clamped += later.clamped;
        self.first_seq = self.first_seq.or(later.first_seq);
        self.last_seq = later.last_seq.or(self.last_seq);
    }
}
