//! A step of a paged snapshot. It is not in the chain.

use super::listing::ListingBody;
use crate::domain::entry::{Page, PageStep, SnapshotBegin};
use crate::log::codec::CodecError;
use crate::log::codec::bytes::{Reader, pack};
use crate::log::codec::tables::read::TableReader;
use crate::log::codec::tables::write::TableBuilder;
use crate::log::codec::tables::{NameAt, TextAt};
use bincode::{Decode, Encode};

#[derive(Encode, Decode)]
enum StepBody {
    Begin {
        begin: SnapshotBegin,
        self_user: Option<NameAt>,
        incomplete: bool,
        id: Option<TextAt>,
    },
    Members(ListingBody),
}

pub(in crate::log) fn write(
    page: &Page,
    tables: &mut TableBuilder<'_>,
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    let body = (
        tables.name(page.observer),
        tables.name(page.channel),
        tables.text(&page.sync),
        page.recorded_at,
        match &page.step {
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
    );
    pack(&body, out)
}

pub(in crate::log) fn read(
    reader: &mut Reader<'_>,
    tables: &TableReader,
) -> Result<Page, CodecError> {
    let (observer, channel, sync, recorded_at, step) = reader.body()?;
    Ok(Page {
        observer: tables.name(observer)?,
        channel: tables.name(channel)?,
        sync: tables.text(sync)?,
        recorded_at,
        step: match step {
            StepBody::Begin {
                begin,
                self_user,
                incomplete,
                id,
            } => PageStep::Begin {
                begin,
                self_user: tables.name_if(self_user)?,
                incomplete,
                id: tables.text_if(id)?,
            },
            StepBody::Members(listing) => PageStep::Members(listing.listing(tables)?),
        },
    })
}
