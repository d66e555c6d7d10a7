//! The answers: the JSON of every query, field by field ([guide](crate::guide::semantics#answers)). No logic here.

use crate::domain::time::Millis;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

mod gap;
mod moment;
mod people;

pub use gap::{ClosedBy, CollectedChange, Evidence, Gap, Missed, MissedMember};
pub use moment::Time;
pub use people::{Attendance, PresenceFigures, UserStats};

/// The sentence about a question that cannot be answered any more: what was before a moment, up to an entry, was pruned.
#[must_use]
pub fn past_retention(seq: u64, retained_from: Millis) -> String {
    let time = Time(retained_from);
    format!(
        "past retention: entries before {time} (up to seq {seq}) were pruned; ask about a later moment"
    )
}

/// Metadata, as JSON; `None` is `null`.
pub type Meta = Option<Box<RawValue>>;

/// `who`: the members of a channel at a moment.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Who {
    /// The channel.
    pub channel: String,
    /// The moment asked for; `None` for the head of the log or a seq.
    pub at: Option<Time>,
    /// The last entry that the answer takes into account; for a moment, the last change or snapshot in effect then.
    pub seq: u64,
    /// What is known of the channel at that moment.
    pub coverage: CoverageAnswer,
    /// The last moment up to which an observer is known to have watched; `None` if there is no proof.
    pub last_proof: Option<Time>,
    /// Topics with members, in bytewise order.
    pub topics: Vec<TopicAnswer>,
}

/// What is known of a channel at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum CoverageAnswer {
    /// A snapshot was seen, and the link has been up since then.
    Complete,
    /// No snapshot has been seen yet.
    Partial,
    /// No observer watched.
    Blind,
}

/// A topic and its publishers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct TopicAnswer {
    /// The topic.
    pub topic: String,
    /// Its publishers, in bytewise order of user and connection.
    pub publishers: Vec<Publisher>,
}

/// One publisher.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Publisher {
    /// The user.
    pub user: String,
    /// The connection; empty if the source allows only one per user.
    pub connection: String,
    /// Metadata, if any is known.
    pub meta: Meta,
    /// The effective time of the join; `None` if the member joins later.
    pub since: Option<Time>,
    /// How certain it is that the member was there.
    pub certainty: Certainty,
}

/// How certain it is that a member was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Certainty {
    /// The member joined or left at an unknown moment around this one.
    Possible,
    /// No observer watched, and nothing contradicts it.
    Assumed,
    /// An observer watched.
    Certain,
}

/// `history`: one entry of the log.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct HistoryEntry {
    /// Its number in the log.
    pub seq: u64,
    /// The channel; `None`: all channels of the observer.
    pub channel: Option<String>,
    /// `join`, `leave`, `update`, `snapshot`, `link` or `token`.
    #[serde(rename = "type")]
    pub kind: EntryType,
    /// The topic, for an entry about a member.
    pub topic: Option<String>,
    /// The user, for an entry about a member.
    pub user: Option<String>,
    /// The connection, for an entry about a member.
    pub connection: Option<String>,
    /// Metadata after the entry; if it changed nothing, the metadata that the line reported.
    pub meta: Meta,
    /// The source's time, or the time of recording.
    pub occurred_at: Time,
    /// When it was recorded.
    pub recorded_at: Time,
    /// When it took effect.
    pub effective_at: Time,
    /// The observer.
    pub observer: String,
    /// For a link or token entry: `up`, `down`, `will_expire`, …
    pub state: Option<EntryState>,
    /// `observed` or `inferred`.
    pub origin: OriginAnswer,
    /// `applied`, `duplicate`, `stale`, `unknown` or `collected`.
    pub disposition: DispositionAnswer,
    /// The snapshot from which the entry was inferred.
    pub snapshot_seq: Option<u64>,
    /// It happened at or after this.
    pub not_before: Option<Time>,
    /// It happened at or before this.
    pub not_after: Option<Time>,
    /// The member was there when the channel was first seen.
    pub baseline: bool,
    /// The reason, if the source gives one.
    pub reason: Option<String>,
    /// The line's id.
    pub id: Option<String>,
    /// The line's position.
    pub pos: Option<[i64; 2]>,
    /// The line's time as the source reported it.
    pub source_ts: Option<Time>,
    /// How many members a snapshot listed.
    pub members: Option<u32>,
    /// Whether a snapshot showed the whole channel.
    pub complete: Option<bool>,
}

/// The type of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
#[non_exhaustive]
pub enum EntryType {
    Join,
    Leave,
    Update,
    Snapshot,
    Link,
    Token,
}

impl EntryType {
    /// All of them.
    pub const ALL: &[EntryType] = &[
        EntryType::Join,
        EntryType::Leave,
        EntryType::Update,
        EntryType::Snapshot,
        EntryType::Link,
        EntryType::Token,
    ];
}

impl std::fmt::Display for EntryType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.serialize(f)
    }
}

/// The state that a link or token entry reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
#[non_exhaustive]
pub enum EntryState {
    Up,
    Synced,
    Down,
    WillExpire,
    Expired,
    Renewed,
    Revoked,
}

/// The origin of an entry, or of one end of a stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum OriginAnswer {
    /// A feed reported it.
    Observed,
    /// It was inferred from a snapshot.
    Inferred,
}

