//! Sorts the records of frames into streams by channel, so that a question about one channel reads a small part of a
//! block. Within a stream the fields of the records go into columns.

use super::envelope::BlockError;
use super::object::{PlainStream, STREAMS_MAX};
use super::plain_frame::{PlainRecord, RecordSink, hash_of};
use super::states::StartStates;
use crate::domain::entry::{Entry, Rules};
use crate::domain::names::Names;
use crate::domain::time::Millis;
use crate::log::codec::bytes::{Reader, pack, put_varint};
use crate::log::codec::columns::{Column, ColumnWriter, RowWriter};
use crate::log::codec::header::StatesBody;
use crate::log::codec::record::RecordBody;
use crate::log::codec::record::entry::{self, EntryPlaces, Previous};
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
#[derive(Debug, Default)]
pub(super) struct EntryCounter {
    /// By the channel's hash.
    pub entries: BTreeMap<u64, u64>,
    previous: Previous,
}

impl RecordSink for EntryCounter {
    fn begin(&mut self, _tables: &Tables<'_>, _first_seq: u64) -> Result<(), BlockError> {
        self.previous = Previous::default();
        Ok(())
    }

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

    fn other(&mut self, record: PlainRecord, tables: &Tables<'_>) -> Result<(), BlockError> {
        if let PlainRecord::Page(page) = record
            && let Some(hash) = hash_of(page.channel(), tables)?
        {
            self.entries.entry(hash).or_default();
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

    fn body(
        &mut self,
        tag: u8,
        mut body: impl RecordBody,
        stream: usize,
        tables: &Tables<'_>,
    ) -> Result<(), BlockError> {
        let writer = self.writer(stream)?;
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
    fn begin(&mut self, tables: &Tables<'_>, first_seq: u64) -> Result<(), BlockError> {
        self.frame = FrameRows {
            tables: TableReader::new(tables, &mut self.names, None)?,
            streams: HashMap::new(),
            seq: first_seq,
            previous: Previous::default(),
        };
        for stream in &mut self.streams {
            stream.known = KnownPositions::none_of(tables);
        }
        Ok(())
    }

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

    fn other(&mut self, record: PlainRecord, tables: &Tables<'_>) -> Result<(), BlockError> {
        match record {
            PlainRecord::Page(body) => {
                let stream = self.stream_of(Some(body.channel()), tables)?;
                if let Some(rules) = self.rules {
                    self.writer(stream)?.rules(rules)?;
                }
                self.body(tag::PAGE, body, stream, tables)
            }
            PlainRecord::Closed(body) => self.body(tag::CLOSED, body, 0, tables),
            PlainRecord::Reject(body) => self.body(tag::REJECT, body, 0, tables),
            PlainRecord::Progress(body) => self.body(tag::PROGRESS, body, 0, tables),
            PlainRecord::Settled(reject) => {
                let writer = self.writer(0)?;
                writer.tag(tag::SETTLED);
                writer.columns.varint(Column::Bodies, reject);
                self.follow(0, NO_ENTRY, 1)
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
