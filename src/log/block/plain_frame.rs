//! A frame that is to be sealed, and its records one by one. Where they go is not known here.

use super::envelope::BlockError;
use crate::domain::entry::Rules;
use crate::log::codec::bytes::Reader;
use crate::log::codec::columns::{Column, RowReader};
use crate::log::codec::record::closed::ClosedBody;
use crate::log::codec::record::forgotten::ForgottenBody;
use crate::log::codec::record::page::PageBody;
use crate::log::codec::record::progress::ProgressBody;
use crate::log::codec::record::reject::RejectBody;
use crate::log::codec::record::rules;
use crate::log::codec::tables::NameAt;
use crate::log::codec::tables::read::Tables;
use crate::log::codec::{CodecError, PAYLOAD_VERSION};
use crate::log::frame::{FrameError, channel_hash, tag};

/// A frame of a block that is being made.
#[derive(Debug)]
pub(super) struct PlainFrame {
    pub first_seq: u64,
    pub parts: u32,
    pub payload: Vec<u8>,
}

/// A record without entries.
pub(super) enum PlainRecord {
    Page(PageBody),
    Closed(ClosedBody),
    Reject(RejectBody),
    Progress(ProgressBody),
    /// The reject that is settled.
    Settled(u64),
    Forgotten(ForgottenBody),
}

impl PlainRecord {
    fn read(tag: u8, reader: &mut impl RowReader) -> Result<PlainRecord, CodecError> {
        Ok(match tag {
            tag::PAGE => PlainRecord::Page(reader.body()?),
            tag::CLOSED => PlainRecord::Closed(reader.body()?),
            tag::REJECT => PlainRecord::Reject(reader.body()?),
            tag::PROGRESS => PlainRecord::Progress(reader.body()?),
            tag::FORGOTTEN => PlainRecord::Forgotten(reader.body()?),
            tag::SETTLED => PlainRecord::Settled(reader.varint(Column::Bodies)?),
            other => {
                let (what, value) = ("record", u64::from(other));
                return Err(CodecError::Unknown { what, value });
            }
        })
    }
}

/// Takes the records of a frame, in order.
pub(super) trait RecordSink {
    /// Takes the tables, before all else.
    fn begin(&mut self, tables: &Tables<'_>, first_seq: u64) -> Result<(), BlockError>;

    fn rules(&mut self, rules: Rules);

    /// Takes a commit, whose rows come next.
    fn commit(
        &mut self,
        tables: &Tables<'_>,
        reader: &mut impl RowReader,
        entries: usize,
    ) -> Result<(), BlockError>;

    fn other(&mut self, record: PlainRecord, tables: &Tables<'_>) -> Result<(), BlockError>;
}

impl PlainFrame {
    /// Gives its records to a sink.
    pub fn read(&self, sink: &mut impl RecordSink) -> Result<(), BlockError> {
        let reader = &mut Reader::new(&self.payload);
        let layout = reader.byte()?;
        if layout != PAYLOAD_VERSION {
            return Err(FrameError::Layout(layout).into());
        }
        let tables = Tables::read(reader)?;
        sink.begin(&tables, self.first_seq)?;
        read_records(reader, &tables, sink)
    }
}

/// Gives the records behind the tables of a payload to a sink.
pub(super) fn read_records(
    reader: &mut impl RowReader,
    tables: &Tables<'_>,
    sink: &mut impl RecordSink,
) -> Result<(), BlockError> {
    while !reader.is_at_end() {
        match reader.byte(Column::Tags)? {
            tag::RULES => sink.rules(rules::read(reader, true)?),
            tag::RULES_OF => sink.rules(rules::read(reader, false)?),
            tag::SINGLES => {
                for _ in 0..reader.rows()? {
                    sink.commit(tables, reader, 1)?;
                }
            }
            tag::COMMIT => {
                let entries = reader.rows()?;
                sink.commit(tables, reader, entries)?;
            }
            tag => sink.other(PlainRecord::read(tag, reader)?, tables)?,
        }
    }
    Ok(())
}

/// The hash of a channel in a frame's tables.
pub(super) fn hash_of(channel: NameAt, tables: &Tables<'_>) -> Result<u64, CodecError> {
    Ok(channel_hash(tables.name_text(channel)?))
}
