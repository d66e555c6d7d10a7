//! The chain over the log's content: each commit's link is BLAKE3(link before ‖ canonical bytes of the commit).
//!
//! Canonical bytes depend only on the commit and the salts of its strings, not on frames, parts, tables, differences
//! or compression. So sealed blocks, other engines and migrations must produce the same links. Pages, rejects and
//! progress are not in the chain: the CRC protects them. `FORMAT.md` has the layout.
//!
//! **Invariant:** the layout of [`SCHEMA`] 1 never changes. A new field of an entry needs a new schema, and entries
//! without that field keep their bytes.

use super::codec::bytes::{put_varint, put_zigzag};
use super::codec::row::{disposition_number, kind_number};
use super::codec::table::Hashes;
use super::codec::wire::{
    WBegin, WChange, WClaim, WClaims, WConnection, WEntry, WLink, WLinkState, WOther, WRulesOf,
    WService, WSnapshot, WSnapshotOrigin, WStamp, WToken, WTokenState, WWhat, WWhole,
};
use super::salts::StringHash;
use crate::domain::entry::{Disposition, Inference, Origin, Rules};
use crate::domain::time::Millis;

/// A link of the chain.
pub type ChainLink = [u8; 32];

/// The link before the first commit.
pub const START: ChainLink = [0; 32];

/// The version of the canonical bytes, and their first byte.
pub const SCHEMA: u8 = 1;

/// Encodes one commit: its canonical bytes so far.
#[derive(Debug, Default)]
pub(super) struct CanonicalEncoder {
    out: Vec<u8>,
}

impl CanonicalEncoder {
    /// Begins a commit of `entries` entries, the first of which is number `seq`.
    pub(super) fn begin(&mut self, before: &ChainLink, rules: &WRulesOf, seq: u64, entries: usize) {
        let WRulesOf { rules, resync_ms } = *rules;
        let more = (resync_ms != Rules::RESYNC_MS).then_some(resync_ms);
        self.out.clear();
        self.out.extend_from_slice(before);
        self.out.push(SCHEMA);
        self.out
            .push(u8::from(rules.lossy) | u8::from(more.is_some()) << 1);
        put_zigzag(&mut self.out, rules.skew_tolerance_ms);
        put_zigzag(&mut self.out, rules.max_ahead_ms);
        put_zigzag(&mut self.out, rules.slack_ms);
        if let Some(resync_ms) = more {
            put_zigzag(&mut self.out, resync_ms);
        }
        put_varint(&mut self.out, seq);
        put_varint(&mut self.out, entries as u64);
    }

    /// The link after the commit.
    pub(super) fn link(&self) -> ChainLink {
        blake3::hash(&self.out).into()
    }

    /// Adds an entry. `hashes` are those of the tables in the entry's frame.
    pub(super) fn entry(&mut self, entry: &WEntry, hashes: &Hashes) {
        let mut put = Put {
            out: &mut self.out,
            hashes,
        };
        let tag = match &entry.what {
            WWhat::Change(change) => kind_number(change.kind),
            WWhat::Other(other) => match &**other {
                WOther::Snapshot(_) | WOther::SnapshotOf(..) => 3,
                WOther::Link(_) | WOther::LinkOf(..) => 4,
                WOther::Token(_) => 5,
            },
        };
        put.byte(
            tag | u8::from(entry.id.is_some()) << 3
                | u8::from(entry.stamp.pos.is_some()) << 4
                | u8::from(entry.stamp.ts.is_some()) << 5
                | u8::from(entry.lossy) << 6,
        );
        put.time(entry.recorded_at);
        // Differences within the entry are short, and the same in every frame.
        put.time(entry.occurred_at.wrapping_sub(entry.recorded_at));
        put.time(entry.effective_at.wrapping_sub(entry.occurred_at));
        put.name(entry.observer);
        if let Some(id) = entry.id {
            put.text(id);
        }
        if let Some([serial, index]) = entry.stamp.pos {
            put.time(serial);
            put.time(index);
        }
        if let Some(ts) = entry.stamp.ts {
            put.time(ts.wrapping_sub(entry.occurred_at));
        }
        match &entry.what {
            WWhat::Change(change) => put.change(change),
            WWhat::Other(other) => match &**other {
                WOther::Snapshot(snapshot) => put.snapshot(snapshot, None),
                WOther::SnapshotOf(snapshot, origin) => put.snapshot(snapshot, Some(*origin)),
                WOther::Link(link) => put.link(link, None),
                WOther::LinkOf(link, state, service) => put.link(link, Some((*state, *service))),
                WOther::Token(token) => put.token(token),
            },
        }
    }
}

