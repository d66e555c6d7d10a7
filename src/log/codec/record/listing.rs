//! What a snapshot or a page lists.

use crate::domain::entry::{FullListing, ListedMember};
use crate::domain::order::Stamp;
use crate::log::codec::CodecError;
use crate::log::codec::bytes::Seq;
use crate::log::codec::canonical::Canonical;
use crate::log::codec::record::stamp;
use crate::log::codec::tables::map::{Renumber, TableMap};
use crate::log::codec::tables::read::TableReader;
use crate::log::codec::tables::write::TableBuilder;
use crate::log::codec::tables::{MemberAt, NameAt, TextAt};
use bincode::{Decode, Encode};

/// What is claimed about one member.
#[derive(Debug, Encode, Decode)]
pub(super) struct ClaimBody {
    meta: Option<TextAt>,
    stamp: Stamp,
}

impl ClaimBody {
    pub(super) fn of(claim: &ListedMember, tables: &mut TableBuilder<'_>) -> Self {
        ClaimBody {
            meta: tables.text_if(claim.meta.as_ref()),
            stamp: claim.stamp,
        }
    }

    pub(super) fn claim(&self, tables: &mut TableReader<'_>) -> Result<ListedMember, CodecError> {
        Ok(ListedMember {
            meta: tables.text_if(self.meta)?,
            stamp: self.stamp,
        })
    }

    pub(super) fn canonical(&self, out: &mut Canonical<'_>) -> Result<(), CodecError> {
        out.option(self.meta, Canonical::text)?;
        stamp::canonical(self.stamp, out);
        Ok(())
    }
}

impl Renumber for ClaimBody {
    fn renumber(&mut self, map: &mut TableMap<'_, '_, '_>) -> Result<(), CodecError> {
        map.meta_if(&mut self.meta)
    }
}

impl Renumber for ListingBody {
    fn renumber(&mut self, map: &mut TableMap<'_, '_, '_>) -> Result<(), CodecError> {
        let mut topics = self.topics.0.iter_mut();
        topics.try_for_each(|(topic, _)| map.name(topic))?;
        self.members.0.iter_mut().try_for_each(|(member, claim)| {
            map.member(member)?;
            claim.renumber(map)
        })
    }
}

/// A whole list.
#[derive(Debug, Encode, Decode)]
pub(super) struct ListingBody {
    incomplete: bool,
    topics_missing: bool,
    topics: Seq<(NameAt, bool)>,
    members: Seq<(MemberAt, ClaimBody)>,
}

impl ListingBody {
    pub(super) fn of(listing: &FullListing, tables: &mut TableBuilder<'_>) -> Self {
        ListingBody {
            incomplete: listing.incomplete,
            topics_missing: listing.topics_missing,
            topics: listing
                .topics
                .iter()
                .map(|&(topic, missing)| (tables.name(topic), missing))
                .collect(),
            members: listing
                .members
                .iter()
                .map(|(member, claim)| (tables.member(*member), ClaimBody::of(claim, tables)))
                .collect(),
        }
    }

    pub(super) fn listing(&self, tables: &mut TableReader<'_>) -> Result<FullListing, CodecError> {
        Ok(FullListing {
            incomplete: self.incomplete,
            topics_missing: self.topics_missing,
            topics: self
                .topics
                .try_map(|&(topic, missing)| Ok((tables.name(topic)?, missing)))?,
            members: self
                .members
                .try_map(|(member, claim)| Ok((tables.member(*member)?, claim.claim(tables)?)))?,
        })
    }

    pub(super) fn canonical(&self, out: &mut Canonical<'_>) -> Result<(), CodecError> {
        out.byte(u8::from(self.incomplete) | u8::from(self.topics_missing) << 1);
        out.list(&self.topics.0, |out, &(topic, missing)| {
            out.name(topic)?;
            out.flag(missing);
            Ok(())
        })?;
        out.list(&self.members.0, |out, (member, claim)| {
            out.member(*member)?;
            claim.canonical(out)
        })
    }
}
