//! Time in the log: Unix milliseconds. Nothing here reads a clock; the moment of recording is an argument.

/// Unix time in milliseconds.
pub type Millis = i64;

/// The source's time, if it counts. A time of 0 counts as missing, and so does a time more than `max_ahead_ms` after
/// the moment of recording ([guide](crate::guide::semantics#time)).
#[must_use]
pub fn counted(
    source_ts: Option<Millis>,
    recorded_at: Millis,
    max_ahead_ms: i64,
) -> Option<Millis> {
    source_ts.filter(|&ts| ts != 0 && ts <= recorded_at.saturating_add(max_ahead_ms))
}
