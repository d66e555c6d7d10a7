//! Sorts the records of frames into streams by channel, so that a question about one channel reads a small part of a
//! block. Within a stream the fields of the records go into columns.

use super::object::{BlockError, PlainStream, STREAMS_MAX};
use super::plain_frame::{PlainFrame, RecordSink, hash_of};
use super::states::StartStates;
use crate::domain::entry::{Entry, Rules};
use crate::domain::names::Names;
use crate::domain::time::Millis;
use crate::log::codec::bytes::{Reader, pack, put_varint};
use crate::log::codec::columns::{Column, ColumnWriter, RowReader, RowWriter};
use crate::log::codec::header::StatesBody;
use crate::log::codec::record::RecordBody;
use crate::log::codec::record::closed::ClosedBody;
use crate::log::codec::record::entry::{self, EntryPlaces, Previous};
use crate::log::codec::record::page::PageBody;
use crate::log::codec::record::progress::ProgressBody;
use crate::log::codec::record::reject::RejectBody;
use crate::log::codec::record::rules;
use crate::log::codec::tables::NameAt;
use crate::log::codec::tables::map::{KnownPositions, Renumber, TableMap, TableMerger};
use crate::log::codec::tables::read::{TableReader, Tables};
use crate::log::codec::{CodecError, STREAM_VERSION};
use crate::log::frame::{self, FrameError, NO_ENTRY, tag};
use std::collections::{BTreeMap, HashMap};

/// A stream gets no further channel when it would have more entries than this: so a question about one channel decodes
/// few entries of others. Smaller streams compress worse.
const STREAM_ENTRIES: u64 = 4_096;

/// The state of a channel is stored in any case if it is not larger than this.
const STATE_BYTES: usize = 16_384;

/// Counts the entries of each channel.
pub(super) struct EntryCounter<'a> {
    entries: &'a mut BTreeMap<u64, u64>,
    previous: Previous,
}

impl EntryCounter<'_> {
    /// A counter for one frame.
    pub fn new(entries: &mut BTreeMap<u64, u64>) -> EntryCounter<'_> {
        EntryCounter {
            entries,
            previous: Previous::default(),
        }
    }
}

impl RecordSink for EntryCounter<'_> {
    fn rules(&mut self, _rules: Rules) {}

    fn commit(
        &mut self,
        tables: &Tables<'_>,
        reader: &mut Reader<'_>,
        entries: usize,
    ) -> Result<(), BlockError> {
        for _ in 0..entries {
            let row = entry::read_row(reader, 0, &mut self.previous)?;
            if let Some(channel) = row.places().channel(tables)?
                && let Some(hash) = hash_of(channel, tables)?
            {
                *self.entries.entry(hash).or_default() += 1;
            }
        }
        Ok(())
    }

    fn other(
        &mut self,
        tag: u8,
        tables: &Tables<'_>,
        reader: &mut Reader<'_>,
    ) -> Result<(), BlockError> {
        match tag {
            tag::PAGE => {
                let page: PageBody = RowReader::body(reader)?;
                if let Some(hash) = hash_of(page.channel(), tables)? {
                    self.entries.entry(hash).or_default();
                }
            }
            tag::CLOSED => {
                let _: ClosedBody = RowReader::body(reader)?;
            }
            tag::REJECT => {
                let _: RejectBody = RowReader::body(reader)?;
            }
            tag::PROGRESS => {
                let _: ProgressBody = RowReader::body(reader)?;
            }
            tag::SETTLED => {
                RowReader::varint(reader, Column::Bodies)?;
            }
            other => {
                let (what, value) = ("record", u64::from(other));
                return Err(CodecError::Unknown { what, value }.into());
            }
        }
        Ok(())
    }
}

/// Writes each record into its stream.
pub(super) struct StreamSorter {
    /// The first has the records of no single channel. The others are in the order of their channels' hashes.
    streams: Vec<StreamWriter>,
    /// For each entry, and each record without entries, its stream.
    order: Vec<u8>,
    rules: Option<Rules>,
    /// The dictionary that entries need to be decoded. Its numbers are not written.
    names: Names,
    frame: FrameRows,
    /// Records so far; rules are none.
    pub records: u64,
}

/// What is needed to read the rows of one frame.
#[derive(Default)]
struct FrameRows {
    tables: TableReader,
    /// The streams of the frame's channels, as far as they were looked up.
    streams: HashMap<NameAt, usize>,
    seq: u64,
    previous: Previous,
}

