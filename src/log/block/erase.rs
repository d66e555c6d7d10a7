//! Erases the strings of a person from a block. Streams and states without any of them stay byte for byte, and so do the
//! block's format and its place in the chain.

use super::envelope::{BlockError, NewSection};
use super::object::{Block, NewSections};
use super::plain_frame::{PlainRecord, RecordSink, read_records};
use super::sort::StreamWriter;
use crate::domain::entry::Rules;
use crate::domain::names::Names;
use crate::log::codec::bytes::{Reader, pack, unpack_borrowed};
use crate::log::codec::columns::{ColumnPlaces, RowReader};
use crate::log::codec::header::StatesBody;
use crate::log::codec::record::entry::{self, Previous};
use crate::log::codec::tables::erase::Erasure;
use crate::log::codec::tables::read::{LazyTables, TableReader, Tables};
use crate::log::codec::{CodecError, ORDERED_VERSION, checkpoint};
use crate::log::eraser::{Erased, Eraser};
use crate::log::frame::{FrameError, tag};

impl Block {
    /// The object of a block without the strings of a person, and what was found of them; `None` if it has none. `object` are all
    /// of its bytes.
    ///
    /// # Errors
    /// It is damaged.
    pub fn erase(object: &[u8], eraser: &Eraser) -> Result<Option<(Vec<u8>, Erased)>, BlockError> {
        let block = Block::of_object(object)?;
        let mut sections = block.new_sections(object)?;
        let mut erasure = Erasure::new(eraser);
        let mut is_new = false;
        for (stream, stored) in sections.streams.iter_mut().zip(block.sections(None)) {
            let Some(section) = stored else { continue };
            let payload = section.plain_of(object)?;
            // A rejected line can spell a name in any way.
            let has_rejects = stream.from.is_none() && block.header.rejects > 0;
            if has_rejects || eraser.may_be_in(&payload) {
                let before = erasure.strings;
                let erased = erase_stream(&payload, &mut erasure)?;
                if erasure.strings > before {
                    is_new = true;
                    stream.payload = NewSection::Plain(erased);
                }
            }
        }
        is_new |= erase_states(&block, object, eraser, &mut sections)?;
        if !is_new {
            return Ok(None);
        }
        let (_, bytes) = Block::encode(block.header, block.position, sections)?;
        Ok(Some((bytes, erasure.found)))
    }
}

