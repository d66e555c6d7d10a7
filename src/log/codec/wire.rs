//! The records as encoded in a frame: the domain's records, with numbers in the frame's own tables.
//!
//! A change of a derived type here changes bytes: it needs a new [`PAYLOAD_VERSION`](super::PAYLOAD_VERSION), and the
//! old type must be kept beside it.

use super::bytes::Seq;
use crate::domain::entry::{
    Disposition, Late, Origin, Rules, SnapshotBegin, SnapshotGap, SnapshotOrigin,
};
use crate::domain::event::{ChangeKind, Connection, LinkState, Service, TokenState};
use crate::domain::order::{Pos, Stamp};
use crate::domain::time::Millis;
use bincode::{Decode, Encode};

/// An index into the frame's table of names.
pub(in crate::log) type NameAt = u32;
/// An index into the frame's table of members.
pub(in crate::log) type MemberAt = u32;
/// An index into the frame's table of texts.
pub(in crate::log) type TextAt = u32;

/// The header of a frame. Its times are the smallest `recorded_at`, and wrapping differences from it.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub(in crate::log) struct WHeader {
    pub(in crate::log) zstd: bool,
    pub(in crate::log) plain_len: u64,
    pub(in crate::log) entries: u64,
    pub(in crate::log) commits: u64,
    pub(in crate::log) pages: u64,
    pub(in crate::log) rejects: u64,
    pub(in crate::log) progress: u64,
    pub(in crate::log) first_seq: u64,
    pub(in crate::log) recorded_min: Millis,
    pub(in crate::log) recorded_span: Millis,
    pub(in crate::log) effective_min: Millis,
    pub(in crate::log) effective_span: Millis,
    pub(in crate::log) reaches_back: Millis,
    pub(in crate::log) unscoped: bool,
    pub(in crate::log) channels: Option<Seq<[u8; 8]>>,
    pub(in crate::log) link_before: [u8; 32],
    pub(in crate::log) link_after: [u8; 32],
    pub(in crate::log) connected: bool,
}

/// An entry, encoded by `row`. Its `seq` is the header's first one plus its index.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::log) struct WEntry {
    pub(in crate::log) recorded_at: Millis,
    pub(in crate::log) occurred_at: Millis,
    pub(in crate::log) effective_at: Millis,
    pub(in crate::log) observer: NameAt,
    pub(in crate::log) id: Option<TextAt>,
    pub(in crate::log) stamp: Stamp,
    pub(in crate::log) lossy: bool,
    pub(in crate::log) what: WWhat,
}

#[derive(Debug, Clone, PartialEq)]
pub(in crate::log) enum WWhat {
    Change(WChange),
    Other(Box<WOther>),
}

/// A change. It is by far the most frequent payload, so `row` packs it by hand.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::log) struct WChange {
    pub(in crate::log) member: MemberAt,
    pub(in crate::log) kind: ChangeKind,
    pub(in crate::log) said: ChangeKind,
    pub(in crate::log) disposition: Disposition,
    pub(in crate::log) meta: Option<TextAt>,
    pub(in crate::log) reason: Option<TextAt>,
    pub(in crate::log) origin: Origin,
    pub(in crate::log) late: Option<Late>,
}

/// Every payload except changes. It follows the entry's common fields.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub(in crate::log) enum WOther {
    Snapshot(WSnapshot),
    Link(WLink),
    Token(WToken),
    /// A link that the plain form cannot express completely.
    LinkOf(WLink, WLinkState, WService),
    /// A snapshot that no source listed.
    SnapshotOf(WSnapshot, WSnapshotOrigin),
}

#[derive(Debug, Clone, Copy, PartialEq, Encode, Decode)]
pub(in crate::log) enum WLinkState {
    Up,
    UpWithDifferences,
    Synced,
    Down,
}

#[derive(Debug, Clone, Copy, PartialEq, Encode, Decode)]
pub(in crate::log) enum WService {
    All,
    Topics,
    Presence,
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Encode, Decode)]
pub(in crate::log) enum WSnapshotOrigin {
    Differences,
    Occupancy,
}

#[derive(Debug, Clone, Copy, PartialEq, Encode, Decode)]
pub(in crate::log) struct WStamp {
    pub(in crate::log) pos: Option<Pos>,
    pub(in crate::log) ts: Option<Millis>,
}

#[derive(Debug, Clone, Copy, PartialEq, Encode, Decode)]
pub(in crate::log) struct WBegin {
    pub(in crate::log) stamp: WStamp,
    pub(in crate::log) occurred_at: Millis,
}

#[derive(Debug, Clone, Copy, PartialEq, Encode, Decode)]
pub(in crate::log) struct WGapSeen {
    pub(in crate::log) gap: u32,
    pub(in crate::log) opened: Option<Millis>,
    pub(in crate::log) closed: Option<Millis>,
}

