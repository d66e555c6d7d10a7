//! A frame that is to be sealed, and its records one by one. Where they go is not known here.

use super::envelope::BlockError;
use crate::domain::entry::Rules;
use crate::log::codec::bytes::Reader;
use crate::log::codec::columns::{Column, RowReader};
use crate::log::codec::record::closed::ClosedBody;
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
}

impl PlainRecord {
    fn read(tag: u8, reader: &mut Reader<'_>) -> Result<PlainRecord, CodecError> {
        Ok(match tag {
            tag::PAGE => PlainRecord::Page(RowReader::body(reader)?),
            tag::CLOSED => PlainRecord::Closed(RowReader::body(reader)?),
            tag::REJECT => PlainRecord::Reject(RowReader::body(reader)?),
            tag::PROGRESS => PlainRecord::Progress(RowReader::body(reader)?),
            tag::SETTLED => PlainRecord::Settled(RowReader::varint(reader, Column::Bodies)?),
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
        reader: &mut Reader<'_>,
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
        while !reader.is_at_end() {
            match RowReader::byte(reader, Column::Tags)? {
                tag::RULES => sink.rules(rules::read(reader, true)?),
                tag::RULES_OF => sink.rules(rules::read(reader, false)?),
                tag::SINGLES => {
                    for _ in 0..reader.rows()? {
                        sink.commit(&tables, reader, 1)?;
                    }
                }
                tag::COMMIT => {
                    let entries = reader.rows()?;
                    sink.commit(&tables, reader, entries)?;
                }
                tag => sink.other(PlainRecord::read(tag, reader)?, &tables)?,
            }
        }
        Ok(())
    }
}

/// The hash of a channel in a frame's tables; `None` if its name was erased.
pub(super) fn hash_of(channel: NameAt, tables: &Tables<'_>) -> Result<Option<u64>, CodecError> {
    Ok(tables.name_text(channel)?.map(channel_hash))
}