/// The hash of a string that the tables lack. That cannot happen: writing fills the tables, reading checks them.
const NOTHING: StringHash = [0; 16];

struct Put<'a> {
    out: &'a mut Vec<u8>,
    hashes: &'a Hashes,
}

impl Put<'_> {
    fn byte(&mut self, byte: u8) {
        self.out.push(byte);
    }

    fn flag(&mut self, flag: bool) {
        self.byte(u8::from(flag));
    }

    fn count(&mut self, count: usize) {
        put_varint(self.out, count as u64);
    }

    fn number(&mut self, number: u32) {
        put_varint(self.out, u64::from(number));
    }

    fn time(&mut self, time: Millis) {
        put_zigzag(self.out, time);
    }

    fn time_if(&mut self, time: Option<Millis>) {
        self.flag(time.is_some());
        if let Some(time) = time {
            self.time(time);
        }
    }

    fn hash(&mut self, hash: Option<&StringHash>) {
        self.out.extend_from_slice(hash.unwrap_or(&NOTHING));
    }

    fn name(&mut self, at: u32) {
        self.hash(self.hashes.names.get(at as usize));
    }

    fn name_if(&mut self, at: Option<u32>) {
        self.flag(at.is_some());
        if let Some(at) = at {
            self.name(at);
        }
    }

    fn member(&mut self, at: u32) {
        self.hash(self.hashes.members.get(at as usize));
    }

    fn text(&mut self, at: u32) {
        self.hash(self.hashes.texts.get(at as usize));
    }

    fn text_if(&mut self, at: Option<u32>) {
        self.flag(at.is_some());
        if let Some(at) = at {
            self.text(at);
        }
    }

    fn change(&mut self, change: &WChange) {
        let inference = match change.origin {
            Origin::Observed => None,
            Origin::Inferred(inference) => Some(inference),
        };
        // What changes could not have at first is in an extra byte, so that all other changes keep their bytes.
        let collected = change.disposition == Disposition::Collected;
        let disposition = if collected {
            0
        } else {
            disposition_number(change.disposition)
        };
        let more = u8::from(collected) | u8::from(change.late.is_some()) << 1;
        self.byte(
            kind_number(change.said)
                | disposition << 2
                | u8::from(change.meta.is_some()) << 4
                | u8::from(change.reason.is_some()) << 5
                | u8::from(inference.is_some()) << 6
                | u8::from(more != 0) << 7,
        );
        if more != 0 {
            self.byte(more);
        }
        self.member(change.member);
        if let Some(meta) = change.meta {
            self.text(meta);
        }
        if let Some(reason) = change.reason {
            self.text(reason);
        }
        if let Some(Inference {
            snapshot_seq,
            not_before,
            baseline,
        }) = inference
        {
            put_varint(self.out, snapshot_seq);
            self.flag(baseline);
            self.time_if(not_before);
        }
        if let Some(late) = change.late {
            self.time(late.late_ms);
            self.time(late.not_before);
        }
    }

    fn stamp(&mut self, stamp: WStamp) {
        self.byte(u8::from(stamp.pos.is_some()) | u8::from(stamp.ts.is_some()) << 1);
        if let Some([serial, index]) = stamp.pos {
            self.time(serial);
            self.time(index);
        }
        if let Some(ts) = stamp.ts {
            self.time(ts);
        }
    }

    fn claim(&mut self, claim: &WClaim) {
        self.text_if(claim.meta);
        self.stamp(claim.stamp);
    }

    fn whole(&mut self, whole: &WWhole) {
        self.byte(u8::from(whole.incomplete) | u8::from(whole.topics_missing) << 1);
        self.count(whole.topics.0.len());
        for &(topic, missing) in &whole.topics.0 {
            self.name(topic);
            self.flag(missing);
        }
        self.count(whole.members.0.len());
        for (member, claim) in &whole.members.0 {
            self.member(*member);
            self.claim(claim);
        }
    }

    fn snapshot(&mut self, snapshot: &WSnapshot, origin: Option<WSnapshotOrigin>) {
        self.name(snapshot.channel);
        self.name_if(snapshot.self_user);
        let origin = origin.map_or(0, |origin| match origin {
            WSnapshotOrigin::Differences => 1,
            WSnapshotOrigin::Occupancy => 2,
        });
        self.byte(u8::from(snapshot.stale) | u8::from(snapshot.complete) << 1 | origin << 2);
        self.number(snapshot.listed);
        match &snapshot.claims {
            WClaims::Residue(residue) => {
                self.byte(0);
                self.count(residue.0.len());
                for (member, claim) in &residue.0 {
                    self.member(*member);
                    self.flag(claim.is_some());
                    if let Some(claim) = claim {
                        self.claim(claim);
                    }
                }
            }
            WClaims::Whole(whole) => {
                self.byte(1);
                self.whole(whole);
            }
        }
        self.count(snapshot.held.0.len());
        for &member in &snapshot.held.0 {
            self.member(member);
        }
        self.flag(snapshot.begin.is_some());
        if let Some(WBegin { stamp, occurred_at }) = snapshot.begin {
            self.stamp(stamp);
            self.time(occurred_at);
        }
        self.flag(snapshot.gap.is_some());
        if let Some(gap) = snapshot.gap {
            self.number(gap.gap);
            self.time_if(gap.opened);
            self.time_if(gap.closed);
        }
        self.number(snapshot.count);
        self.out.extend_from_slice(&snapshot.digest);
    }

    fn link(&mut self, link: &WLink, of: Option<(WLinkState, WService)>) {
        self.name_if(link.channel);
        let connection = link.connection.map_or(0, |what| match what {
            WConnection::Up => 1,
            WConnection::Resumed => 2,
            WConnection::Lost => 3,
            WConnection::Restart => 4,
            WConnection::Closed => 5,
        });
        self.byte(
            u8::from(link.up)
                | u8::from(link.elsewhere) << 1
                | connection << 2
                | u8::from(of.is_some()) << 5,
        );
        if let Some((state, service)) = of {
            self.byte(match state {
                WLinkState::Up => 0,
                WLinkState::UpWithDifferences => 1,
                WLinkState::Synced => 2,
                WLinkState::Down => 3,
            });
            self.byte(match service {
                WService::All => 0,
                WService::Topics => 1,
                WService::Presence => 2,
                WService::Other => 3,
            });
        }
        self.count(link.except.0.len());
        for &channel in &link.except.0 {
            self.name(channel);
        }
        self.text_if(link.reason);
        self.count(link.gaps.0.len());
        for gap in &link.gaps.0 {
            self.name(gap.channel);
            self.number(gap.gap);
            self.time(gap.at);
            self.flag(gap.opens);
        }
    }

    fn token(&mut self, token: &WToken) {
        self.name_if(token.channel);
        self.byte(match token.state {
            WTokenState::WillExpire => 0,
            WTokenState::Expired => 1,
            WTokenState::Renewed => 2,
            WTokenState::Revoked => 3,
        });
        self.text_if(token.reason);
    }
}
