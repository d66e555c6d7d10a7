//! An entry that is a snapshot.

use super::listing::{ClaimBody, ListingBody};
use super::stamp;
use crate::domain::entry::{
    Listing, ListingDelta, Snapshot, SnapshotBegin, SnapshotGap, SnapshotOrigin,
};
use crate::log::codec::CodecError;
use crate::log::codec::bytes::Seq;
use crate::log::codec::canonical::Canonical;
use crate::log::codec::derive::fields;
use crate::log::codec::tables::map::{Renumber, TableMap};
use crate::log::codec::tables::read::{ChannelScope, TableReader};
use crate::log::codec::tables::write::TableBuilder;
use crate::log::codec::tables::{MemberAt, NameAt};
use bincode::{Decode, Encode};

fields!(SnapshotBegin { stamp, occurred_at });
fields!(SnapshotGap {
    gap,
    opened,
    closed
});

/// A snapshot. One that no source has listed has its origin after the body.
#[derive(Debug, Encode, Decode)]
pub(super) struct SnapshotBody {
    channel: NameAt,
    self_user: Option<NameAt>,
    stale: bool,
    complete: bool,
    listed: u32,
    claims: ClaimsBody,
    held: Seq<MemberAt>,
    begin: Option<SnapshotBegin>,
    gap: Option<SnapshotGap>,
    count: u32,
    digest: [u8; 32],
}

#[derive(Debug, Encode, Decode)]
enum ClaimsBody {
    Residue(Seq<(MemberAt, Option<ClaimBody>)>),
    Whole(ListingBody),
}

/// The origin of a snapshot that no source has listed.
#[derive(Debug, Clone, Copy, Encode, Decode)]
pub(super) enum UnlistedBody {
    Differences,
    Occupancy,
}

impl UnlistedBody {
    pub(super) fn of(origin: SnapshotOrigin) -> Option<Self> {
        match origin {
            SnapshotOrigin::Listed => None,
            SnapshotOrigin::Differences => Some(UnlistedBody::Differences),
            SnapshotOrigin::Occupancy => Some(UnlistedBody::Occupancy),
        }
    }

    fn origin(self) -> SnapshotOrigin {
        match self {
            UnlistedBody::Differences => SnapshotOrigin::Differences,
            UnlistedBody::Occupancy => SnapshotOrigin::Occupancy,
        }
    }
}

impl SnapshotBody {
    pub(super) fn channel(&self) -> NameAt {
        self.channel
    }

    pub(super) fn is_in(&self, scope: &ChannelScope) -> bool {
        scope.has_name(self.channel)
    }

    pub(super) fn of(snapshot: &Snapshot, tables: &mut TableBuilder<'_>) -> Self {
        SnapshotBody {
            channel: tables.name(snapshot.channel),
            self_user: tables.name_if(snapshot.self_user),
            stale: snapshot.stale,
            complete: snapshot.complete,
            listed: snapshot.listed,
            claims: ClaimsBody::of(&snapshot.claims, tables),
            held: snapshot
                .held
                .iter()
                .map(|&who| tables.member(who))
                .collect(),
            begin: snapshot.begin,
            gap: snapshot.gap,
            count: snapshot.count,
            digest: snapshot.digest,
        }
    }

    pub(super) fn snapshot(
        &self,
        unlisted: Option<UnlistedBody>,
        tables: &mut TableReader<'_>,
    ) -> Result<Snapshot, CodecError> {
        Ok(Snapshot {
            channel: tables.name(self.channel)?,
            self_user: tables.name_if(self.self_user)?,
            origin: unlisted.map_or(SnapshotOrigin::Listed, UnlistedBody::origin),
            stale: self.stale,
            complete: self.complete,
            listed: self.listed,
            claims: self.claims.claims(tables)?,
            held: self.held.try_map(|&who| tables.member(who))?,
            begin: self.begin,
            gap: self.gap,
            count: self.count,
            digest: self.digest,
        })
    }

    pub(super) fn canonical(
        &self,
        unlisted: Option<UnlistedBody>,
        out: &mut Canonical<'_>,
    ) -> Result<(), CodecError> {
        out.name(self.channel)?;
        out.option(self.self_user, Canonical::name)?;
        let origin = unlisted.map_or(0, |origin| match origin {
            UnlistedBody::Differences => 1,
            UnlistedBody::Occupancy => 2,
        });
        out.byte(u8::from(self.stale) | u8::from(self.complete) << 1 | origin << 2);
        out.varint(u64::from(self.listed));
        self.claims.canonical(out)?;
        out.list(&self.held.0, |out, &member| out.member(member))?;
        out.option(self.begin, |out, begin| {
            stamp::canonical(begin.stamp, out);
            out.time(begin.occurred_at);
            Ok(())
        })?;
        out.option(self.gap, |out, gap| {
            out.varint(u64::from(gap.gap));
            out.time_if(gap.opened);
            out.time_if(gap.closed);
            Ok(())
        })?;
        out.varint(u64::from(self.count));
        out.bytes(&self.digest);
        Ok(())
    }
}

impl Renumber for SnapshotBody {
    fn renumber(&mut self, map: &mut TableMap<'_, '_, '_>) -> Result<(), CodecError> {
        map.channel(&mut self.channel)?;
        map.self_user_if(&mut self.self_user)?;
        self.held.0.iter_mut().try_for_each(|at| map.member(at))?;
        match &mut self.claims {
            ClaimsBody::Residue(deltas) => deltas.0.iter_mut().try_for_each(|(member, claim)| {
                map.member(member)?;
                claim.as_mut().map_or(Ok(()), |claim| claim.renumber(map))
            }),
            ClaimsBody::Whole(listing) => listing.renumber(map),
        }
    }
}

impl ClaimsBody {
    fn of(claims: &Listing, tables: &mut TableBuilder<'_>) -> Self {
        let residue = |delta: &ListingDelta| {
            let member = tables.member(delta.member);
            let claim = delta.claim.as_ref();
            (member, claim.map(|claim| ClaimBody::of(claim, tables)))
        };
        match claims {
            Listing::Residue(deltas) => ClaimsBody::Residue(deltas.iter().map(residue).collect()),
            Listing::Whole(listing) => ClaimsBody::Whole(ListingBody::of(listing, tables)),
        }
    }

    fn claims(&self, tables: &mut TableReader<'_>) -> Result<Listing, CodecError> {
        let delta = |(member, claim): &(MemberAt, Option<ClaimBody>)| {
            Ok(ListingDelta {
                member: tables.member(*member)?,
                claim: claim.as_ref().map(|it| it.claim(tables)).transpose()?,
            })
        };
        Ok(match self {
            ClaimsBody::Residue(deltas) => Listing::Residue(deltas.try_map(delta)?),
            ClaimsBody::Whole(listing) => Listing::Whole(listing.listing(tables)?),
        })
    }

    fn canonical(&self, out: &mut Canonical<'_>) -> Result<(), CodecError> {
        match self {
            ClaimsBody::Residue(deltas) => {
                out.byte(0);
                out.list(&deltas.0, |out, (member, claim)| {
                    out.member(*member)?;
                    out.option(claim.as_ref(), |out, claim| claim.canonical(out))
                })
            }
            ClaimsBody::Whole(listing) => {
                out.byte(1);
                listing.canonical(out)
            }
        }
    }
}
