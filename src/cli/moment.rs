//! Times and durations for people, in tables. Machine formats use RFC 3339 (`answer::Time`).

use crate::domain::time::Millis;
use crate::query::answer::Time;
use chrono::{DateTime, NaiveDate, SubsecRound, Utc};

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

fn utc(time: Time) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(time.0)
}

/// The day, UTC.
#[must_use]
pub fn day(time: Time) -> Option<NaiveDate> {
    utc(time).map(|time| time.date_naive())
}

/// The time of day, with its date unless that is `known`, that is, printed above.
#[must_use]
pub fn clock(time: Time, known: Option<NaiveDate>, fine: Fine) -> String {
    let Some(moment) = utc(time) else {
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
        Some(known) if known == moment.date_naive() => clock.to_string(),
        _ => format!("{} {clock}", moment.date_naive()),
    }
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
