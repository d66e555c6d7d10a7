//! The answers of `missed` and `gaps`. No thought lives here.

use super::{EntryType, Meta, Time};
use serde::{Deserialize, Serialize};

/// What told of a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Evidence {
    /// A link event, or a connection that was lost.
    Link,
    /// A second snapshot, without a word from the link.
    Snapshot,
}

/// What closed a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ClosedBy {
    /// The next complete snapshot.
    Snapshot,
    /// The differences that a source sent in place of a snapshot.
    Differences,
    /// A feed that went on where it had stopped: nothing was missed.
    Resumed,
}

/// `missed`: who came and went in one gap.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
pub struct Missed {
    /// The gap's number in its channel, from 1.
    pub gap: u32,
    /// The channel.
    pub channel: String,
    /// The last proof before it.
    pub from: Time,
    /// When a snapshot closed it; `None` while it is open.
    pub to: Option<Time>,
    /// What told of it: `link` or `snapshot`.
    pub evidence: Evidence,
    /// What closed it: `snapshot`, `differences` or `resumed`; `None` while it is open.
    pub closed_by: Option<ClosedBy>,
    /// Who joined while nobody watched.
    pub joined: Vec<MissedMember>,
    /// Who left.
    pub left: Vec<MissedMember>,
    /// Whose metadata changed.
    pub updated: Vec<MissedMember>,
    /// While it is open: differences that the source has sent so far, which decide nothing yet (only in detail).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub collected: Vec<CollectedChange>,
    /// Topics that had publishers before and none after it (only in detail).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vanished: Vec<String>,
}

/// A difference that a source has sent.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
pub struct CollectedChange {
    /// `join`, `leave` or `update`.
    #[serde(rename = "type")]
    pub kind: EntryType,
    /// The member.
    #[serde(flatten)]
    pub member: MissedMember,
}

/// A member who came, went or changed while nobody watched.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
pub struct MissedMember {
    /// The topic.
    pub topic: String,
    /// The user.
    pub user: String,
    /// The connection.
    pub connection: String,
    /// Metadata after it; the last known of one who left.
    pub meta: Meta,
    /// When it happened at the earliest (only in detail, as is the latest; the window of all of `history`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Time>,
    /// When it happened at the latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<Time>,
}

/// `gaps`: one gap of a channel.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
pub struct Gap {
    /// Its number in the channel, from 1.
    pub gap: u32,
    /// The channel.
    pub channel: String,
    /// The last proof before it.
    pub from: Time,
    /// When it was over; `None` while it is open.
    pub to: Option<Time>,
    /// What told of it: `link` or `snapshot`.
    pub evidence: Evidence,
    /// What closed it: `snapshot`, `differences` or `resumed`; `None` while it is open.
    pub closed_by: Option<ClosedBy>,
    /// The feed went on where it had stopped: nothing was missed.
    pub resumed: bool,
    /// How many joined in it.
    pub joined: u64,
    /// How many left in it.
    pub left: u64,
    /// How many changed in it.
    pub updated: u64,
}
