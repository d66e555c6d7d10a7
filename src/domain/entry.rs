//! What the log holds: entries with everything that was decided about them. Nothing is decided again on reading.
//!
//! An entry refers to names by their numbers in a [`Names`](super::names::Names)
//! dictionary; `log` stores the names with them.

use super::event::{ChangeKind, Connection, LinkState, Service, TokenState};
use super::names::{MemberId, NameId};
use super::order::{Pos, Stamp};
use super::time::Millis;
use std::sync::Arc;

/// A text that is stored as reported: canonical metadata, an id, a reason.
pub type Text = Arc<str>;

/// One record of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its position in the store's one total order, from 1, without holes.
    pub seq: u64,
    /// When it was recorded; it never decreases.
    pub recorded_at: Millis,
    /// The source's time where it counts, else `recorded_at`. An inferred entry has the snapshot's time.
    pub occurred_at: Millis,
    /// When it takes effect in its channel.
    pub effective_at: Millis,
    /// The observer that watched.
    pub observer: NameId,
    /// The id of the occurrence, for safe retries. Each observed entry of the line has it.
    pub id: Option<Text>,
    /// The source's own order and time, as reported. An inferred entry has the stamp with
    /// which later news of the member is compared.
    pub stamp: Stamp,
    /// The source may drop or reorder single events: nothing about its channels is certain.
    pub lossy: bool,
    /// What it records.
    pub payload: Payload,
}

impl Entry {
    /// The stamp as far as it counts: a source time that is 0 or too far ahead counts as missing.
    #[must_use]
    pub fn counted(&self) -> Stamp {
        let ts = match &self.payload {
            // The source gave no time: the snapshot stands for a list that would have had this time.
            Payload::Snapshot(snapshot) if snapshot.origin == SnapshotOrigin::Differences => {
                Some(self.occurred_at)
            }
            _ if self.is_inferred() => self.stamp.ts,
            _ => self.stamp.ts.filter(|&ts| ts == self.occurred_at),
        };
        Stamp {
            pos: self.stamp.pos,
            ts,
        }
    }

    /// Whether reconciliation made it.
    #[must_use]
    pub fn is_inferred(&self) -> bool {
        matches!(
            &self.payload,
            Payload::Change(Change {
                origin: Origin::Inferred(_),
                ..
            })
        )
    }

    /// The window in which a change happened; `None` where it is known to have happened at `occurred_at`.
    #[must_use]
    pub fn window(&self) -> Option<Window> {
        let Payload::Change(change) = &self.payload else {
            return None;
        };
        let not_before = match (change.origin, change.late) {
            (Origin::Inferred(by), _) => by.not_before,
            (Origin::Observed, late) => Some(late?.not_before),
        };
        let not_after = self.occurred_at;
        Some(Window {
            not_before,
            not_after,
        })
    }
}

/// When a change may have happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// At this moment or later; `None`: at any moment before `not_after`.
    pub not_before: Option<Millis>,
    /// Not later than this.
    pub not_after: Millis,
}

/// What an entry records.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Payload {
    /// A member joined, changed or left.
    Change(Change),
    /// A snapshot was seen.
    Snapshot(Box<Snapshot>),
    /// A link came up or went down.
    Link(Box<LinkChange>),
    /// The state of an access token changed.
    Token(Box<TokenChange>),
}

/// A change of one member.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The member.
    pub member: MemberId,
    /// The kind as decided: an update of an unknown member is a join, a join with other metadata an update.
    pub kind: ChangeKind,
    /// The kind that the line reported.
    pub reported: ChangeKind,
    /// What was decided about it.
    pub disposition: Disposition,
    /// Metadata after it. A leave has the last known metadata; an entry that changed nothing has the reported one.
    pub meta: Option<Text>,
    /// The reason, where the source reports one.
    pub reason: Option<Text>,
    /// Observed or inferred.
    pub origin: Origin,
    /// Its delay and window, if its source may have noticed it late. Only for an observed change that took effect.
    #[doc(hidden)]
    pub late: Option<Late>,
}

/// How late the source may have noticed an observed change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Late {
    /// The largest delay after it happened, ms; as the source reported it.
    pub late_ms: Millis,
    /// It happened at or after this: `late_ms` earlier, or the member's previous change, whichever is later.
    pub not_before: Millis,
}

impl Change {
    /// Whether it changed the roster.
    #[must_use]
    pub fn is_applied(&self) -> bool {
        self.disposition == Disposition::Applied
    }
}

/// What was decided about an observed event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Disposition {
    /// It took effect.
    Applied,
    /// It repeats what is known.
    Duplicate,
    /// It is older than what is known.
    Stale,
    /// A leave of a member that is not present.
    Unknown,
    /// One of the differences that a source sends in a resync: the snapshot that they add up to decides.
    Collected,
}

