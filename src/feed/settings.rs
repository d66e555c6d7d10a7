//! How lines are read where they leave it open: what a bare number counts that stands for a time, and how late Agora's
//! presence service tells what has happened. The same for all lines of a source; what one line says is not known here.

use crate::domain::time::Millis;

/// What the source's clients and clocks are set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// What a number counts where a time stands.
    pub time_unit: TimeUnit,
    /// Agora's `presenceTimeout`: how long after a user was last heard his time-out is told, ms.
    pub presence_timeout_ms: Millis,
    /// The interval of Agora's interval mode: how long a change may wait to be told, ms.
    pub presence_interval_ms: Millis,
    /// How long Agora holds a leave back, for who comes back at once, ms.
    pub presence_debounce_ms: Millis,
}

/// What a number counts where a time stands, since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TimeUnit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    #[default]
    Millis,
    /// Microseconds; what is below a millisecond is cut off.
    Micros,
}

impl Settings {
    /// Milliseconds, and what an Agora project and its clients are set to when nobody has changed it.
    pub const USUAL: Settings = Settings {
        time_unit: TimeUnit::Millis,
        presence_timeout_ms: 300_000,
        presence_interval_ms: 30_000,
        presence_debounce_ms: 2_000,
    };
}

impl Default for Settings {
    fn default() -> Self {
        Settings::USUAL
    }
}

impl TimeUnit {
    /// So many of them in milliseconds; `None` where that is beyond all times.
    pub(super) fn millis(self, count: i64) -> Option<Millis> {
        match self {
            TimeUnit::Seconds => count.checked_mul(1_000),
            TimeUnit::Millis => Some(count),
            TimeUnit::Micros => Some(count.div_euclid(1_000)),
        }
    }
}
