//! Times and durations for people, in tables. Machine formats use RFC 3339 (`answer::Time`).

use crate::domain::time::Millis;
use crate::query::Zone;
use crate::query::answer::Time;
use chrono::{DateTime, NaiveDate, NaiveDateTime, SubsecRound};

/// The precision of a time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fine {
    /// To the minute: for overviews.
    Minutes,
    /// To the second: enough for people, except in short spans.
    Seconds,
    /// To the millisecond.
    Millis,
}

/// A clock on the wall of a zone; without one, UTC.
#[derive(Debug, Clone, Copy, Default)]
pub struct WallClock(pub Option<Zone>);

impl WallClock {
    fn wall(self, time: Time) -> Option<NaiveDateTime> {
        match self.0 {
            Some(zone) => zone.wall(time.0),
            None => DateTime::from_timestamp_millis(time.0).map(|utc| utc.naive_utc()),
        }
    }

    /// The day.
    #[must_use]
    pub fn day(self, time: Time) -> Option<NaiveDate> {
        self.wall(time).map(|wall| wall.date())
    }

    /// What the clock on the wall shows, as if that were UTC, in ms.
    #[must_use]
    pub fn wall_ms(self, time: Time) -> Option<Millis> {
        self.wall(time)
            .map(|wall| wall.and_utc().timestamp_millis())
    }

    /// The time of day, with its date unless that is `known`, that is, printed above.
    #[must_use]
    pub fn clock(self, time: Time, known: Option<NaiveDate>, fine: Fine) -> String {
        let Some(moment) = self.wall(time) else {
            return time.to_string();
        };
        let moment = match fine {
            Fine::Minutes | Fine::Seconds => moment.trunc_subsecs(0),
            Fine::Millis => moment,
        };
        let clock = match fine {
            Fine::Minutes => moment.format("%H:%M"),
            Fine::Seconds => moment.format("%H:%M:%S"),
            Fine::Millis => moment.format("%H:%M:%S%.3f"),
        };
        match known {
            Some(known) if known == moment.date() => clock.to_string(),
            _ => format!("{} {clock}", moment.date()),
        }
    }

    /// Of two headings, the one that names UTC or the one for a zone, which a line below the table names.
    #[must_use]
    pub fn heading(self, utc: &'static str, local: &'static str) -> &'static str {
        if self.0.is_some() { local } else { utc }
    }

    /// The name of the zone.
    #[must_use]
    pub fn zone_name(self) -> String {
        self.0
            .map_or_else(|| "UTC".to_owned(), |zone| zone.to_string())
    }

    /// The line below a table that names the zone.
    #[must_use]
    pub fn note(self) -> Option<String> {
        self.0.map(|zone| format!("times in {zone}"))
    }
}

/// The day, UTC.
#[must_use]
pub fn day(time: Time) -> Option<NaiveDate> {
    WallClock::default().day(time)
}

/// The time of day, UTC, with its date unless that is `known`, that is, printed above.
#[must_use]
pub fn clock(time: Time, known: Option<NaiveDate>, fine: Fine) -> String {
    WallClock::default().clock(time, known, fine)
}

/// A duration in its two largest units: `17 min 38 s`.
#[must_use]
pub fn span(ms: Millis) -> String {
    let ms = ms.max(0);
    let (seconds, minutes, hours, days) =
        (ms / 1_000, ms / 60_000, ms / 3_600_000, ms / 86_400_000);
    match () {
        () if ms < 1_000 => format!("{ms} ms"),
        () if ms < 10_000 => two(seconds, "s", ms % 1_000, "ms"),
        () if minutes == 0 => format!("{seconds} s"),
        () if hours == 0 => two(minutes, "min", seconds % 60, "s"),
        () if days == 0 => two(hours, "h", minutes % 60, "min"),
        () => two(days, "d", hours % 24, "h"),
    }
}

fn two(large: Millis, unit: &str, small: Millis, small_unit: &str) -> String {
    if small == 0 {
        format!("{large} {unit}")
    } else {
        format!("{large} {unit} {small} {small_unit}")
    }
}