#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub(in crate::log) struct WSnapshot {
    pub(in crate::log) channel: NameAt,
    pub(in crate::log) self_user: Option<NameAt>,
    pub(in crate::log) stale: bool,
    pub(in crate::log) complete: bool,
    pub(in crate::log) listed: u32,
    pub(in crate::log) claims: WClaims,
    pub(in crate::log) held: Seq<MemberAt>,
    pub(in crate::log) begin: Option<WBegin>,
    pub(in crate::log) gap: Option<WGapSeen>,
    pub(in crate::log) count: u32,
    pub(in crate::log) digest: [u8; 32],
}

#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub(in crate::log) enum WClaims {
    Residue(Seq<(MemberAt, Option<WClaim>)>),
    Whole(WWhole),
}

#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub(in crate::log) struct WClaim {
    pub(in crate::log) meta: Option<TextAt>,
    pub(in crate::log) stamp: WStamp,
}

#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub(in crate::log) struct WWhole {
    pub(in crate::log) incomplete: bool,
    pub(in crate::log) topics_missing: bool,
    pub(in crate::log) topics: Seq<(NameAt, bool)>,
    pub(in crate::log) members: Seq<(MemberAt, WClaim)>,
}

#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub(in crate::log) struct WLink {
    pub(in crate::log) channel: Option<NameAt>,
    pub(in crate::log) up: bool,
    pub(in crate::log) elsewhere: bool,
    pub(in crate::log) except: Seq<NameAt>,
    pub(in crate::log) reason: Option<TextAt>,
    pub(in crate::log) gaps: Seq<WGapChange>,
    pub(in crate::log) connection: Option<WConnection>,
}

#[derive(Debug, Clone, Copy, PartialEq, Encode, Decode)]
pub(in crate::log) enum WConnection {
    Up,
    Resumed,
    Lost,
    Restart,
    Closed,
}

#[derive(Debug, Clone, Copy, PartialEq, Encode, Decode)]
pub(in crate::log) struct WGapChange {
    pub(in crate::log) channel: NameAt,
    pub(in crate::log) gap: u32,
    pub(in crate::log) at: Millis,
    pub(in crate::log) opens: bool,
}

#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub(in crate::log) struct WToken {
    pub(in crate::log) channel: Option<NameAt>,
    pub(in crate::log) state: WTokenState,
    pub(in crate::log) reason: Option<TextAt>,
}

#[derive(Debug, Clone, Copy, PartialEq, Encode, Decode)]
pub(in crate::log) enum WTokenState {
    WillExpire,
    Expired,
    Renewed,
    Revoked,
}

#[derive(Debug, Clone, Copy, PartialEq, Encode, Decode)]
pub(in crate::log) struct WRules {
    pub(in crate::log) skew_tolerance_ms: i64,
    pub(in crate::log) max_ahead_ms: i64,
    pub(in crate::log) slack_ms: i64,
    pub(in crate::log) lossy: bool,
}

/// Rules that the plain form cannot express completely.
#[derive(Debug, Clone, Copy, PartialEq, Encode, Decode)]
pub(in crate::log) struct WRulesOf {
    pub(in crate::log) rules: WRules,
    pub(in crate::log) resync_ms: i64,
}

#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub(in crate::log) struct WPage {
    pub(in crate::log) observer: NameAt,
    pub(in crate::log) channel: NameAt,
    pub(in crate::log) sync: TextAt,
    pub(in crate::log) recorded_at: Millis,
    pub(in crate::log) step: WPageStep,
}

#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub(in crate::log) enum WPageStep {
    Begin {
        begin: WBegin,
        self_user: Option<NameAt>,
        incomplete: bool,
        id: Option<TextAt>,
    },
    Members(WWhole),
}

#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub(in crate::log) struct WClosed {
    pub(in crate::log) observer: NameAt,
    pub(in crate::log) recorded_at: Millis,
}

#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub(in crate::log) struct WReject {
    pub(in crate::log) recorded_at: Millis,
    pub(in crate::log) source: TextAt,
    pub(in crate::log) line: u64,
    pub(in crate::log) byte: u64,
    pub(in crate::log) reason: TextAt,
    pub(in crate::log) text: Option<Seq<u8>>,
    pub(in crate::log) length: u64,
    pub(in crate::log) blake3: [u8; 32],
}

/// How far a source was read. An enum, so that other kinds of sources can be distinguished from files later.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub(in crate::log) enum WProgress {
    File {
        source: [u8; 32],
        hashed_len: u64,
        byte: u64,
        line: u64,
        path: TextAt,
    },
}

impl From<Stamp> for WStamp {
    fn from(Stamp { pos, ts }: Stamp) -> Self {
        WStamp { pos, ts }
    }
}

impl From<WStamp> for Stamp {
    fn from(WStamp { pos, ts }: WStamp) -> Self {
        Stamp { pos, ts }
    }
}

impl From<SnapshotBegin> for WBegin {
    fn from(begin: SnapshotBegin) -> Self {
        WBegin {
            stamp: begin.stamp.into(),
            occurred_at: begin.occurred_at,
        }
    }
}

