//! Times and durations as users type them. They are read here and resolved elsewhere, against a `now` and in a zone
//! that the caller gives: no clock is read here.

use crate::domain::time::Millis;
use crate::limits::{TIME_MS_MAX, TIME_MS_MIN};
use chrono::{DateTime, NaiveDate, NaiveTime};
use std::fmt::{Display, Formatter};
use std::str::FromStr;

/// The forms of a time, for help and errors.
pub const TIME_FORMS: &str =
    "2026-05-14T20:30:00Z, @1778790600000 (Unix ms) or -90m (ago; ms, s, m, h, d, w)";
/// The forms of a time in a zone.
pub const LOCAL_FORMS: &str = "2026-05-14, \"2026-05-14 21:00\", 21:00, today, \"yesterday 21:00\"";

/// A moment as typed: fixed, relative to now, or in a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Unix milliseconds.
    At(Millis),
    /// Milliseconds before now.
    Ago(Millis),
    /// A local time; which moment that is, a [`Zone`](super::calendar::Zone) knows.
    Local(LocalTime),
}

/// A time without a zone as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalTime {
    /// The day; `today` where only a time of day was typed.
    pub day: LocalDay,
    /// The time of day; without one, the day's begin.
    pub clock: Option<NaiveTime>,
}

/// A local day as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum LocalDay {
    Date(NaiveDate),
    Today,
    Yesterday,
}

impl Display for When {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            When::At(time) => write!(f, "@{time}"),
            When::Ago(ms) => write!(f, "-{ms}ms"),
            When::Local(local) => local.fmt(f),
        }
    }
}

impl Display for LocalTime {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self.day {
            LocalDay::Date(date) => write!(f, "{date}")?,
            LocalDay::Today => f.write_str("today")?,
            LocalDay::Yesterday => f.write_str("yesterday")?,
        }
        match self.clock {
            Some(clock) => write!(f, " {clock}"),
            None => Ok(()),
        }
    }
}

impl LocalTime {
    /// Reads a time without a zone: a day, a time of day, or both.
    fn read(text: &str) -> Option<LocalTime> {
        let (day, clock) = match text.split_once([' ', 'T']) {
            Some((day, clock)) => (local_day(day)?, Some(local_clock(clock)?)),
            None => match local_day(text) {
                Some(day) => (day, None),
                None => (LocalDay::Today, Some(local_clock(text)?)),
            },
        };
        Some(LocalTime { day, clock })
    }
}

fn local_day(text: &str) -> Option<LocalDay> {
    match text {
        "today" => Some(LocalDay::Today),
        "yesterday" => Some(LocalDay::Yesterday),
        // Other lengths would be years that cannot be written.
        _ if text.len() != "2026-05-14".len() => None,
        date => {
            let date = NaiveDate::parse_from_str(date, "%Y-%m-%d").ok()?;
            Some(LocalDay::Date(date))
        }
    }
}

fn local_clock(text: &str) -> Option<NaiveTime> {
    let forms = ["%H:%M", "%H:%M:%S%.f"];
    let read = |form: &&str| NaiveTime::parse_from_str(text, form).ok();
    forms.iter().find_map(read)
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
        match (DateTime::parse_from_rfc3339(text), LocalTime::read(text)) {
            (Ok(time), _) => in_range(time.timestamp_millis()).map(When::At),
            (Err(_), Some(local)) => Ok(When::Local(local)),
            (Err(_), None) => Err(no_time(text)),
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
fn no_time(text: &str) -> String {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return format!("for Unix milliseconds write @{text}");
    }
    if duration(text).is_ok() {
        return format!("for so long ago write -{text}");
    }
    format!("write {TIME_FORMS}; or, in a zone, {LOCAL_FORMS}")
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
