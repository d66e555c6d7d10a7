//! How a line was recorded, where it is replayed from another log: `recorded_at`, `rules`, and, in a
//! `link` line about an ingest connection, `connection`. These fields count only with `ingest
//! --keep-recorded`; lines of every shape may have them.

use super::field::Field;
use super::json::Scanner;
use super::line_error::LineError;
use super::object::{ReadObject, object};
use super::settings::TimeUnit;
use crate::domain::entry::{Recording, Rules};
use crate::domain::event::Connection;

object! {
    /// The fields of a line about its recording.
    Recorded {
        recorded_at: "recorded_at",
        rules: "rules",
        connection: "connection",
    }
}

object! {
    /// Rules; a missing one has its default.
    Said {
        skew_tolerance_ms: "skew_tolerance_ms",
        max_ahead_ms: "max_ahead_ms",
        slack_ms: "slack_ms",
        lossy: "lossy",
        resync_ms: "resync_ms",
    }
}

/// When, by which rules, and for which connection event a line was recorded. [`parse`](super::parse) reads the rest.
///
/// ```
/// let line = br#"{"t":"link","state":"up","recorded_at":1000,"rules":{"lossy":true}}"#;
/// let recording = rollbook::feed::recording(line)?;
/// assert_eq!(recording.recorded_at, Some(1000));
/// assert!(recording.rules.is_some_and(|rules| rules.lossy));
/// # Ok::<(), rollbook::feed::LineError>(())
/// ```
///
/// # Errors
/// A [`LineError`] when a field has the wrong type, or the input is not a line.
pub fn recording(line: &[u8]) -> Result<Recording, LineError> {
    let text = std::str::from_utf8(line).map_err(|error| LineError::NotUtf8 {
        byte: error.valid_up_to() + 1,
    })?;
    let mut scanner = Scanner::new(text.trim_start_matches('\u{feff}'), 0);
    scanner.space();
    let mut recorded = Recorded::default();
    recorded.read(&mut scanner)?;
    let mut rules = None;
    recorded.rules().object(|scanner| {
        let mut said = Said::default();
        said.read(scanner)?;
        let usual = Rules::default();
        rules = Some(Rules {
            skew_tolerance_ms: ms(said.skew_tolerance_ms())?.unwrap_or(usual.skew_tolerance_ms),
            max_ahead_ms: ms(said.max_ahead_ms())?.unwrap_or(usual.max_ahead_ms),
            slack_ms: ms(said.slack_ms())?.unwrap_or(usual.slack_ms),
            lossy: said.lossy().flag()?,
            resync_ms: ms(said.resync_ms())?.unwrap_or(usual.resync_ms),
        });
        Ok(())
    })?;
    let unknown = || recorded.connection().unknown();
    let connection = recorded.connection().string()?;
    let connection = connection
        .map(|word| Connection::of_word(&word).ok_or_else(unknown))
        .transpose()?;
    Ok(Recording {
        recorded_at: recorded.recorded_at().time(TimeUnit::Millis)?,
        rules,
        connection,
    })
}

fn ms(field: Field<'_>) -> Result<Option<i64>, LineError> {
    match field.whole("a whole number of milliseconds")? {
        Some(None) => Err(LineError::TimeOutOfRange {
            field: field.name(),
        }),
        whole => Ok(whole.flatten()),
    }
}