impl From<WBegin> for SnapshotBegin {
    fn from(begin: WBegin) -> Self {
        SnapshotBegin {
            stamp: begin.stamp.into(),
            occurred_at: begin.occurred_at,
        }
    }
}

impl From<SnapshotGap> for WGapSeen {
    fn from(
        SnapshotGap {
            gap,
            opened,
            closed,
        }: SnapshotGap,
    ) -> Self {
        WGapSeen {
            gap,
            opened,
            closed,
        }
    }
}

impl From<WGapSeen> for SnapshotGap {
    fn from(
        WGapSeen {
            gap,
            opened,
            closed,
        }: WGapSeen,
    ) -> Self {
        SnapshotGap {
            gap,
            opened,
            closed,
        }
    }
}

impl From<TokenState> for WTokenState {
    fn from(state: TokenState) -> Self {
        match state {
            TokenState::WillExpire => WTokenState::WillExpire,
            TokenState::Expired => WTokenState::Expired,
            TokenState::Renewed => WTokenState::Renewed,
            TokenState::Revoked => WTokenState::Revoked,
        }
    }
}

impl From<WTokenState> for TokenState {
    fn from(state: WTokenState) -> Self {
        match state {
            WTokenState::WillExpire => TokenState::WillExpire,
            WTokenState::Expired => TokenState::Expired,
            WTokenState::Renewed => TokenState::Renewed,
            WTokenState::Revoked => TokenState::Revoked,
        }
    }
}

impl From<Connection> for WConnection {
    fn from(what: Connection) -> Self {
        match what {
            Connection::Up => WConnection::Up,
            Connection::Resumed => WConnection::Resumed,
            Connection::Lost => WConnection::Lost,
            Connection::Restart => WConnection::Restart,
            Connection::Closed => WConnection::Closed,
        }
    }
}

impl From<WConnection> for Connection {
    fn from(what: WConnection) -> Self {
        match what {
            WConnection::Up => Connection::Up,
            WConnection::Resumed => Connection::Resumed,
            WConnection::Lost => Connection::Lost,
            WConnection::Restart => Connection::Restart,
            WConnection::Closed => Connection::Closed,
        }
    }
}

impl From<Rules> for WRulesOf {
    fn from(rules: Rules) -> Self {
        WRulesOf {
            rules: WRules {
                skew_tolerance_ms: rules.skew_tolerance_ms,
                max_ahead_ms: rules.max_ahead_ms,
                slack_ms: rules.slack_ms,
                lossy: rules.lossy,
            },
            resync_ms: rules.resync_ms,
        }
    }
}

impl WRulesOf {
    /// Whether the plain form expresses the rules completely.
    pub(in crate::log) fn is_plain(&self) -> bool {
        self.resync_ms == Rules::RESYNC_MS
    }
}

impl From<WRulesOf> for Rules {
    fn from(WRulesOf { rules, resync_ms }: WRulesOf) -> Self {
        Rules {
            resync_ms,
            ..rules.into()
        }
    }
}

impl From<Service> for WService {
    fn from(service: Service) -> Self {
        match service {
            Service::All | Service::TopicsAndPresence => WService::All,
            Service::Topics => WService::Topics,
            Service::Presence => WService::Presence,
            Service::Other => WService::Other,
        }
    }
}

impl From<WService> for Service {
    fn from(service: WService) -> Self {
        match service {
            WService::All => Service::All,
            WService::Topics => Service::Topics,
            WService::Presence => Service::Presence,
            WService::Other => Service::Other,
        }
    }
}

impl From<LinkState> for WLinkState {
    fn from(state: LinkState) -> Self {
        match state {
            LinkState::Up => WLinkState::Up,
            LinkState::UpWithDifferences => WLinkState::UpWithDifferences,
            LinkState::Synced => WLinkState::Synced,
            LinkState::Down => WLinkState::Down,
        }
    }
}

impl From<WLinkState> for LinkState {
    fn from(state: WLinkState) -> Self {
        match state {
            WLinkState::Up => LinkState::Up,
            WLinkState::UpWithDifferences => LinkState::UpWithDifferences,
            WLinkState::Synced => LinkState::Synced,
            WLinkState::Down => LinkState::Down,
        }
    }
}

impl From<WSnapshotOrigin> for SnapshotOrigin {
    fn from(origin: WSnapshotOrigin) -> Self {
        match origin {
            WSnapshotOrigin::Differences => SnapshotOrigin::Differences,
            WSnapshotOrigin::Occupancy => SnapshotOrigin::Occupancy,
        }
    }
}

impl From<WRules> for Rules {
    fn from(rules: WRules) -> Self {
        Rules {
            skew_tolerance_ms: rules.skew_tolerance_ms,
            max_ahead_ms: rules.max_ahead_ms,
            slack_ms: rules.slack_ms,
            lossy: rules.lossy,
            resync_ms: Rules::RESYNC_MS,
        }
    }
}
