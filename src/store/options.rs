//! The options for opening a store, and their defaults.

use super::meter::Meter;
use crate::domain::entry::Rules;
use crate::domain::time::Millis;
use crate::log::engine::Durability;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The clock that gives the time of recording.
pub type Clock = Arc<dyn Fn() -> Millis + Send + Sync>;

/// The options for opening a store.
#[derive(Clone)]
pub struct Options {
    /// Create the store if there is none. Default: yes.
    pub create: bool,
    /// Which failures a write survives. Default: everything acknowledged survives a power cut.
    pub durability: Durability,
    /// The rules by which [`record`](super::Store::record) handles events.
    pub rules: Rules,
    /// How long to wait until another process closes the store. Default: no wait.
    pub patience: Duration,
    /// Default: the system's clock.
    pub clock: Clock,
    /// Receives measurements of the writer's work. Default: no measurements.
    pub meter: Arc<dyn Meter>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            create: true,
            durability: Durability::default(),
            rules: Rules::default(),
            patience: Duration::ZERO,
            clock: Arc::new(|| {
                let now = SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .unwrap_or_default();
                Millis::try_from(now.as_millis()).unwrap_or(Millis::MAX)
            }),
            meter: Arc::new(()),
        }
    }
}