/// Where an entry comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// A source reported it.
    Observed,
    /// It follows from a snapshot.
    Inferred(Inference),
}

/// How an inferred entry came about. The change happened at or after `not_before`, and not later than `occurred_at`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inference {
    /// The snapshot that it follows from.
    pub snapshot_seq: u64,
    /// The last proof that the change had not happened yet; `None` where there is none.
    pub not_before: Option<Millis>,
    /// It had been so for an unknown time when the channel was first seen.
    pub baseline: bool,
}

/// A snapshot. Its list is stored as the difference from the roster after it, where that is shorter.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// The channel.
    pub channel: NameId,
    /// The observer's own user, where the line named it.
    pub self_user: Option<NameId>,
    /// Where its list comes from.
    #[doc(hidden)]
    pub origin: SnapshotOrigin,
    /// Older than the channel's last complete snapshot: nothing follows from it.
    pub stale: bool,
    /// It showed the whole channel.
    pub complete: bool,
    /// How many distinct members it listed, or only counted.
    pub listed: u32,
    /// What it listed.
    #[doc(hidden)]
    pub claims: Listing,
    /// Members about which it did not decide, because something known holds against it.
    #[doc(hidden)]
    pub held: Vec<MemberId>,
    /// The begin of its pages, for a paged snapshot.
    #[doc(hidden)]
    pub begin: Option<SnapshotBegin>,
    /// The gap that it closes, or during which it came.
    #[doc(hidden)]
    pub gap: Option<SnapshotGap>,
    /// How many members the roster had after it.
    pub count: u32,
    /// The digest of the roster after it (log/digest); zero until the log has computed it.
    #[doc(hidden)]
    pub digest: [u8; 32],
}

/// Where a snapshot's list comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum SnapshotOrigin {
    /// The source sent it.
    #[default]
    Listed,
    /// It is the observer's own list, after the source sent all differences that arose while its link was lost. If that
    /// list is not known, it is incomplete, and lists those whose joins were just sent.
    Differences,
    /// The source only counted the members, and the count differs from the roster's size: it lists no member.
    Occupancy,
}

/// What a snapshot listed.
#[derive(Debug, Clone, PartialEq)]
pub enum Listing {
    /// The roster after it, except for these members. A complete snapshot is stored this way where it is shorter.
    Residue(Vec<ListingDelta>),
    /// Everything, as listed.
    Whole(FullListing),
}

/// A member that differs between a snapshot and the roster after it.
#[derive(Debug, Clone, PartialEq)]
pub struct ListingDelta {
    /// The member.
    pub member: MemberId,
    /// What the snapshot claimed about it; `None`: not listed.
    pub claim: Option<ListedMember>,
}

/// What a snapshot claimed about one member.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ListedMember {
    /// Its metadata; `None` where the snapshot had none.
    pub meta: Option<Text>,
    /// Its own stamp, not the line's.
    pub stamp: Stamp,
}

/// A snapshot's whole list.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FullListing {
    /// The source called it incomplete.
    pub incomplete: bool,
    /// There are topics that it does not list.
    pub topics_missing: bool,
    /// The listed topics, each once, in byte order; and whether publishers of the topic are missing.
    pub topics: Vec<(NameId, bool)>,
    /// The listed members, each once, sorted.
    pub members: Vec<(MemberId, ListedMember)>,
}

/// The begin of a paged snapshot: the moment that it shows for members on none of its pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotBegin {
    /// Its stamp, as far as it counts.
    pub stamp: Stamp,
    /// Its time.
    pub occurred_at: Millis,
}

/// How a snapshot relates to a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotGap {
    /// The gap's number in the channel, from 1.
    pub gap: u32,
    /// Where it opened, if no earlier entry has opened it.
    pub opened: Option<Millis>,
    /// When it closed; `None`: it stays open (an incomplete snapshot during the gap).
    pub closed: Option<Millis>,
}

/// A link line, or the part of it that concerns one channel.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkChange {
    /// The channel; `None`: all channels of the observer.
    pub channel: Option<NameId>,
    /// What happened to the link.
    pub state: LinkState,
    /// Which channels it concerned, where it names none.
    #[doc(hidden)]
    pub service: Service,
    /// Channels that it did not change (only where `channel` is `None`).
    pub except: Vec<NameId>,
    /// The reason, where the source reports one.
    pub reason: Option<Text>,
    /// The gaps that it opened; or those that it ended, because a feed resumed and missed nothing.
    #[doc(hidden)]
    pub gaps: Vec<GapChange>,
    /// It is about the observer's ingest connection, not about the source's link.
    #[doc(hidden)]
    pub connection: Option<Connection>,
}

