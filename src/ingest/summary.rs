//! The summary of `ingest`, as the command line and the server show it.

use crate::store::LineCounts;
use serde::Serialize;

/// The result of `ingest`: counts of its lines and entries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct IngestSummary {
    /// Lines read, without blank ones.
    pub lines: u64,
    /// What became of them.
    #[serde(flatten)]
    pub counts: LineCounts,
    /// How long it took.
    pub elapsed_ms: u64,
}
