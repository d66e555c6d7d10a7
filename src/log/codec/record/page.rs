//! A step of a paged snapshot. It is not in the chain.

use super::listing::ListingBody;
use crate::domain::entry::{Page, PageStep, SnapshotBegin};
use crate::domain::time::Millis;
use crate::log::codec::CodecError;
use crate::log::codec::tables::erase::TextOf;
use crate::log::codec::tables::map::{Renumber, TableMap};
use crate::log::codec::tables::read::{ChannelScope, TableReader};
use crate::log::codec::tables::write::TableBuilder;
use crate::log::codec::tables::{NameAt, TextAt};
use bincode::{Decode, Encode};

#[derive(Debug, Encode, Decode)]
pub(in crate::log) struct PageBody {
    observer: NameAt,
    channel: NameAt,
    sync: TextAt,
    recorded_at: Millis,
    step: StepBody,
}

#[derive(Debug, Encode, Decode)]
enum StepBody {
    Begin {
        begin: SnapshotBegin,
        self_user: Option<NameAt>,
        incomplete: bool,
        id: Option<TextAt>,
    },
    Members(ListingBody),
}

impl PageBody {
    pub(in crate::log) fn channel(&self) -> NameAt {
        self.channel
    }

    pub(in crate::log) fn is_in(&self, scope: &ChannelScope) -> bool {
        scope.has_name(self.channel)
    }

    pub(in crate::log) fn of(page: &Page, tables: &mut TableBuilder<'_>) -> Self {
        PageBody {
            observer: tables.name(page.observer),
            channel: tables.name(page.channel),
            sync: tables.text(&page.sync),
            recorded_at: page.recorded_at,
            step: match &page.step {
                PageStep::Begin {
                    begin,
                    self_user,
                    incomplete,
                    id,
                } => StepBody::Begin {
                    begin: *begin,
                    self_user: tables.name_if(*self_user),
                    incomplete: *incomplete,
                    id: tables.text_if(id.as_ref()),
                },
                PageStep::Members(listing) => StepBody::Members(ListingBody::of(listing, tables)),
            },
        }
    }

    pub(in crate::log) fn page(&self, tables: &mut TableReader<'_>) -> Result<Page, CodecError> {
        Ok(Page {
            observer: tables.name(self.observer)?,
            channel: tables.name(self.channel)?,
            sync: tables.text(self.sync)?,
            recorded_at: self.recorded_at,
            step: match &self.step {
                StepBody::Begin {
                    begin,
                    self_user,
                    incomplete,
                    id,
                } => PageStep::Begin {
                    begin: *begin,
                    self_user: tables.name_if(*self_user)?,
                    incomplete: *incomplete,
                    id: tables.text_if(*id)?,
                },
                StepBody::Members(listing) => PageStep::Members(listing.listing(tables)?),
            },
        })
    }
}

impl Renumber for PageBody {
    fn renumber(&mut self, map: &mut TableMap<'_, '_, '_>) -> Result<(), CodecError> {
        map.observer(&mut self.observer)?;
        map.channel(&mut self.channel)?;
        map.text(&mut self.sync, TextOf::Observer)?;
        match &mut self.step {
            StepBody::Begin { self_user, id, .. } => {
                map.self_user_if(self_user)?;
                map.text_if(id, TextOf::Observer)
            }
            StepBody::Members(listing) => listing.renumber(map),
        }
    }
}