impl StreamSorter {
    /// A sorter for channels with so many entries.
    pub fn new(entries: &BTreeMap<u64, u64>) -> StreamSorter {
        // Of any two streams in a row, one and the first channel of the next have more than `most`, so this many streams
        // suffice.
        let all: u64 = entries.values().sum();
        let most = STREAM_ENTRIES.max(all / (STREAMS_MAX as u64 / 2 - 2));
        let mut streams = vec![StreamWriter::default()];
        let mut length = u64::MAX;
        for (&hash, &entries) in entries {
            length = length.saturating_add(entries);
            if length > most {
                length = entries;
                streams.push(StreamWriter {
                    from: Some(hash),
                    ..StreamWriter::default()
                });
            }
        }
        StreamSorter {
            streams,
            order: Vec::new(),
            rules: None,
            names: Names::new(),
            frame: FrameRows::default(),
            records: 0,
        }
    }

    /// Begins a frame.
    pub fn begin(&mut self, frame: &PlainFrame) -> Result<(), BlockError> {
        let (tables, _) = frame.tables()?;
        self.frame = FrameRows {
            tables: TableReader::new(&tables, &mut self.names, None)?,
            streams: HashMap::new(),
            seq: frame.first_seq,
            previous: Previous::default(),
        };
        for stream in &mut self.streams {
            stream.known = KnownPositions::none_of(&tables);
        }
        Ok(())
    }

    /// The stream of a channel of the frame, or of records without one.
    fn stream_of(
        &mut self,
        channel: Option<NameAt>,
        tables: &Tables<'_>,
    ) -> Result<usize, CodecError> {
        let Some(channel) = channel else { return Ok(0) };
        if let Some(&known) = self.frame.streams.get(&channel) {
            return Ok(known);
        }
        let stream = match hash_of(channel, tables)? {
            None => 0,
            Some(hash) => {
                let is_before = |it: &StreamWriter| it.from.is_none_or(|from| from <= hash);
                self.streams.partition_point(is_before).saturating_sub(1)
            }
        };
        self.frame.streams.insert(channel, stream);
        Ok(stream)
    }

    /// Notes that records follow in a stream: these bytes of the order.
    fn follow(&mut self, stream: usize, mark: u8, count: usize) -> Result<(), BlockError> {
        let number = u8::try_from(stream).map_err(|_| CodecError::Number)?;
        self.order.extend(std::iter::repeat_n(number | mark, count));
        self.records += 1;
        Ok(())
    }

    fn writer(&mut self, stream: usize) -> Result<&mut StreamWriter, BlockError> {
        let writer = self.streams.get_mut(stream);
        Ok(writer.ok_or(FrameError::Disagree("the block's streams"))?)
    }

    fn body<B: RecordBody>(
        &mut self,
        tag: u8,
        channel: impl Fn(&B) -> Option<NameAt>,
        tables: &Tables<'_>,
        reader: &mut Reader<'_>,
    ) -> Result<(), BlockError> {
        let mut body: B = RowReader::body(reader)?;
        let stream = self.stream_of(channel(&body), tables)?;
        let rules = self.rules.filter(|_| tag == tag::PAGE);
        let writer = self.writer(stream)?;
        if let Some(rules) = rules {
            writer.rules(rules)?;
        }
        body.renumber(&mut writer.map(tables))?;
        writer.tag(tag);
        pack(&body, writer.columns.column(Column::Bodies))?;
        self.follow(stream, NO_ENTRY, 1)
    }

    /// The sections of a block: the list of frames with the order, and the streams.
    pub fn finish(
        self,
        frames: &[u8],
        states: Option<&StartStates>,
    ) -> Result<(Vec<u8>, Vec<PlainStream>), BlockError> {
        let mut order = Vec::with_capacity(frames.len() + self.order.len() + 8);
        put_varint(&mut order, frames.len() as u64);
        order.extend_from_slice(frames);
        let is_single = self.order.iter().all(|&of| of & !NO_ENTRY == 0);
        let mut streams = self.streams;
        if is_single {
            streams.truncate(1);
        } else {
            order.extend_from_slice(&self.order);
        }
        let ends = streams.iter().skip(1).map(|next| next.from);
        let ends: Vec<Option<u64>> = ends.chain([None]).collect();
        let streams = streams.into_iter().zip(ends);
        let finish = |(stream, end): (StreamWriter, Option<u64>)| {
            let states = states.map(|states| states.of_stream(stream.from, end));
            stream.finish(states)
        };
        let streams = streams.map(finish).collect::<Result<_, BlockError>>()?;
        Ok((order, streams))
    }
}

impl RecordSink for StreamSorter {
    fn rules(&mut self, rules: Rules) {
        self.rules = Some(rules);
    }

