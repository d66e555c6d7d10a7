//! The answers about people: figures of users, and attendance. No logic here.

use super::Time;
use serde::{Deserialize, Serialize};

/// The presence of a user in an interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct PresenceFigures {
    /// When the user first came; the begin of the interval if the user was there already. `None` if the user was at most
    /// possibly there.
    pub first_in: Option<Time>,
    /// If that was inferred: the user came at or after this.
    pub first_in_not_before: Option<Time>,
    /// When the user last left; the end of the interval if the user stayed. `None` while the user is still there, too.
    pub last_out: Option<Time>,
    /// If that was inferred: the user left at or after this.
    pub last_out_not_before: Option<Time>,
    /// How many stays, over topics and connections: those that overlap or touch are one.
    pub stays: u64,
    /// The user was there at least this long, ms.
    pub min_ms: i64,
    /// The user was there at most this long, ms; `None` if no limit is known.
    pub max_ms: Option<i64>,
}

impl PresenceFigures {
    /// Of somebody who was not there.
    pub const NONE: PresenceFigures = PresenceFigures {
        first_in: None,
        first_in_not_before: None,
        last_out: None,
        last_out_not_before: None,
        stays: 0,
        min_ms: 0,
        max_ms: Some(0),
    };
}

/// `stats` by user: the presence of one user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct UserStats {
    /// The channel.
    pub channel: String,
    /// The topic; `None` for the channel as a whole.
    pub topic: Option<String>,
    /// The user.
    pub user: String,
    /// The begin of the interval; `None` if none was asked for.
    pub starts_at: Option<Time>,
    /// The end of the interval; `None` if none was asked for.
    pub ends_at: Option<Time>,
    /// The presence in it.
    #[serde(flatten)]
    pub presence: PresenceFigures,
    /// What was before this was pruned, and does not count; only where the time asked for begins before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retained_from: Option<Time>,
}

/// `attendance`: one person at one appointment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Attendance {
    /// The channel.
    pub channel: String,
    /// The user.
    pub user: String,
    /// When the appointment begins.
    pub starts_at: Time,
    /// When it ends.
    pub ends_at: Time,
    /// Whether the schedule names the user; `None` if it names nobody.
    pub expected: Option<bool>,
    /// The presence in it.
    #[serde(flatten)]
    pub presence: PresenceFigures,
    /// The part of the appointment for which the user was there at least, from 0 to 1.
    pub min_share: f64,
    /// The same at most.
    pub max_share: f64,
    /// Whether the user came later than the begin; `None` if nobody can say, or nothing was scheduled.
    pub late: Option<bool>,
    /// Whether the user left before the end; `None` likewise.
    pub left_early: Option<bool>,
    /// How many gaps there were in it, in which nobody watched.
    pub gaps: u64,
    /// How long nobody watched, ms: nothing is known of absences in that time.
    pub unwatched_ms: i64,
}
