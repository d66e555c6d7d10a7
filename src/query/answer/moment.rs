//! How a moment is written in all answers.

use crate::domain::time::Millis;
use chrono::{DateTime, Datelike, SecondsFormat, Timelike, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A moment, written as RFC 3339 in UTC with milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Millis);

impl std::fmt::Display for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(digits) = digits(self.0) {
            return f.write_str(std::str::from_utf8(&digits).unwrap_or_default());
        }
        match DateTime::<Utc>::from_timestamp_millis(self.0) {
            Some(time) => f.write_str(&time.to_rfc3339_opts(SecondsFormat::Millis, true)),
            None => write!(f, "@{}", self.0),
        }
    }
}

/// A time as it is written, if its year has four digits. Lists have several times a line, and to write them would take as long
/// as to read the log.
fn digits(ms: Millis) -> Option<[u8; 24]> {
    let time = DateTime::<Utc>::from_timestamp_millis(ms)?.naive_utc();
    let year = u32::try_from(time.year()).ok().filter(|&it| it < 10_000)?;
    let millis = time.and_utc().timestamp_subsec_millis();
    let mut text = *b"0000-00-00T00:00:00.000Z";
    for (end, mut number) in [
        (4, year),
        (7, time.month()),
        (10, time.day()),
        (13, time.hour()),
        (16, time.minute()),
        (19, time.second()),
        (23, millis),
    ] {
        for digit in text.get_mut(..end)?.iter_mut().rev() {
            if number == 0 {
                break;
            }
            *digit += (number % 10) as u8;
            number /= 10;
        }
    }
    Some(text)
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            // For columns of times.
            return serializer.serialize_i64(self.0);
        }
        match digits(self.0)
            .as_ref()
            .map(|digits| std::str::from_utf8(digits))
        {
            Some(Ok(text)) => serializer.serialize_str(text),
            _ => serializer.collect_str(self),
        }
    }
}

#[cfg(feature = "server")]
impl schemars::JsonSchema for Time {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "date-time" })
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let time = match text.strip_prefix('@') {
            Some(ms) => ms.parse().ok(),
            None => DateTime::parse_from_rfc3339(&text)
                .ok()
                .map(|time| time.timestamp_millis()),
        };
        let not_a_time = || serde::de::Error::custom(format!("\"{text}\" is no time"));
        time.map(Time).ok_or_else(not_a_time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_as_rfc_3339() {
        let day = 86_400_000;
        let around = (-720_000..2_950_000)
            .step_by(97)
            .map(|n| n * day + n * 7_919);
        let ends = [
            -62_167_219_200_001,
            -62_167_219_200_000,
            -1,
            0,
            253_402_300_799_999,
            253_402_300_800_000,
        ];
        for ms in around.chain(ends) {
            let time = DateTime::<Utc>::from_timestamp_millis(ms);
            let time = time.map(|time| time.to_rfc3339_opts(SecondsFormat::Millis, true));
            assert_eq!(Some(Time(ms).to_string()), time);
        }
        assert_eq!(Time(i64::MAX).to_string(), format!("@{}", i64::MAX));
    }
}