    fn commit(
        &mut self,
        tables: &Tables<'_>,
        reader: &mut Reader<'_>,
        count: usize,
    ) -> Result<(), BlockError> {
        let rules = self.rules.ok_or(FrameError::Disagree("rules"))?;
        let mut entries: Vec<(Entry, EntryPlaces)> = Vec::with_capacity(count);
        let mut stream = None;
        for _ in 0..count {
            let FrameRows {
                tables: at,
                seq,
                previous,
                ..
            } = &mut self.frame;
            let (entry, places) = entry::read(reader, at, *seq, previous)?;
            *seq = seq.checked_add(1).ok_or(FrameError::Disagree("entries"))?;
            let of = self.stream_of(places.channel(tables)?, tables)?;
            // A commit of several streams is in the first.
            let same = stream.is_none_or(|stream| stream == of);
            stream = Some(if same { of } else { 0 });
            entries.push((entry, places));
        }
        let stream = stream.ok_or(FrameError::EmptyCommit)?;
        let writer = self.writer(stream)?;
        writer.rules(rules)?;
        if count == 1 {
            writer.singles += 1;
        } else {
            writer.tag(tag::COMMIT);
            writer.columns.varint(Column::Tags, count as u64);
        }
        for (entry, places) in &mut entries {
            writer.entry(entry, places, tables)?;
        }
        self.follow(stream, 0, count)
    }

    fn other(
        &mut self,
        tag: u8,
        tables: &Tables<'_>,
        reader: &mut Reader<'_>,
    ) -> Result<(), BlockError> {
        match tag {
            tag::PAGE => {
                let channel = |page: &PageBody| Some(page.channel());
                self.body(tag, channel, tables, reader)
            }
            tag::CLOSED => self.body::<ClosedBody>(tag, |_| None, tables, reader),
            tag::REJECT => self.body::<RejectBody>(tag, |_| None, tables, reader),
            tag::PROGRESS => self.body::<ProgressBody>(tag, |_| None, tables, reader),
            tag::SETTLED => {
                let reject = RowReader::varint(reader, Column::Bodies)?;
                let writer = self.writer(0)?;
                writer.tag(tag);
                writer.columns.varint(Column::Bodies, reject);
                self.follow(0, NO_ENTRY, 1)
            }
            other => {
                let (what, value) = ("record", u64::from(other));
                Err(CodecError::Unknown { what, value }.into())
            }
        }
    }
}

/// Writes one stream.
struct StreamWriter {
    /// The hash of its first channel.
    from: Option<u64>,
    reaches_back_to: Millis,
    tables: TableMerger,
    columns: ColumnWriter,
    /// Where the strings of the present frame are in the tables.
    known: KnownPositions,
    previous: Previous,
    rules: Option<Rules>,
    /// Commits of one entry that were written since the last tag, and share the next one.
    singles: u64,
}

impl Default for StreamWriter {
    fn default() -> Self {
        StreamWriter {
            from: None,
            reaches_back_to: Millis::MAX,
            tables: TableMerger::default(),
            columns: ColumnWriter::default(),
            known: KnownPositions::default(),
            previous: Previous::default(),
            rules: None,
            singles: 0,
        }
    }
}

impl StreamWriter {
    fn map<'m, 't>(&'m mut self, tables: &'m Tables<'t>) -> TableMap<'m, 't> {
        TableMap {
            from: tables,
            to: &mut self.tables,
            known: &mut self.known,
        }
    }

    fn entry(
        &mut self,
        entry: &Entry,
        places: &mut EntryPlaces,
        tables: &Tables<'_>,
    ) -> Result<(), BlockError> {
        self.reaches_back_to = self.reaches_back_to.min(frame::reach(entry));
        places.renumber(&mut self.map(tables))?;
        entry::write(entry, places, &mut self.previous, &mut self.columns)?;
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

    fn finish(mut self, states: Option<StatesBody>) -> Result<PlainStream, BlockError> {
        self.end_singles();
        let mut payload = vec![STREAM_VERSION];
        self.tables.write(&mut payload);
        self.columns.write(&mut payload);
        let states = states.map(|mut states| {
            // A state that is larger than what happens from it on is not repeated in each block.
            let most = payload.len().max(STATE_BYTES);
            for (_, part) in &mut states.channels {
                *part = part.take().filter(|part| part.len() <= most);
            }
            let mut bytes = Vec::new();
            pack(&states, &mut bytes).map(|()| bytes)
        });
        Ok(PlainStream {
            from: self.from,
            reaches_back_to: self.reaches_back_to,
            states: states.transpose()?,
            payload,
        })
    }
}
