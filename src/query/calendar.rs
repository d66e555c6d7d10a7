//! Zones: which local day a moment belongs to, when local days begin, and which moment a local time means. Here alone
//! the zone database is used; command line and HTTP interface read zones with the same functions.
//!
//! Clocks are put forward and back. A local time that a change skips is read as if the clock had not been changed: 02:30
//! becomes 03:30. One that comes twice is the first of the two. A day begins at its first moment.

use super::time::{LocalDay, LocalTime, When};
use crate::domain::time::Millis;
use crate::limits::{TIME_MS_MAX, TIME_MS_MIN};
#[cfg(not(feature = "zones"))]
use chrono::Utc as ZoneRules;
use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeZone};
#[cfg(feature = "zones")]
use chrono_tz::Tz as ZoneRules;
use std::fmt::{Display, Formatter};
use std::str::FromStr;

/// A zone of the IANA database, such as `Europe/Berlin`; by default `UTC`. Without the feature `zones` there is only `UTC`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone(ZoneRules);

/// There is no such zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no zone \"{0}\": write a name of the IANA database, as in Europe/Berlin, America/New_York or UTC"
)]
pub struct NoSuchZone(String);

impl Default for Zone {
    fn default() -> Zone {
        #[cfg(feature = "zones")]
        return Zone(ZoneRules::UTC);
        #[cfg(not(feature = "zones"))]
        return Zone(ZoneRules);
    }
}

#[cfg(feature = "zones")]
fn rules(name: &str) -> Option<ZoneRules> {
    name.parse().ok()
}

#[cfg(not(feature = "zones"))]
fn rules(name: &str) -> Option<ZoneRules> {
    (name == "UTC").then_some(ZoneRules)
}

impl FromStr for Zone {
    type Err = NoSuchZone;

    fn from_str(name: &str) -> Result<Zone, NoSuchZone> {
        let rules = rules(name).map(Zone);
        rules.ok_or_else(|| NoSuchZone(name.to_owned()))
    }
}

impl Display for Zone {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// A local time was given, and no zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} needs a zone, such as Europe/Berlin{utc}", utc = in_utc(*.0))]
pub struct NeedsZone(LocalTime);

/// A time as it is written without an option, if UTC is meant.
fn in_utc(typed: LocalTime) -> String {
    let clock = typed.clock.unwrap_or(NaiveTime::MIN);
    match typed.day {
        LocalDay::Date(date) => format!("; in UTC it is {date}T{clock}Z"),
        LocalDay::Today | LocalDay::Yesterday => String::new(),
    }
}

impl When {
    /// The moment, if it is `now`. Moments outside the range that can be written become the nearest one inside it.
    ///
    /// # Errors
    /// If a local time has no zone.
    pub fn resolve(self, now: Millis, zone: Option<Zone>) -> Result<Millis, NeedsZone> {
        match (self, zone) {
            (When::At(time), _) => Ok(time),
            (When::Ago(ms), _) => Ok(now.saturating_sub(ms).clamp(TIME_MS_MIN, TIME_MS_MAX)),
            (When::Local(local), Some(zone)) => Ok(zone.resolve(local, now)),
            (When::Local(local), None) => Err(NeedsZone(local)),
        }
    }
}

impl Zone {
    /// The clock on the wall at a moment; `None` outside of the years that can be written.
    #[must_use]
    pub fn wall(self, moment: Millis) -> Option<NaiveDateTime> {
        let utc = DateTime::from_timestamp_millis(moment)?;
        Some(utc.with_timezone(&self.0).naive_local())
    }

    /// The moment at which the clock on the wall shows this.
    #[must_use]
    pub fn moment(self, wall: NaiveDateTime) -> Millis {
        let at = match self.0.from_local_datetime(&wall).earliest() {
            Some(at) => at.timestamp_millis(),
            // A day before the clock was put forward, its offset was still the old one.
            None => {
                let before = wall.checked_sub_days(Days::new(1)).unwrap_or(wall);
                let offset = self.0.offset_from_utc_datetime(&before).fix();
                let ahead = Millis::from(offset.local_minus_utc()) * 1_000;
                wall.and_utc().timestamp_millis().saturating_sub(ahead)
            }
        };
        at.clamp(TIME_MS_MIN, TIME_MS_MAX)
    }

    /// The moment that a time as typed means, if it is `now`.
    fn resolve(self, typed: LocalTime, now: Millis) -> Millis {
        let today = self.wall(now).unwrap_or_default().date();
        let day = match typed.day {
            LocalDay::Date(date) => date,
            LocalDay::Today => today,
            LocalDay::Yesterday => today.pred_opt().unwrap_or(today),
        };
        self.moment(day.and_time(typed.clock.unwrap_or(NaiveTime::MIN)))
    }

    /// The first moment of a day, by its number from Monday, 5 January 1970.
    fn day_begin(self, day: i64) -> Millis {
        let epoch = NaiveDate::default().and_time(NaiveTime::MIN);
        let since = chrono::TimeDelta::try_days(day.saturating_add(MONDAY));
        match since.and_then(|since| epoch.checked_add_signed(since)) {
            Some(wall) => self.moment(wall),
            None if day < 0 => TIME_MS_MIN,
            None => TIME_MS_MAX,
        }
    }

    /// The number of the local day of a moment.
    fn day_of(self, moment: Millis) -> i64 {
        let wall = self.wall(moment.clamp(TIME_MS_MIN, TIME_MS_MAX));
        let ms = wall.unwrap_or_default().and_utc().timestamp_millis();
        let mut day = ms.div_euclid(DAY_MS) - MONDAY;
        // Where a clock is put back over midnight, the last hour of a day comes once more, within the next one.
        while self.day_begin(day + 1) <= moment && day < DAYS_MAX {
            day += 1;
        }
        day
    }

    /// The begin of the stretch around a moment, where each has so many days. Stretches of seven days begin on Mondays.
    #[must_use]
    pub fn days_begin(self, moment: Millis, days: i64) -> Millis {
        let days = days.max(1);
        self.day_begin(self.day_of(moment).div_euclid(days) * days)
    }

    /// The begin of the stretch behind that one.
    #[must_use]
    pub fn days_end(self, moment: Millis, days: i64) -> Millis {
        let days = days.max(1);
        let mut next = self.day_of(moment).div_euclid(days) * days + days;
        // A day that a zone skipped has no moments.
        while self.day_begin(next) <= moment && next < DAYS_MAX {
            next += days;
        }
        self.day_begin(next)
    }
}

/// Milliseconds of a day without a change of the clock.
pub const DAY_MS: Millis = 86_400_000;
/// The number of days from 1 January 1970 to the Monday from which days are counted.
const MONDAY: i64 = 4;
/// Beyond every day that can be written.
const DAYS_MAX: i64 = TIME_MS_MAX / DAY_MS;
