//! Converts wire types to domain types. Each name and member of a frame is interned once; each use is an array
//! look-up.

use super::CodecError;
use super::table::{Stored, Tables};
use super::wire::*;
use crate::domain::entry::{
    Change, ConnectionEnd, Entry, FullListing, GapChange, LinkChange, ListedMember, Listing,
    ListingDelta, Page, PageStep, Payload, Snapshot, SnapshotOrigin, Text, TokenChange,
};
use crate::domain::event::{LinkState, Service};
use crate::domain::names::{MemberId, MemberKey, NameId, Names};
use crate::log::salts::StringHash;
use crate::log::{Progress, Reject};
use std::fmt::Write as _;
use std::sync::Arc;

/// What the conversion of a record needs.
pub(in crate::log) struct FromWire {
    names: Vec<NameId>,
    members: Vec<MemberId>,
    /// One text for all entries of the frame that use it: most metadata repeats.
    texts: Vec<SharedText>,
}

enum SharedText {
    Kept(Text),
    Erased(StringHash),
}

impl FromWire {
    /// Interns the frame's names and members.
    pub(in crate::log) fn new(tables: &Tables<'_>, names: &mut Names) -> Result<Self, CodecError> {
        let local: Vec<NameId> = tables
            .names
            .iter()
            .map(|name| match name {
                Stored::Kept(_, text) => names.intern(text),
                Stored::Erased(hash) => names.intern(&erased(hash)),
            })
            .collect();
        let members = tables
            .members
            .iter()
            .map(|&[channel, topic, user, conn]| {
                Ok(names.member(MemberKey {
                    channel: look_up(&local, "name", channel)?,
                    topic: look_up(&local, "name", topic)?,
                    user: look_up(&local, "name", user)?,
                    conn: look_up(&local, "name", conn)?,
                }))
            })
            .collect::<Result<_, CodecError>>()?;
        Ok(FromWire {
            names: local,
            members,
            texts: tables
                .texts
                .iter()
                .map(|text| match text {
                    Stored::Kept(_, text) => SharedText::Kept(Arc::from(*text)),
                    Stored::Erased(hash) => SharedText::Erased(**hash),
                })
                .collect(),
        })
    }

    fn name(&self, at: NameAt) -> Result<NameId, CodecError> {
        look_up(&self.names, "name", at)
    }

    fn name_if(&self, at: Option<NameAt>) -> Result<Option<NameId>, CodecError> {
        at.map(|at| self.name(at)).transpose()
    }

    fn member(&self, at: MemberAt) -> Result<MemberId, CodecError> {
        look_up(&self.members, "member", at)
    }

    fn shared(&self, index: TextAt) -> Result<&SharedText, CodecError> {
        self.texts.get(index as usize).ok_or(CodecError::Index {
            what: "text",
            index,
        })
    }

    fn text(&self, at: TextAt) -> Result<Text, CodecError> {
        Ok(match self.shared(at)? {
            SharedText::Kept(text) => Arc::clone(text),
            SharedText::Erased(hash) => Arc::from(erased(hash)),
        })
    }

    fn text_if(&self, at: Option<TextAt>) -> Result<Option<Text>, CodecError> {
        at.map(|at| self.text(at)).transpose()
    }

    /// Metadata must be JSON, even if it was erased.
    fn meta(&self, at: Option<TextAt>) -> Result<Option<Text>, CodecError> {
        at.map(|at| {
            Ok(match self.shared(at)? {
                SharedText::Kept(text) => Arc::clone(text),
                SharedText::Erased(hash) => Arc::from(format!("\"{}\"", erased(hash))),
            })
        })
        .transpose()
    }

    pub(in crate::log) fn entry(&self, seq: u64, entry: &WEntry) -> Result<Entry, CodecError> {
        Ok(Entry {
            seq,
            recorded_at: entry.recorded_at,
            occurred_at: entry.occurred_at,
            effective_at: entry.effective_at,
            observer: self.name(entry.observer)?,
            id: self.text_if(entry.id)?,
            stamp: entry.stamp,
            lossy: entry.lossy,
            payload: match &entry.what {
                WWhat::Change(change) => Payload::Change(self.change(change)?),
                WWhat::Other(other) => match &**other {
                    WOther::Snapshot(snapshot) => {
                        let origin = SnapshotOrigin::Listed;
                        Payload::Snapshot(Box::new(self.snapshot(snapshot, origin)?))
                    }
                    WOther::SnapshotOf(snapshot, origin) => {
                        Payload::Snapshot(Box::new(self.snapshot(snapshot, (*origin).into())?))
                    }
                    WOther::Link(link) => Payload::Link(Box::new(self.link(link)?)),
                    WOther::LinkOf(link, state, service) => Payload::Link(Box::new(LinkChange {
                        state: (*state).into(),
                        service: (*service).into(),
                        ..self.link(link)?
                    })),
                    WOther::Token(token) => Payload::Token(Box::new(self.token(token)?)),
                },
            },
        })
    }

    fn change(&self, change: &WChange) -> Result<Change, CodecError> {
        Ok(Change {
            member: self.member(change.member)?,
            kind: change.kind,
            reported: change.said,
            disposition: change.disposition,
            meta: self.meta(change.meta)?,
            reason: self.text_if(change.reason)?,
            origin: change.origin,
            late: change.late,
        })
    }

