//! A frame that is to be sealed, and its records one by one. Where they go is not known here.

use super::object::BlockError;
use crate::domain::entry::Rules;
use crate::log::codec::bytes::Reader;
use crate::log::codec::columns::{Column, RowReader};
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

/// Takes the records of frames, in order.
pub(super) trait RecordSink {
    fn rules(&mut self, rules: Rules);

    /// Takes a commit, whose rows come next.
    fn commit(
        &mut self,
        tables: &Tables<'_>,
        reader: &mut Reader<'_>,
        entries: usize,
    ) -> Result<(), BlockError>;

    /// Takes a record without entries.
    fn other(
        &mut self,
        tag: u8,
        tables: &Tables<'_>,
        reader: &mut Reader<'_>,
    ) -> Result<(), BlockError>;
}

impl PlainFrame {
    /// Its tables, and what follows them.
    pub fn tables(&self) -> Result<(Tables<'_>, Reader<'_>), BlockError> {
        let mut reader = Reader::new(&self.payload);
        let layout = reader.byte()?;
        if layout != PAYLOAD_VERSION {
            return Err(FrameError::Layout(layout).into());
        }
        let tables = Tables::read(&mut reader)?;
        Ok((tables, reader))
    }

    /// Gives its records to a sink.
    pub fn read(&self, sink: &mut impl RecordSink) -> Result<(), BlockError> {
        let (tables, mut reader) = self.tables()?;
        let reader = &mut reader;
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
                tag => sink.other(tag, &tables, reader)?,
            }
        }
        Ok(())
    }
}

/// The hash of a channel in a frame's tables; `None` if its name was erased.
pub(super) fn hash_of(channel: NameAt, tables: &Tables<'_>) -> Result<Option<u64>, CodecError> {
    Ok(tables.name_text(channel)?.map(channel_hash))
}