/// Erases from the states of all streams. Returns whether one of them has changed.
fn erase_states(
    block: &Block,
    object: &[u8],
    eraser: &Eraser,
    sections: &mut NewSections<'_>,
) -> Result<bool, BlockError> {
    let mut stored = block.all_states();
    let mut is_new = false;
    for stream in &mut sections.streams {
        let Some(states) = &mut stream.states else {
            continue;
        };
        let Some(section) = stored.next() else { break };
        let plain = section.plain_of(object)?;
        if !eraser.may_be_in(&plain) {
            continue;
        }
        match erased_states(&plain, eraser) {
            Ok(erased) if erased == plain => {}
            Ok(erased) => {
                is_new = true;
                *states = NewSection::Plain(erased);
            }
            // States of another version are not read by anybody: a reader begins elsewhere.
            Err(CodecError::Unknown { .. }) => {
                for stream in &mut sections.streams {
                    stream.states = None;
                }
                if let Some(channels) = &mut sections.channels {
                    channels.stated.clear();
                }
                return Ok(true);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(is_new)
}

fn erased_states(plain: &[u8], eraser: &Eraser) -> Result<Vec<u8>, CodecError> {
    let (body, _): (StatesBody<'_>, usize) = unpack_borrowed(plain)?;
    let trunk = match body.trunk {
        [] => Vec::new(),
        trunk => checkpoint::erase_trunk(trunk, eraser)?,
    };
    // Earlier entries, or the base, have it.
    let mut told_before = Erased::default();
    let parts = body.channels.iter();
    let parts = parts.map(|(hash, part)| {
        let part = part.map(|part| checkpoint::erase_channel(part, eraser, &mut told_before));
        Ok((*hash, part.transpose()?))
    });
    let parts = parts.collect::<Result<Vec<_>, CodecError>>()?;
    let erased = StatesBody {
        trunk: &trunk,
        channels: parts
            .iter()
            .map(|(hash, part)| (*hash, part.as_deref()))
            .collect(),
    };
    let mut bytes = Vec::with_capacity(plain.len());
    pack(&erased, &mut bytes)?;
    Ok(bytes)
}

/// The payload of a stream without the strings of a person.
fn erase_stream(payload: &[u8], erasure: &mut Erasure<'_>) -> Result<Vec<u8>, BlockError> {
    let reader = &mut Reader::new(payload);
    let version = reader.byte()?;
    let tables = Tables::read_columns(reader)?;
    let list = match version {
        ORDERED_VERSION => None,
        _ => {
            let length = reader.count(1)?;
            Some(reader.take(length)?)
        }
    };
    let mut places = ColumnPlaces::read(reader, payload.len())?;
    let mut eraser = StreamEraser {
        writer: StreamWriter::default(),
        rules: None,
        names: Names::new(),
        tables: LazyTables::new(&tables),
        previous: Previous::default(),
        seq: 0,
        erasure,
    };
    eraser.writer.begin(&tables);
    let mut columns = places.reader(payload)?;
    read_records(&mut columns, &tables, &mut eraser)?;
    places.move_to(&columns);
    places.expect_end()?;
    Ok(eraser.writer.payload(version, list))
}

/// Writes the records of a stream again.
struct StreamEraser<'a, 'e> {
    writer: StreamWriter,
    rules: Option<Rules>,
    names: Names,
    tables: LazyTables,
    previous: Previous,
    /// Entries so far. What a row says of other entries is relative to its own.
    seq: u64,
    erasure: &'a mut Erasure<'e>,
}

impl RecordSink for StreamEraser<'_, '_> {
    fn begin(&mut self, _tables: &Tables<'_>, _first_seq: u64) -> Result<(), BlockError> {
        Ok(())
    }

    fn rules(&mut self, rules: Rules) {
        self.rules = Some(rules);
    }

    fn commit(
        &mut self,
        tables: &Tables<'_>,
        reader: &mut impl RowReader,
        entries: usize,
    ) -> Result<(), BlockError> {
        let rules = self.rules.ok_or(FrameError::Disagree("rules"))?;
        self.writer.commit(rules, entries)?;
        for _ in 0..entries {
            let at = &mut TableReader::new(&mut self.tables, tables.payload, &mut self.names);
            let row = entry::read_row(reader, self.seq, &mut self.previous)?;
            let (entry, mut places) = (row.entry(at)?, row.into_places());
            self.seq += 1;
            let erasure = Some(&mut *self.erasure);
            self.writer.entry(&entry, &mut places, tables, erasure)?;
        }
        Ok(())
    }

    fn other(&mut self, record: PlainRecord, tables: &Tables<'_>) -> Result<(), BlockError> {
        let (writer, erasure) = (&mut self.writer, Some(&mut *self.erasure));
        match record {
            PlainRecord::Page(body) => {
                if let Some(rules) = self.rules {
                    writer.rules(rules)?;
                }
                writer.body(tag::PAGE, body, tables, erasure)
            }
            PlainRecord::Closed(body) => writer.body(tag::CLOSED, body, tables, erasure),
            PlainRecord::Reject(body) => writer.body(tag::REJECT, body, tables, erasure),
            PlainRecord::Progress(body) => writer.body(tag::PROGRESS, body, tables, erasure),
            PlainRecord::Forgotten(body) => writer.body(tag::FORGOTTEN, body, tables, erasure),
            PlainRecord::Settled(reject) => {
                writer.settled(reject);
                Ok(())
            }
        }
    }
}
