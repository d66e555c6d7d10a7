//! Times and durations as users type them. They are resolved against a `now` that the caller gives: no clock is read
//! here.

use crate::domain::time::Millis;
use crate::limits::{TIME_MS_MAX, TIME_MS_MIN};
use chrono::{DateTime, NaiveDate, NaiveDateTime};
use std::fmt::{Display, Formatter};
use std::str::FromStr;

/// The forms of a time, for help and errors.
pub const TIME_FORMS: &str =
    "2026-05-14T20:30:00Z, @1778790600000 (Unix ms) or -90m (ago; ms, s, m, h, d, w)";

/// A moment as typed: fixed, or relative to now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Unix milliseconds.
    At(Millis),
    /// Milliseconds before now.
    Ago(Millis),
}

impl When {
    /// The moment relative to `now`. Moments outside the range that can be written become the nearest one inside it.
    #[must_use]
    pub fn resolve(self, now: Millis) -> Millis {
        match self {
            When::At(time) => time,
            When::Ago(ms) => now.saturating_sub(ms).clamp(TIME_MS_MIN, TIME_MS_MAX),
        }
    }
}

impl Display for When {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            When::At(time) => write!(f, "@{time}"),
            When::Ago(ms) => write!(f, "-{ms}ms"),
        }
    }
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<When, String> {
        if let Some(ms) = text.strip_prefix('@') {
            return unix(ms).map(When::At);
        }
        if let Some(ago) = text.strip_prefix('-') {
            return match duration(ago) {
                // The unit of a bare number would be a guess.
                Ok((ms, true)) => Ok(When::Ago(ms)),
                _ => Err(format!(
                    "a time ago needs a number and a unit, as in -90m; write {TIME_FORMS}"
                )),
            };
        }
        match DateTime::parse_from_rfc3339(text) {
            Ok(time) => in_range(time.timestamp_millis()).map(When::At),
            Err(_) => Err(not_rfc3339(text)),
        }
    }
}

fn unix(ms: &str) -> Result<Millis, String> {
    let time = ms.parse().map_err(|_| {
        "after @ comes a whole number of Unix milliseconds, as in @1778790600000".to_owned()
    })?;
    in_range(time)
}

fn in_range(time: Millis) -> Result<Millis, String> {
    if (TIME_MS_MIN..=TIME_MS_MAX).contains(&time) {
        Ok(time)
    } else {
        Err("times go from the year 1 to the year 9999".to_owned())
    }
}

/// Names what is missing, for the most frequent mistakes.
fn not_rfc3339(text: &str) -> String {
    if NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok() {
        return format!("a date needs a time of day and a zone: {text}T00:00:00Z");
    }
    let zoneless = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"]
        .iter()
        .any(|form| NaiveDateTime::parse_from_str(text, form).is_ok());
    if zoneless {
        return format!(
            "the zone is missing: {}Z for UTC, or an offset such as +02:00",
            text.replace(' ', "T")
        );
    }
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return format!("for Unix milliseconds write @{text}");
    }
    if duration(text).is_ok() {
        return format!("for so long ago write -{text}");
    }
    format!("write {TIME_FORMS}")
}

/// A length of time as typed, in milliseconds: `1500`, `1500ms`, `60s`, `1m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span(pub Millis);

impl Display for Span {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}ms", self.0)
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Span, String> {
        match duration(text) {
            Ok((ms, _)) => Ok(Span(ms)),
            Err(()) => Err("write milliseconds, or a number and a unit (ms, s, m, h, d, w), as in 1500, 60s or 1m".to_owned()),
        }
    }
}

/// Milliseconds, and whether the text had a unit.
fn duration(text: &str) -> Result<(Millis, bool), ()> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits).ok_or(())?;
    let factor = match unit {
        "" | "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "w" => 7 * 86_400_000,
        _ => return Err(()),
    };
    let number: Millis = number.parse().map_err(|_| ())?;
    let ms = number.checked_mul(factor).ok_or(())?;
    Ok((ms, !unit.is_empty()))
}
