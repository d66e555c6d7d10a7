//! How to read what the lines leave open: the unit of a time that is a bare number, and how late Agora's presence
//! service reports changes. The settings are the same for all lines of a source, and independent of any line.

use crate::domain::time::Millis;

/// The settings of the source's clients and clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// The unit of a time that is a bare number.
    pub time_unit: TimeUnit,
    /// Agora's `presenceTimeout`: how long after a user's last message Agora reports its time-out, ms.
    pub presence_timeout_ms: Millis,
    /// The interval of Agora's interval mode: how long Agora may wait before it reports a change, ms.
    pub presence_interval_ms: Millis,
    /// How long Agora delays the report of a leave, in case the user comes back at once, ms.
    pub presence_debounce_ms: Millis,
}

/// The unit of a time that is a bare number, counted since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum TimeUnit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    #[default]
    Millis,
    /// Microseconds; fractions of a millisecond are cut off.
    Micros,
}

impl Settings {
    /// Milliseconds, and the default settings of an Agora project and its clients.
    pub const USUAL: Settings = Settings {
        time_unit: TimeUnit::Millis,
        presence_timeout_ms: 300_000,
        presence_interval_ms: 30_000,
        presence_debounce_ms: 2_000,
    };

    /// The unit of a time that is a bare number. Default: milliseconds.
    #[must_use]
    pub const fn time_unit(mut self, unit: TimeUnit) -> Self {
        self.time_unit = unit;
        self
    }

    /// How long after a user's last message Agora reports its time-out, ms. Default: 300,000.
    #[must_use]
    pub const fn presence_timeout_ms(mut self, ms: Millis) -> Self {
        self.presence_timeout_ms = ms;
        self
    }

    /// How long Agora may wait in its interval mode before it reports a change, ms. Default: 30,000.
    #[must_use]
    pub const fn presence_interval_ms(mut self, ms: Millis) -> Self {
        self.presence_interval_ms = ms;
        self
    }

    /// How long Agora delays the report of a leave, ms. Default: 2,000.
    #[must_use]
    pub const fn presence_debounce_ms(mut self, ms: Millis) -> Self {
        self.presence_debounce_ms = ms;
        self
    }
}

impl Default for Settings {
    fn default() -> Self {
        Settings::USUAL
    }
}

impl TimeUnit {
    /// Converts a count of this unit to milliseconds; `None` if the result does not fit.
    pub(super) fn millis(self, count: i64) -> Option<Millis> {
        match self {
            TimeUnit::Seconds => count.checked_mul(1_000),
            TimeUnit::Millis => Some(count),
            TimeUnit::Micros => Some(count.div_euclid(1_000)),
        }
    }
}
