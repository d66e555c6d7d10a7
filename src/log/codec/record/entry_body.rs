//! The body of an entry that is no change: one of the kinds in `snapshot`, `link` and `token`.

use super::link::{self, LinkBody};
use super::snapshot::{SnapshotBody, UnlistedBody};
use super::token::TokenBody;
use crate::domain::entry::{LinkChange, Payload, Snapshot, TokenChange};
use crate::domain::event::{LinkState, Service};
use crate::log::codec::CodecError;
use crate::log::codec::canonical::Canonical;
use crate::log::codec::tables::NameAt;
use crate::log::codec::tables::map::{Renumber, TableMap};
use crate::log::codec::tables::read::{ChannelScope, TableReader};
use crate::log::codec::tables::write::TableBuilder;
use bincode::{Decode, Encode};

/// The body of an entry that is no change.
#[derive(Debug, Encode, Decode)]
pub(super) enum EntryBody {
    Snapshot(SnapshotBody),
    Link(LinkBody),
    Token(TokenBody),
    LongLink(LinkBody, LinkState, Service),
    Unlisted(SnapshotBody, UnlistedBody),
}

impl Renumber for EntryBody {
    fn renumber(&mut self, map: &mut TableMap<'_, '_, '_>) -> Result<(), CodecError> {
        match self {
            EntryBody::Snapshot(body) | EntryBody::Unlisted(body, _) => body.renumber(map),
            EntryBody::Link(body) | EntryBody::LongLink(body, ..) => body.renumber(map),
            EntryBody::Token(body) => body.renumber(map),
        }
    }
}

impl EntryBody {
    pub(super) fn snapshot(snapshot: &Snapshot, tables: &mut TableBuilder<'_>) -> Self {
        let body = SnapshotBody::of(snapshot, tables);
        match UnlistedBody::of(snapshot.origin) {
            None => EntryBody::Snapshot(body),
            Some(origin) => EntryBody::Unlisted(body, origin),
        }
    }

    pub(super) fn link(link: &LinkChange, tables: &mut TableBuilder<'_>) -> Self {
        let body = LinkBody::of(link, tables);
        if link::is_short(link) {
            EntryBody::Link(body)
        } else {
            EntryBody::LongLink(body, link.state, link.service)
        }
    }

    pub(super) fn token(token: &TokenChange, tables: &mut TableBuilder<'_>) -> Self {
        EntryBody::Token(TokenBody::of(token, tables))
    }

    pub(super) fn channel(&self) -> Option<NameAt> {
        match self {
            EntryBody::Snapshot(body) | EntryBody::Unlisted(body, _) => Some(body.channel()),
            EntryBody::Token(body) => body.channel(),
            EntryBody::Link(_) | EntryBody::LongLink(..) => None,
        }
    }

    pub(super) fn is_in(&self, scope: &ChannelScope) -> bool {
        match self {
            EntryBody::Snapshot(body) | EntryBody::Unlisted(body, _) => body.is_in(scope),
            EntryBody::Token(body) => body.is_in(scope),
            EntryBody::Link(_) | EntryBody::LongLink(..) => true,
        }
    }

    pub(super) fn payload(&self, tables: &mut TableReader<'_>) -> Result<Payload, CodecError> {
        Ok(match self {
            EntryBody::Snapshot(body) => Payload::Snapshot(Box::new(body.snapshot(None, tables)?)),
            EntryBody::Unlisted(body, origin) => {
                Payload::Snapshot(Box::new(body.snapshot(Some(*origin), tables)?))
            }
            EntryBody::Link(body) => Payload::Link(Box::new(body.link(None, tables)?)),
            EntryBody::LongLink(body, state, service) => {
                Payload::Link(Box::new(body.link(Some((*state, *service)), tables)?))
            }
            EntryBody::Token(body) => Payload::Token(Box::new(body.token(tables)?)),
        })
    }

    pub(super) fn canonical(&self, out: &mut Canonical<'_>) -> Result<(), CodecError> {
        match self {
            EntryBody::Snapshot(body) => body.canonical(None, out),
            EntryBody::Unlisted(body, origin) => body.canonical(Some(*origin), out),
            EntryBody::Link(body) => body.canonical(None, out),
            EntryBody::LongLink(body, state, service) => {
                body.canonical(Some((*state, *service)), out)
            }
            EntryBody::Token(body) => body.canonical(out),
        }
    }
}
