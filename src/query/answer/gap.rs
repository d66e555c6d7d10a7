//! The answers of `missed` and `gaps`. No logic here.

use super::{EntryType, Meta, Time};
use serde::{Deserialize, Serialize};

/// What revealed a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Evidence {
    /// A link event, or a connection that was lost.
    Link,
    /// A second snapshot, without a link event.
    Snapshot,
}

/// What closed a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ClosedBy {
    /// The next complete snapshot.
    Snapshot,
    /// The differences that a source sent in place of a snapshot.
    Differences,
    /// A feed that continued where it had stopped: nothing was missed.
    Resumed,
}

/// `missed`: who joined and left in one gap.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Missed {
    /// The gap's number in its channel, from 1.
    pub gap: u32,
    /// The channel.
    pub channel: String,
    /// The last proof before the gap.
    pub from: Time,
    /// When a snapshot closed it; `None` while it is open.
    pub to: Option<Time>,
    /// What revealed the gap: `link` or `snapshot`.
    pub evidence: Evidence,
    /// What closed it: `snapshot`, `differences` or `resumed`; `None` while it is open.
    pub closed_by: Option<ClosedBy>,
    /// Who joined while no observer watched.
    pub joined: Vec<MissedMember>,
    /// Who left.
    pub left: Vec<MissedMember>,
    /// Whose metadata changed.
    pub updated: Vec<MissedMember>,
    /// While the gap is open: the differences that the source has sent so far; they decide nothing yet (only in
    /// detail).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub collected: Vec<CollectedChange>,
    /// Topics that had publishers before the gap and none after it (only in detail).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vanished: Vec<String>,
}

/// A difference that a source has sent.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct CollectedChange {
    /// `join`, `leave` or `update`.
    #[serde(rename = "type")]
    pub kind: EntryType,
    /// The member.
    #[serde(flatten)]
    pub member: MissedMember,
}

/// A member who joined, left or changed while no observer watched.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct MissedMember {
    /// The topic.
    pub topic: String,
    /// The user.
    pub user: String,
    /// The connection.
    pub connection: String,
    /// Metadata after the change; for a leave, the last known metadata.
    pub meta: Meta,
    /// The earliest time at which it happened (this and the latest time only in detail; `history` shows all windows).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Time>,
    /// The latest time at which it happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<Time>,
}

/// `gaps`: one gap of a channel.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Gap {
    /// Its number in the channel, from 1.
    pub gap: u32,
    /// The channel.
    pub channel: String,
    /// The last proof before the gap.
    pub from: Time,
    /// When the gap ended; `None` while it is open.
    pub to: Option<Time>,
    /// What revealed the gap: `link` or `snapshot`.
    pub evidence: Evidence,
    /// What closed it: `snapshot`, `differences` or `resumed`; `None` while it is open.
    pub closed_by: Option<ClosedBy>,
    /// The feed continued where it had stopped: nothing was missed.
    pub resumed: bool,
    /// How many members joined in it.
    pub joined: u64,
    /// How many members left in it.
    pub left: u64,
    /// How many members changed in it.
    pub updated: u64,
}
