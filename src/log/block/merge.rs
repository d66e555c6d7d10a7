//! Makes a block of frames: their tables become one, and the fields of their records go into columns.

use super::object::{Block, BlockError};
use crate::domain::entry::Rules;
use crate::domain::names::Names;
use crate::log::codec::bytes::{Reader, pack, put_varint};
use crate::log::codec::columns::{Column, ColumnWriter, RowReader, RowWriter};
use crate::log::codec::record::RecordBody;
use crate::log::codec::record::closed::ClosedBody;
use crate::log::codec::record::entry::{self, Previous};
use crate::log::codec::record::page::PageBody;
use crate::log::codec::record::progress::ProgressBody;
use crate::log::codec::record::reject::RejectBody;
use crate::log::codec::record::rules;
use crate::log::codec::tables::map::{Renumber, TableMap, TableMerger};
use crate::log::codec::tables::read::{TableReader, Tables};
use crate::log::codec::{COLUMNS_VERSION, CodecError, PAYLOAD_VERSION};
use crate::log::frame::{self, CHANNELS_MAX, Channels, FrameError, FrameHeader, tag};

/// Collects frames for a block.
#[derive(Debug, Default)]
pub struct BlockBuilder {
    /// What the frames so far have in common, and the position of the first one.
    first: Option<(FrameHeader, u64)>,
    tables: TableMerger,
    columns: ColumnWriter,
    /// For each frame its values and its records.
    frames: Vec<u8>,
    previous: Previous,
    rules: Option<Rules>,
    /// Commits of one entry that were written since the last tag, and share the next one.
    singles: u64,
    /// The dictionary that entries need to be decoded. Its numbers are not written.
    names: Names,
}

impl BlockBuilder {
    /// Entries so far.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.first.as_ref().map_or(0, |(header, _)| header.entries)
    }

    /// Bytes so far, before compression.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.tables.bytes() + self.columns.bytes()
    }

    /// Adds the next frame, which has these values from this position on.
    ///
    /// # Errors
    /// The frame is damaged, or does not continue the chain.
    pub fn add<V: AsRef<[u8]>>(&mut self, position: u64, values: &[V]) -> Result<(), BlockError> {
        let (header, payload) = frame::payload(values)?;
        match &mut self.first {
            None => self.first = Some((header.clone(), position)),
            Some((first, _)) => join(first, &header)?,
        }
        let mut reader = Reader::new(&payload);
        let layout = reader.byte()?;
        if layout != PAYLOAD_VERSION {
            return Err(FrameError::Layout(layout).into());
        }
        let tables = Tables::read(&mut reader)?;
        let mut rows = FrameRows {
            map: self.tables.add(&tables)?,
            tables: TableReader::new(&tables, &mut self.names, None)?,
            seq: header.first_seq,
            previous: Previous::default(),
            records: 0,
        };
        self.records(&mut reader, &mut rows)?;
        put_varint(&mut self.frames, u64::from(header.parts));
        put_varint(&mut self.frames, rows.records);
        Ok(())
    }

    /// The block, and the bytes of its object; `None` without frames.
    ///
    /// # Errors
    /// It would be too large.
    pub fn finish(mut self) -> Result<Option<(Block, Vec<u8>)>, BlockError> {
        self.end_singles();
        let Some((header, position)) = self.first else {
            return Ok(None);
        };
        let mut payload = Vec::with_capacity(self.tables.bytes() + self.columns.bytes() + 256);
        payload.push(COLUMNS_VERSION);
        self.tables.write(&mut payload);
        put_varint(&mut payload, self.frames.len() as u64);
        payload.extend_from_slice(&self.frames);
        self.columns.write(&mut payload);
        Block::encode(header, position, &payload).map(Some)
    }

    /// Writes the records of a frame into the columns.
    fn records(&mut self, reader: &mut Reader<'_>, rows: &mut FrameRows) -> Result<(), BlockError> {
        while !reader.is_at_end() {
            let tag = RowReader::byte(reader, Column::Tags)?;
            rows.records += u64::from(!matches!(tag, tag::RULES | tag::RULES_OF | tag::SINGLES));
            match tag {
                tag::RULES => self.rules(rules::read(reader, true)?)?,
                tag::RULES_OF => self.rules(rules::read(reader, false)?)?,
                tag::SINGLES => {
                    let count = reader.rows()?;
                    self.rows(reader, rows, count)?;
                    rows.records += count as u64;
                    self.singles += count as u64;
                }
                tag::COMMIT => {
                    let count = reader.rows()?;
                    self.tag(tag);
                    self.columns.varint(Column::Tags, count as u64);
                    self.rows(reader, rows, count)?;
                }
                tag::PAGE => self.body::<PageBody>(tag, reader, &rows.map)?,
                tag::CLOSED => self.body::<ClosedBody>(tag, reader, &rows.map)?,
                tag::REJECT => self.body::<RejectBody>(tag, reader, &rows.map)?,
                tag::PROGRESS => self.body::<ProgressBody>(tag, reader, &rows.map)?,
                tag::SETTLED => {
                    self.tag(tag);
                    let reject = RowReader::varint(reader, Column::Bodies)?;
                    self.columns.varint(Column::Bodies, reject);
                }
                other => {
                    let (what, value) = ("record", u64::from(other));
                    return Err(CodecError::Unknown { what, value }.into());
                }
            }
        }
        Ok(())
    }

    fn rows(
        &mut self,
        reader: &mut Reader<'_>,
        rows: &mut FrameRows,
        count: usize,
    ) -> Result<(), BlockError> {
        for _ in 0..count {
            let (entry, mut places) =
                entry::read(reader, &rows.tables, rows.seq, &mut rows.previous)?;
            places.renumber(&rows.map)?;
            entry::write(&entry, &places, &mut self.previous, &mut self.columns)?;
            let next = rows.seq.checked_add(1);
            rows.seq = next.ok_or(FrameError::Disagree("entries"))?;
        }
        Ok(())
    }

    fn body<B: RecordBody>(
        &mut self,
        tag: u8,
        reader: &mut Reader<'_>,
        map: &TableMap,
    ) -> Result<(), BlockError> {
        let mut body: B = RowReader::body(reader)?;
        body.renumber(map)?;
        self.tag(tag);
        pack(&body, self.columns.column(Column::Bodies))?;
        Ok(())
    }

    /// Writes rules, if they are not those of the records before.
    fn rules(&mut self, rules: Rules) -> Result<(), BlockError> {
        if self.rules != Some(rules) {
            self.tag(if rules::is_short(&rules) {
                tag::RULES
            } else {
                tag::RULES_OF
            });
            rules::write(&rules, self.columns.column(Column::Bodies))?;
            self.rules = Some(rules);
        }
        Ok(())
    }

    fn tag(&mut self, tag: u8) {
        self.end_singles();
        self.columns.byte(Column::Tags, tag);
    }

    fn end_singles(&mut self) {
        if self.singles > 0 {
            self.columns.byte(Column::Tags, tag::SINGLES);
            self.columns.varint(Column::Tags, self.singles);
            self.singles = 0;
        }
    }
}