impl OriginAnswer {
    /// Both.
    pub const ALL: &[OriginAnswer] = &[OriginAnswer::Observed, OriginAnswer::Inferred];
}

impl std::fmt::Display for OriginAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.serialize(f)
    }
}

/// How an entry was handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum DispositionAnswer {
    /// It took effect.
    Applied,
    /// It reported what was already known.
    Duplicate,
    /// It is older than what is known.
    Stale,
    /// A leave of a member who is not present.
    Unknown,
    /// One of the differences that a source sent after its link came up: the snapshot that they add up to decides.
    Collected,
}

/// `sessions`: one stay of a member.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Session {
    /// The channel.
    pub channel: String,
    /// The topic; `None` where stays are united over topics.
    pub topic: Option<String>,
    /// The user.
    pub user: String,
    /// The connection; `None` where stays are united over connections.
    pub connection: Option<String>,
    /// When the join took effect.
    pub joined_at: Time,
    /// An inferred join happened at or after this.
    pub joined_not_before: Option<Time>,
    /// When the leave took effect; `None` while present.
    pub left_at: Option<Time>,
    /// An inferred leave happened at or after this.
    pub left_not_before: Option<Time>,
    /// `observed` or `inferred`.
    pub join_origin: OriginAnswer,
    /// `observed` or `inferred`; `None` while present, or where a clipped stay ends.
    pub leave_origin: Option<OriginAnswer>,
    /// It had already begun when the channel was first seen.
    pub baseline: bool,
    /// It lasted at least this long, ms.
    pub min_ms: i64,
    /// It lasted at most this long, ms; `None` if no limit is known.
    pub max_ms: Option<i64>,
}

/// `stats`: the figures of a channel or topic.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Stats {
    /// The channel.
    pub channel: String,
    /// The topic; `None` for the channel as a whole.
    pub topic: Option<String>,
    /// Users ever present.
    pub distinct_users: u64,
    /// Joins observed.
    pub joins: u64,
    /// Leaves observed.
    pub leaves: u64,
    /// Joins inferred.
    pub inferred_joins: u64,
    /// Leaves inferred.
    pub inferred_leaves: u64,
    /// The largest roster, and when it was first reached.
    pub peak: Option<Peak>,
    /// The total time that members were present, ms.
    pub presence_ms: i64,
    /// Members present at the head of the log.
    pub present_now: u64,
    /// The start of this interval of a series; only a series has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Time>,
    /// The end of this interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Time>,
    /// What was before this was pruned, and does not count; only where the time asked for begins before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retained_from: Option<Time>,
}

/// The largest roster.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Peak {
    /// How many members.
    pub count: u64,
    /// When it was first reached.
    pub at: Time,
}

/// `channels`: one channel of the store.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ChannelAnswer {
    /// The channel.
    pub channel: String,
    /// Topics that have members now.
    pub topics: u64,
    /// Members now.
    pub present_now: u64,
    /// Entries that `history` shows for it.
    pub entries: u64,
    /// The effective time of the first.
    pub first_at: Option<Time>,
    /// The effective time of the last.
    pub last_at: Option<Time>,
    /// What is known of the channel now.
    pub coverage: CoverageAnswer,
}

/// `rejects`: one rejected line.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct RejectAnswer {
    /// Its number among the rejects, from 1.
    pub n: u64,
    /// The file as it was named, `-` for standard input.
    pub source: String,
    /// The line, from 1.
    pub line: u64,
    /// The byte at which the line starts.
    pub byte: u64,
    /// What is wrong with it.
    pub reason: String,
    /// The kept part of the line; bytes that are not UTF-8 are shown as U+FFFD.
    pub text: Option<String>,
}

/// `forget --list`: that somebody was forgotten.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ForgottenAnswer {
    /// When.
    pub at: Time,
    /// What stands for their name.
    pub stand_in: String,
    /// The only channel in which they were forgotten; `None`: everywhere.
    pub channel: Option<String>,
    /// Their joins, leaves and updates.
    pub changes: u64,
    /// Their texts that were erased.
    pub texts: u64,
    /// Rejected lines that were blanked.
    pub rejects: u64,
}

/// `verify`: whether the log is intact.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Verified {
    /// Nothing is wrong.
    pub ok: bool,
    /// Entries read.
    pub entries: u64,
    /// Commits read.
    pub commits: u64,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// The last entry that was pruned: the log begins behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pruned_seq: Option<u64>,
    /// What took effect before this was pruned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retained_from: Option<Time>,
}

impl Verified {
    /// The answer for a log that cannot be read.
    #[must_use]
    pub fn unreadable(why: &str) -> Verified {
        let problem = Problem {
            seq: 0,
            kind: "store".to_owned(),
            detail: why.to_owned(),
        };
        Verified {
            ok: false,
            entries: 0,
            commits: 0,
            problems: vec![problem],
            pruned_seq: None,
            retained_from: None,
        }
    }
}

/// A problem in a log.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Problem {
    /// The entry at or after which the problem was found.
    pub seq: u64,
    /// The kind: `chain`, `frame`, `digest`, `decision`, …
    pub kind: String,
    /// The details, for the user.
    pub detail: String,
}
