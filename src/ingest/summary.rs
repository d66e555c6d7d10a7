//! The summary of `ingest`: its JSON, field by field.

use serde::Serialize;

/// The result of `ingest`: counts of its lines and entries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
pub struct IngestSummary {
    /// Lines read, without blank ones.
    pub lines: u64,
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
    /// Entries whose effective time is more than 60 s after they occurred.
    pub clamped: u64,
    /// The first entry appended.
    pub first_seq: Option<u64>,
    /// The last entry appended.
    pub last_seq: Option<u64>,
    /// How long it took.
    pub elapsed_ms: u64,
}
