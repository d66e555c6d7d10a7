//! Converts domain types to wire types. A name or member enters the frame's tables at its first use, a text at each
//! use.
//!
//! The order in which a record's strings are converted here is the order in which salts are drawn. So it is the same
//! in whatever frame the record is.

use super::bytes::Seq;
use super::table::TableWriter;
use super::wire::*;
use crate::domain::entry::{
    Change, ConnectionEnd, Entry, FullListing, LinkChange, ListedMember, Listing, Page, PageStep,
    Payload, Snapshot, SnapshotOrigin, Text, TokenChange,
};
use crate::domain::event::{LinkState, Service};
use crate::domain::names::{MemberId, MemberKey, NameId, NameTable};
use crate::log::salts::Salts;
use crate::log::{Progress, Reject};

/// The place of each name or member in the current frame's tables. It is an array, so a look-up needs no hashing. A
/// slot of an earlier frame has another epoch, so nothing must be cleared between frames.
#[derive(Debug, Default)]
pub(in crate::log) struct TablePositions {
    epoch: u32,
    names: Vec<(u32, u32)>,
    members: Vec<(u32, u32)>,
}

impl TablePositions {
    pub(in crate::log) fn next_frame(&mut self) {
        self.epoch = self.epoch.wrapping_add(1);
        if self.epoch == 0 {
            *self = TablePositions {
                epoch: 1,
                ..TablePositions::default()
            };
        }
    }
}

fn found(slots: &[(u32, u32)], epoch: u32, number: u32) -> Option<u32> {
    slots
        .get(number as usize)
        .and_then(|&(of, at)| (of == epoch).then_some(at))
}

fn remember(slots: &mut Vec<(u32, u32)>, epoch: u32, number: u32, at: u32) {
    let index = number as usize;
    if slots.len() <= index {
        slots.resize(index + 1, (0, 0));
    }
    if let Some(slot) = slots.get_mut(index) {
        *slot = (epoch, at);
    }
}

/// What the conversion of a record needs.
pub(in crate::log) struct ToWire<'a> {
    pub(in crate::log) names: &'a NameTable,
    pub(in crate::log) salts: &'a mut Salts,
    pub(in crate::log) slots: &'a mut TablePositions,
    pub(in crate::log) tables: &'a mut TableWriter,
}

