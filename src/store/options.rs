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
///
/// ```
/// use rollbook::store::{Durability, Options};
/// let options = Options::default().create(false).durability(Durability::Process);
/// # let dir = tempfile::tempdir().unwrap();
/// assert!(rollbook::Store::open(dir.path().join("none"), options).is_err());
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Options {
    /// Create the store if there is none. Default: yes.
    pub create: bool,
    /// Which failures a write survives. Default: everything acknowledged survives a power cut.
    pub durability: Durability,
    /// The rules by which [`record`](super::Store::record) handles events.
    pub rules: Rules,
    /// How long to wait until another process closes the store. Default: no wait.
    pub patience: Duration,
    /// Gives the time of recording, Unix ms. Lines that were handed over together have the same. Default: the system's
    /// clock.
    pub clock: Clock,
    /// Receives measurements of the writer's work. Default: no measurements.
    pub meter: Arc<dyn Meter>,
    /// Prune in the background what is older than this, ms. Default: nothing.
    pub retain_ms: Option<Millis>,
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
            retain_ms: None,
        }
    }
}

impl Options {
    /// Whether to create the store if there is none. Default: yes.
    #[must_use]
    pub fn create(mut self, create: bool) -> Self {
        self.create = create;
        self
    }

    /// Which failures a write survives. Default: everything acknowledged survives a power cut.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// The rules by which [`record`](super::Store::record) handles events. Default: [`Rules::default`].
    #[must_use]
    pub fn rules(mut self, rules: Rules) -> Self {
        self.rules = rules;
        self
    }

    /// How long to wait until another process closes the store. Default: no wait.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Gives the time of recording, Unix ms. Lines that were handed over together have the same. Default: the system's
    /// clock.
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> Millis + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Receives measurements of the writer's work. Default: no measurements.
    #[must_use]
    pub fn meter(mut self, meter: Arc<dyn Meter>) -> Self {
        self.meter = meter;
        self
    }

    /// Prunes in the background what is older than this, ms ([`prune`](super::Store::prune)). Default: nothing.
    #[must_use]
    pub fn retain_ms(mut self, ms: Millis) -> Self {
        self.retain_ms = Some(ms);
        self
    }
}
