//! What the log holds: entries with everything that was thought about them, never to be worked out again.
//!
//! An entry speaks in numbers of a [`Names`](super::names::Names) dictionary; `log` writes the names beside them.

use super::event::{ChangeKind, Connection, LinkState, Service, TokenState};
use super::names::{MemberId, NameId};
use super::order::{Pos, Stamp};
use super::time::Millis;
use std::sync::Arc;

/// A text that is stored as it came: canonical metadata, an id, a reason.
pub type Text = Arc<str>;

/// One record of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its place in the store's one total order, from 1, without holes.
    pub seq: u64,
    /// When it was recorded; never goes back.
    pub recorded_at: Millis,
    /// The source's time where that counts, else `recorded_at`; the snapshot's for what it made one infer.
    pub occurred_at: Millis,
    /// When it takes effect in its channel.
    pub effective_at: Millis,
    /// Who watched.
    pub observer: NameId,
    /// What named the occurrence, for safe retries; on each observed entry of the line.
    pub id: Option<Text>,
    /// The source's own order and time, as given. For an inferred entry: that by which later news of the
    /// member is compared.
    pub stamp: Stamp,
    /// The source may drop or reorder single events: nothing about its channels is certain.
    pub lossy: bool,
    /// What it says.
    pub payload: Payload,
}

impl Entry {
    /// The stamp as far as it counts: a source time that is 0 or too far ahead is as good as missing.
    #[must_use]
    pub fn counted(&self) -> Stamp {
        let ts = match &self.payload {
            // Its source gave it no time: it stands for a list that would have borne this one.
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

    /// Whether reconciliation wrote it.
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

    /// The window in which a change happened, where it is not known to have happened at `occurred_at`.
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

/// When a change can have happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// At this moment or later; `None`: at any moment before `not_after`.
    pub not_before: Option<Millis>,
    /// Not later than this.
    pub not_after: Millis,
}

/// What an entry says.
#[derive(Debug, Clone, PartialEq)]
pub enum Payload {
    /// A member joined, changed or left.
    Change(Change),
    /// A snapshot was seen.
    Snapshot(Box<Snapshot>),
    /// A link came up or went down.
    Link(Box<LinkChange>),
    /// A token's life.
    Token(Box<TokenChange>),
}

/// A change of one member.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Whose.
    pub member: MemberId,
    /// What the entry is: an update of an unknown member is a join, a join with other metadata an update.
    pub kind: ChangeKind,
    /// What the line said.
    pub reported: ChangeKind,
    /// What became of it.
    pub disposition: Disposition,
    /// Metadata after it; of a leave, the last known; of an entry that changed nothing, what the line said.
    pub meta: Option<Text>,
    /// Why, where the source says.
    pub reason: Option<Text>,
    /// Seen or inferred.
    pub origin: Origin,
    /// Its source may have noticed it late: then its window. Only of an observed change that took effect.
    pub late: Option<Late>,
}

/// How late an observed change may have been noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Late {
    /// At most so long after it happened, ms; as the source gave it.
    pub late_ms: Millis,
    /// It happened at or after this: so long before, or since the member's change before it.
    pub not_before: Millis,
}

impl Change {
    /// Whether it changed the roster.
    #[must_use]
    pub fn is_applied(&self) -> bool {
        self.disposition == Disposition::Applied
    }
}

/// What became of an observed event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// It took effect.
    Applied,
    /// It said what was known.
    Duplicate,
    /// It is older than what is known.
    Stale,
    /// A leave of somebody who is not there.
    Unknown,
    /// One of the differences by which a source tells what was missed: the snapshot that they add up to decides.
    Collected,
}

/// Where an entry comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A feed said it.
    Observed,
    /// A snapshot made one infer it.
    Inferred(Inference),
}

/// How an inferred entry came about. It happened at or after `not_before`, and not later than `occurred_at`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inference {
    /// The snapshot that made it.
    pub snapshot_seq: u64,
    /// The last proof to the contrary; `None` where there is none.
    pub not_before: Option<Millis>,
    /// It had been so for an unknown time when the channel was first seen.
    pub baseline: bool,
}

/// A snapshot, as what it adds to the roster that stood after it.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// The channel.
    pub channel: NameId,
    /// The observer's own user, where the line said it.
    pub self_user: Option<NameId>,
    /// Where its list comes from.
    pub origin: SnapshotOrigin,
    /// Older than the channel's last complete one: nothing follows from it.
    pub stale: bool,
    /// It showed the whole channel.
    pub complete: bool,
    /// How many distinct members it listed, or only counted.
    pub listed: u32,
    /// What it said.
    pub claims: Listing,
    /// Members for whom it did not decide: known from something that holds against it.
    pub held: Vec<MemberId>,
    /// Where its pages began, for a paged one.
    pub begin: Option<SnapshotBegin>,
    /// The gap that it closes, or that it happened in.
    pub gap: Option<SnapshotGap>,
    /// How many members the roster had after it.
    pub count: u32,
    /// The digest of the roster after it (log/digest); zero until the log has computed it.
    pub digest: [u8; 32],
}

/// Where a snapshot's list comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SnapshotOrigin {
    /// The source sent it.
    #[default]
    Listed,
    /// It is the observer's own list, once the source had sent all differences from it that came about while its link
    /// was lost.
    Differences,
    /// The source only counted the members, and there are not as many in the roster: it shows nobody.
    Occupancy,
}