impl ToWire<'_> {
    fn name(&mut self, name: NameId) -> NameAt {
        if let Some(at) = found(&self.slots.names, self.slots.epoch, name.0) {
            return at;
        }
        let (salt, hash) = self.salts.name(name, self.names);
        let at = self.tables.name(self.names.text(name), &salt, hash);
        remember(&mut self.slots.names, self.slots.epoch, name.0, at);
        at
    }

    fn member(&mut self, member: MemberId) -> MemberAt {
        if let Some(at) = found(&self.slots.members, self.slots.epoch, member.0) {
            return at;
        }
        let MemberKey {
            channel,
            topic,
            user,
            conn,
        } = self.names.key(member);
        let key = [channel, topic, user, conn].map(|name| self.name(name));
        let hash = self.salts.member(member, self.names);
        let at = self.tables.member(key, hash);
        remember(&mut self.slots.members, self.slots.epoch, member.0, at);
        at
    }

    fn text(&mut self, text: &Text) -> TextAt {
        let salt = self.salts.draw();
        self.tables.text(text, &salt)
    }

    fn text_if(&mut self, text: Option<&Text>) -> Option<TextAt> {
        text.map(|text| self.text(text))
    }

    fn name_if(&mut self, name: Option<NameId>) -> Option<NameAt> {
        name.map(|name| self.name(name))
    }

    pub(in crate::log) fn entry(&mut self, entry: &Entry) -> WEntry {
        WEntry {
            recorded_at: entry.recorded_at,
            occurred_at: entry.occurred_at,
            effective_at: entry.effective_at,
            observer: self.name(entry.observer),
            id: self.text_if(entry.id.as_ref()),
            stamp: entry.stamp,
            lossy: entry.lossy,
            what: match &entry.payload {
                Payload::Change(change) => WWhat::Change(self.change(change)),
                Payload::Snapshot(snapshot) => {
                    let wire = self.snapshot(snapshot);
                    WWhat::Other(Box::new(match snapshot.origin {
                        SnapshotOrigin::Listed => WOther::Snapshot(wire),
                        SnapshotOrigin::Differences => {
                            WOther::SnapshotOf(wire, WSnapshotOrigin::Differences)
                        }
                        SnapshotOrigin::Occupancy => {
                            WOther::SnapshotOf(wire, WSnapshotOrigin::Occupancy)
                        }
                    }))
                }
                Payload::Link(link) => {
                    let wire = self.link(link);
                    let plain = matches!(link.state, LinkState::Up | LinkState::Down)
                        && matches!(link.service, Service::All | Service::Other);
                    WWhat::Other(Box::new(if plain {
                        WOther::Link(wire)
                    } else {
                        WOther::LinkOf(wire, link.state.into(), link.service.into())
                    }))
                }
                Payload::Token(token) => WWhat::Other(Box::new(WOther::Token(self.token(token)))),
            },
        }
    }

    fn change(&mut self, change: &Change) -> WChange {
        WChange {
            member: self.member(change.member),
            kind: change.kind,
            said: change.reported,
            disposition: change.disposition,
            meta: self.text_if(change.meta.as_ref()),
            reason: self.text_if(change.reason.as_ref()),
            origin: change.origin,
            late: change.late,
        }
    }

    fn snapshot(&mut self, snapshot: &Snapshot) -> WSnapshot {
        WSnapshot {
            channel: self.name(snapshot.channel),
            self_user: self.name_if(snapshot.self_user),
            stale: snapshot.stale,
            complete: snapshot.complete,
            listed: snapshot.listed,
            claims: match &snapshot.claims {
                Listing::Residue(residue) => WClaims::Residue(Seq(residue
                    .iter()
                    .map(|residue| {
                        let member = self.member(residue.member);
                        let claim = residue.claim.as_ref().map(|claim| self.claim(claim));
                        (member, claim)
                    })
                    .collect())),
                Listing::Whole(whole) => WClaims::Whole(self.whole(whole)),
            },
            held: Seq(snapshot.held.iter().map(|&who| self.member(who)).collect()),
            begin: snapshot.begin.map(Into::into),
            gap: snapshot.gap.map(Into::into),
            count: snapshot.count,
            digest: snapshot.digest,
        }
    }

    fn claim(&mut self, claim: &ListedMember) -> WClaim {
        WClaim {
            meta: self.text_if(claim.meta.as_ref()),
            stamp: claim.stamp.into(),
        }
    }

    fn whole(&mut self, whole: &FullListing) -> WWhole {
        WWhole {
            incomplete: whole.incomplete,
            topics_missing: whole.topics_missing,
            topics: Seq(whole
                .topics
                .iter()
                .map(|&(topic, missing)| (self.name(topic), missing))
                .collect()),
            members: Seq(whole
                .members
                .iter()
                .map(|(member, claim)| {
                    let member = self.member(*member);
                    (member, self.claim(claim))
                })
                .collect()),
        }
    }

    fn link(&mut self, link: &LinkChange) -> WLink {
        WLink {
            channel: self.name_if(link.channel),
            up: link.state.is_up(),
            elsewhere: link.service == Service::Other,
            except: Seq(link.except.iter().map(|&name| self.name(name)).collect()),
            reason: self.text_if(link.reason.as_ref()),
            gaps: Seq(link
                .gaps
                .iter()
                .map(|gap| WGapChange {
                    channel: self.name(gap.channel),
                    gap: gap.gap,
                    at: gap.at,
                    opens: gap.opens,
                })
                .collect()),
            connection: link.connection.map(Into::into),
        }
    }

    fn token(&mut self, token: &TokenChange) -> WToken {
        WToken {
            channel: self.name_if(token.channel),
            state: token.state.into(),
            reason: self.text_if(token.reason.as_ref()),
        }
    }

    pub(in crate::log) fn page(&mut self, page: &Page) -> WPage {
        WPage {
            observer: self.name(page.observer),
            channel: self.name(page.channel),
            sync: self.text(&page.sync),
            recorded_at: page.recorded_at,
            step: match &page.step {
                PageStep::Begin {
                    begin,
                    self_user,
                    incomplete,
                    id,
                } => WPageStep::Begin {
                    begin: (*begin).into(),
                    self_user: self.name_if(*self_user),
                    incomplete: *incomplete,
                    id: self.text_if(id.as_ref()),
                },
                PageStep::Members(whole) => WPageStep::Members(self.whole(whole)),
            },
        }
    }

    pub(in crate::log) fn closed(&mut self, closed: &ConnectionEnd) -> WClosed {
        WClosed {
            observer: self.name(closed.observer),
            recorded_at: closed.recorded_at,
        }
    }

    pub(in crate::log) fn reject(&mut self, reject: &Reject) -> WReject {
        WReject {
            recorded_at: reject.recorded_at,
            source: self.text(&reject.source),
            line: reject.line,
            byte: reject.byte,
            reason: self.text(&reject.reason),
            text: reject.text.clone().map(Seq),
            length: reject.length,
            blake3: reject.blake3,
        }
    }

    pub(in crate::log) fn progress(&mut self, progress: &Progress) -> WProgress {
        WProgress::File {
            source: progress.source,
            hashed_len: progress.hashed_len,
            byte: progress.byte,
            line: progress.line,
            path: self.text(&progress.path),
        }
    }
}
