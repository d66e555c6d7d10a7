//! How lines are taken and kept: the flags that `ingest`, `rejects --retry` and `serve` share.

use crate::domain::entry::Rules;
use crate::query::time::Span;
use crate::store;
use clap::{Args, ValueEnum};

/// How lines are taken and kept.
#[derive(Debug, Args)]
pub struct Taking {
    /// Lateness forgiven before an event or snapshot counts as stale, for sources that stamp snapshots later than
    /// they read them (1500, 1500ms, 2s)
    #[arg(long, value_name = "MS", default_value = "0")]
    pub skew_tolerance: Span,
    /// The source may drop or reorder single events: nothing about its channels is certain
    #[arg(long)]
    pub lossy_feed: bool,
    /// By how much windows begin earlier, for what a source may delay or debounce (1500, 1500ms, 2s)
    #[arg(long, value_name = "MS", default_value = "0")]
    pub slack: Span,
    /// How far a source's time may be ahead of the recording before it counts as missing (60000, 60s, 1m)
    #[arg(long, value_name = "MS", default_value = "60s")]
    pub max_ahead: Span,
    /// How long a source may take, after its link came up, to send what was missed as joins and leaves instead of a
    /// snapshot; 0: it never does (10000, 10s)
    #[arg(long, value_name = "MS", default_value = "10s")]
    pub resync: Span,
    /// What an acknowledged line survives
    #[arg(long, value_name = "LEVEL", default_value = "power")]
    pub durability: Durability,
}

/// What an acknowledged line survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Durability {
    /// A power cut
    Power,
    /// The end of the process
    Process,
    /// Nothing for sure: written when convenient
    None,
}

impl Taking {
    /// How events are taken.
    #[must_use]
    pub fn rules(&self) -> Rules {
        Rules {
            skew_tolerance_ms: self.skew_tolerance.0,
            max_ahead_ms: self.max_ahead.0,
            slack_ms: self.slack.0,
            lossy: self.lossy_feed,
            resync_ms: self.resync.0,
        }
    }

    /// What an acknowledged line survives.
    #[must_use]
    pub fn durability(&self) -> store::Durability {
        self.durability.into()
    }
}

impl From<Durability> for store::Durability {
    fn from(durability: Durability) -> Self {
        match durability {
            Durability::Power => store::Durability::Power,
            Durability::Process => store::Durability::Process,
            Durability::None => store::Durability::None,
        }
    }
}
