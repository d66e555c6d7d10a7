//! The summary of `ingest`: the JSON of the contract, field by field.

use serde::Serialize;

/// `ingest`: what became of the lines.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
pub struct IngestSummary {
    /// Lines read; blank ones are nothing.
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
    /// Joins of those who were there when a channel was first seen.
    pub baseline_joins: u64,
    /// Events that said what was known.
    pub duplicates: u64,
    /// Events (and snapshots) older than what is known.
    pub stale: u64,
    /// Leaves of somebody who was not there.
    pub unknown: u64,
    /// Differences that a source sent after its link came up.
    pub collected: u64,
    /// Lines that had been recorded before, by their id.
    pub retries: u64,
    /// Those of them that said something else the first time.
    pub retries_differing: u64,
    /// Lines that could not be taken.
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