/// What is needed to read the rows of one frame.
struct FrameRows {
    map: TableMap,
    tables: TableReader,
    seq: u64,
    previous: Previous,
    records: u64,
}

/// Adds the header of the frame that follows.
fn join(all: &mut FrameHeader, next: &FrameHeader) -> Result<(), BlockError> {
    let continues = next.frame == all.last_frame() + 1
        && next.link_before == all.link_after
        && next.first_seq == all.first_seq + all.entries;
    if !continues {
        return Err(FrameError::Disagree("the order of frames").into());
    }
    let widen = |range: &mut (i64, i64), other: (i64, i64)| {
        *range = (range.0.min(other.0), range.1.max(other.1));
    };
    if all.entries == 0 {
        (all.effective_at, all.recorded_at) = (next.effective_at, next.recorded_at);
    } else if next.entries > 0 {
        widen(&mut all.effective_at, next.effective_at);
        widen(&mut all.recorded_at, next.recorded_at);
    }
    all.reaches_back_to = all.reaches_back_to.min(next.reaches_back_to);
    all.frames += next.frames;
    let parts = all.parts.checked_add(next.parts);
    all.parts = parts.ok_or(CodecError::Number)?;
    all.entries += next.entries;
    all.commits += next.commits;
    all.pages += next.pages;
    all.rejects += next.rejects;
    all.progress += next.progress;
    all.unscoped |= next.unscoped;
    all.link_after = next.link_after;
    all.connected = next.connected;
    all.channels = match (
        std::mem::replace(&mut all.channels, Channels::Any),
        &next.channels,
    ) {
        (Channels::These(mut these), Channels::These(others)) => {
            these.extend_from_slice(others);
            these.sort_unstable();
            these.dedup();
            if these.len() > CHANNELS_MAX {
                Channels::Any
            } else {
                Channels::These(these)
            }
        }
        _ => Channels::Any,
    };
    Ok(())
}