/// What a snapshot listed.
#[derive(Debug, Clone, PartialEq)]
pub enum Listing {
    /// The roster after it, but for these. A complete snapshot is kept so where that is shorter.
    Residue(Vec<ListingDelta>),
    /// Everything, as listed.
    Whole(FullListing),
}

/// A member by which a snapshot and the roster after it differ.
#[derive(Debug, Clone, PartialEq)]
pub struct ListingDelta {
    /// Who.
    pub member: MemberId,
    /// What the snapshot claimed of it; `None`: not listed.
    pub claim: Option<ListedMember>,
}

/// What a snapshot claimed of one member.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ListedMember {
    /// Its metadata; `None` where it said nothing.
    pub meta: Option<Text>,
    /// Its own place in the order, not the line's.
    pub stamp: Stamp,
}

/// A snapshot's whole list.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FullListing {
    /// The source called it incomplete.
    pub incomplete: bool,
    /// There are topics that it does not list.
    pub topics_missing: bool,
    /// The topics listed, each once, bytewise; and whether publishers of it are missing.
    pub topics: Vec<(NameId, bool)>,
    /// The members listed, each once, sorted.
    pub members: Vec<(MemberId, ListedMember)>,
}

/// The beginning of a paged snapshot: for those in no page, it speaks of this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotBegin {
    /// Its place in the source's order, as far as it counts.
    pub stamp: Stamp,
    /// Its time.
    pub occurred_at: Millis,
}

/// What a snapshot has to do with a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotGap {
    /// The gap's number in the channel, from 1.
    pub gap: u32,
    /// Where it opened, if nothing told of it before this snapshot.
    pub opened: Option<Millis>,
    /// When it closed; `None`: it stays open (an incomplete snapshot inside it).
    pub closed: Option<Millis>,
}

/// A link line, or the part of it that concerns one channel.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkChange {
    /// The channel; `None`: all of the observer's.
    pub channel: Option<NameId>,
    /// What became of it.
    pub state: LinkState,
    /// Which channels it concerned, where it names none.
    pub service: Service,
    /// Channels that it left as they were (only where `channel` is `None`).
    pub except: Vec<NameId>,
    /// Why, where the source says.
    pub reason: Option<Text>,
    /// The gaps that it opened, or (a feed that goes on and missed nothing) that are over with it.
    pub gaps: Vec<GapChange>,
    /// It speaks of the observer's ingest connection, and not of the source's link.
    pub connection: Option<Connection>,
}

/// A gap opens or is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GapChange {
    /// In which channel.
    pub channel: NameId,
    /// Its number there, from 1.
    pub gap: u32,
    /// Where it opened: the last proof before it.
    pub at: Millis,
    /// It opens; or it is over at the entry's own time, because nothing was missed.
    pub opens: bool,
}

/// A token line.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenChange {
    /// The channel; `None`: all of the observer's.
    pub channel: Option<NameId>,
    /// What happened to it.
    pub state: TokenState,
    /// Why, where the source says.
    pub reason: Option<Text>,
}

/// What becomes of one line: entries that belong together, a step of a paged snapshot, or nothing.
#[derive(Debug, Clone, PartialEq)]
pub enum Commit {
    /// Entries, appended together. Never empty.
    Entries(Vec<Entry>),
    /// A paged snapshot goes on: durable, but no entry until its end.
    Page(Page),
    /// A connection ended in order: durable, but no entry.
    Closed(ConnectionEnd),
    /// Nothing to record.
    Nothing,
}

/// A step of a paged snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// Who watched.
    pub observer: NameId,
    /// The channel.
    pub channel: NameId,
    /// The name of the paged snapshot.
    pub sync: Text,
    /// When the line was recorded.
    pub recorded_at: Millis,
    /// Its begin, or a page of it.
    pub step: PageStep,
}

/// Which step.
#[derive(Debug, Clone, PartialEq)]
pub enum PageStep {
    /// It begins.
    Begin {
        /// What is known of the moment.
        begin: SnapshotBegin,
        /// The observer's own user, where the line said it.
        self_user: Option<NameId>,
        /// The pages will not show the whole channel.
        incomplete: bool,
        /// What named the line, so that a retry does not begin again.
        id: Option<Text>,
    },
    /// Topics and members of one page. Stamps are the member's own, or the page's, or the begin's.
    Members(FullListing),
}

/// An ingest connection that ended in order: a store that is opened later does not find it up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionEnd {
    /// Whose.
    pub observer: NameId,
    /// When that was recorded.
    pub recorded_at: Millis,
}

/// How feeds are to be taken; part of the log, since it decides what follows from an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Lateness that is forgiven, ms (`--skew-tolerance`).
    pub skew_tolerance_ms: i64,
    /// How far a source's time may be ahead of the recording, ms (`--max-ahead`).
    pub max_ahead_ms: i64,
    /// By how much windows begin earlier, ms (`--slack`).
    pub slack_ms: i64,
    /// The source may drop or reorder single events (`--lossy-feed`).
    pub lossy: bool,
    /// How long a source may take to send what was missed as differences, ms (`--resync`); 0: it never does.
    pub resync_ms: i64,
}

impl Rules {
    /// What `resync_ms` is by default.
    pub const RESYNC_MS: i64 = 10_000;
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

/// How an event was recorded, where its line says so: one that is told again from another log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recording {
    /// When.
    pub recorded_at: Option<Millis>,
    /// By which rules.
    pub rules: Option<Rules>,
    /// It was no line of a feed, but told of the observer's ingest connection.
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