    fn snapshot(
        &self,
        snapshot: &WSnapshot,
        origin: SnapshotOrigin,
    ) -> Result<Snapshot, CodecError> {
        Ok(Snapshot {
            channel: self.name(snapshot.channel)?,
            self_user: self.name_if(snapshot.self_user)?,
            origin,
            stale: snapshot.stale,
            complete: snapshot.complete,
            listed: snapshot.listed,
            claims: match &snapshot.claims {
                WClaims::Residue(residue) => Listing::Residue(
                    residue
                        .0
                        .iter()
                        .map(|(member, claim)| {
                            Ok(ListingDelta {
                                member: self.member(*member)?,
                                claim: claim.as_ref().map(|c| self.claim(c)).transpose()?,
                            })
                        })
                        .collect::<Result<_, CodecError>>()?,
                ),
                WClaims::Whole(whole) => Listing::Whole(self.whole(whole)?),
            },
            held: snapshot
                .held
                .0
                .iter()
                .map(|&at| self.member(at))
                .collect::<Result<_, _>>()?,
            begin: snapshot.begin.map(Into::into),
            gap: snapshot.gap.map(Into::into),
            count: snapshot.count,
            digest: snapshot.digest,
        })
    }

    fn claim(&self, claim: &WClaim) -> Result<ListedMember, CodecError> {
        Ok(ListedMember {
            meta: self.meta(claim.meta)?,
            stamp: claim.stamp.into(),
        })
    }

    fn whole(&self, whole: &WWhole) -> Result<FullListing, CodecError> {
        Ok(FullListing {
            incomplete: whole.incomplete,
            topics_missing: whole.topics_missing,
            topics: whole
                .topics
                .0
                .iter()
                .map(|&(topic, missing)| Ok((self.name(topic)?, missing)))
                .collect::<Result<_, CodecError>>()?,
            members: whole
                .members
                .0
                .iter()
                .map(|(member, claim)| Ok((self.member(*member)?, self.claim(claim)?)))
                .collect::<Result<_, CodecError>>()?,
        })
    }

    fn link(&self, link: &WLink) -> Result<LinkChange, CodecError> {
        Ok(LinkChange {
            channel: self.name_if(link.channel)?,
            state: if link.up {
                LinkState::Up
            } else {
                LinkState::Down
            },
            service: if link.elsewhere {
                Service::Other
            } else {
                Service::All
            },
            except: link
                .except
                .0
                .iter()
                .map(|&at| self.name(at))
                .collect::<Result<_, _>>()?,
            reason: self.text_if(link.reason)?,
            gaps: link
                .gaps
                .0
                .iter()
                .map(|gap| {
                    Ok(GapChange {
                        channel: self.name(gap.channel)?,
                        gap: gap.gap,
                        at: gap.at,
                        opens: gap.opens,
                    })
                })
                .collect::<Result<_, CodecError>>()?,
            connection: link.connection.map(Into::into),
        })
    }

    fn token(&self, token: &WToken) -> Result<TokenChange, CodecError> {
        Ok(TokenChange {
            channel: self.name_if(token.channel)?,
            state: token.state.into(),
            reason: self.text_if(token.reason)?,
        })
    }

    pub(in crate::log) fn page(&self, page: WPage) -> Result<Page, CodecError> {
        Ok(Page {
            observer: self.name(page.observer)?,
            channel: self.name(page.channel)?,
            sync: self.text(page.sync)?,
            recorded_at: page.recorded_at,
            step: match page.step {
                WPageStep::Begin {
                    begin,
                    self_user,
                    incomplete,
                    id,
                } => PageStep::Begin {
                    begin: begin.into(),
                    self_user: self.name_if(self_user)?,
                    incomplete,
                    id: self.text_if(id)?,
                },
                WPageStep::Members(whole) => PageStep::Members(self.whole(&whole)?),
            },
        })
    }

    pub(in crate::log) fn closed(&self, closed: WClosed) -> Result<ConnectionEnd, CodecError> {
        Ok(ConnectionEnd {
            observer: self.name(closed.observer)?,
            recorded_at: closed.recorded_at,
        })
    }

    pub(in crate::log) fn reject(&self, reject: WReject) -> Result<Reject, CodecError> {
        Ok(Reject {
            recorded_at: reject.recorded_at,
            source: self.text(reject.source)?,
            line: reject.line,
            byte: reject.byte,
            reason: self.text(reject.reason)?,
            text: reject.text.map(|text| text.0),
            length: reject.length,
            blake3: reject.blake3,
        })
    }

    pub(in crate::log) fn progress(&self, progress: WProgress) -> Result<Progress, CodecError> {
        let WProgress::File {
            source,
            hashed_len,
            byte,
            line,
            path,
        } = progress;
        Ok(Progress {
            source,
            hashed_len,
            byte,
            line,
            path: self.text(path)?,
        })
    }
}

fn look_up<T: Copy>(table: &[T], what: &'static str, index: u32) -> Result<T, CodecError> {
    table
        .get(index as usize)
        .copied()
        .ok_or(CodecError::Index { what, index })
}

/// The text for an erased string: it is the same for every use of one name, and never a real name.
fn erased(hash: &StringHash) -> String {
    let mut text = String::from("erased:");
    for byte in hash {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