/// A gap opens or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GapChange {
    /// The channel.
    pub channel: NameId,
    /// Its number there, from 1.
    pub gap: u32,
    /// Where it opened: the last proof before it.
    pub at: Millis,
    /// True: it opens. False: it ends at the entry's own time, because nothing was missed.
    pub opens: bool,
}

/// A token line.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenChange {
    /// The channel; `None`: all channels of the observer.
    pub channel: Option<NameId>,
    /// What happened to the token.
    pub state: TokenState,
    /// The reason, where the source reports one.
    pub reason: Option<Text>,
}

/// What one line commits: entries that belong together, a step of a paged snapshot, or nothing.
#[derive(Debug, Clone, PartialEq)]
pub enum Commit {
    /// Entries, appended together. Never empty.
    Entries(Vec<Entry>),
    /// A paged snapshot continues: durable, but no entry before its end.
    Page(Page),
    /// A connection ended cleanly: durable, but no entry.
    Closed(ConnectionEnd),
    /// Nothing to record.
    Nothing,
}

/// A step of a paged snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The observer.
    pub observer: NameId,
    /// The channel.
    pub channel: NameId,
    /// The name of the paged snapshot.
    pub sync: Text,
    /// When the line was recorded.
    pub recorded_at: Millis,
    /// Its begin, or one of its pages.
    pub step: PageStep,
}

/// The kind of step.
#[derive(Debug, Clone, PartialEq)]
pub enum PageStep {
    /// It begins.
    Begin {
        /// Its stamp and time.
        begin: SnapshotBegin,
        /// The observer's own user, where the line named it.
        self_user: Option<NameId>,
        /// The pages will not show the whole channel.
        incomplete: bool,
        /// The id of the line, so that a retry does not begin again.
        id: Option<Text>,
    },
    /// Topics and members of one page. A stamp is the member's own, else the page's, else the begin's.
    Members(FullListing),
}

/// An ingest connection that ended cleanly: a later open of the store does not find it up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionEnd {
    /// The observer.
    pub observer: NameId,
    /// When the end was recorded.
    pub recorded_at: Millis,
}

/// How events are judged. The rules are part of the log, because the decisions depend on them.
///
/// ```
/// use rollbook::domain::Rules;
/// let rules = Rules::default().lossy(true).skew_tolerance_ms(500);
/// assert_eq!(rules.max_ahead_ms, 60_000);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rules {
    /// Forgiven lateness, ms (`--skew-tolerance`).
    pub skew_tolerance_ms: i64,
    /// How far a source's time may be ahead of the recording, ms (`--max-ahead`).
    pub max_ahead_ms: i64,
    /// By how much windows begin earlier, ms (`--slack`).
    pub slack_ms: i64,
    /// The source may drop or reorder single events (`--lossy-feed`).
    pub lossy: bool,
    /// How long a source may take to send what was missed as differences, ms (`--resync`); 0: it sends none.
    pub resync_ms: i64,
}

impl Rules {
    /// The default of `resync_ms`.
    pub const RESYNC_MS: i64 = 10_000;

    /// Forgiven lateness, ms. Default: 0.
    #[must_use]
    pub const fn skew_tolerance_ms(mut self, ms: Millis) -> Self {
        self.skew_tolerance_ms = ms;
        self
    }

    /// How far a source's time may be ahead of the recording, ms. Default: 60,000.
    #[must_use]
    pub const fn max_ahead_ms(mut self, ms: Millis) -> Self {
        self.max_ahead_ms = ms;
        self
    }

    /// By how much windows begin earlier, ms. Default: 0.
    #[must_use]
    pub const fn slack_ms(mut self, ms: Millis) -> Self {
        self.slack_ms = ms;
        self
    }

    /// Whether the source may drop or reorder single events. Default: no.
    #[must_use]
    pub const fn lossy(mut self, lossy: bool) -> Self {
        self.lossy = lossy;
        self
    }

    /// How long a source may take to send what was missed as differences, ms; 0: it sends none. Default: 10,000.
    #[must_use]
    pub const fn resync_ms(mut self, ms: Millis) -> Self {
        self.resync_ms = ms;
        self
    }
}

impl Default for Rules {
    fn default() -> Self {
        Rules {
            skew_tolerance_ms: 0,
            max_ahead_ms: 60_000,
            slack_ms: 0,
            lossy: false,
            resync_ms: Rules::RESYNC_MS,
        }
    }
}

/// How an event was recorded, where its line reports that: it is replayed from another log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recording {
    /// The time of recording.
    pub recorded_at: Option<Millis>,
    /// The rules that applied.
    pub rules: Option<Rules>,
    /// It was not a line of a feed, but an event of the observer's ingest connection.
    pub connection: Option<Connection>,
}

/// A position as the log's output shows it.
#[must_use]
pub fn shown_pos(entry: &Entry) -> Option<Pos> {
    if entry.is_inferred() {
        None
    } else {
        entry.stamp.pos
    }
}
