//! Sorts the records of frames into streams by channel, so that a question about one channel reads a small part of a
//! block. Within a stream the fields of the records go into columns.

use super::channels::BlockChannels;
use super::envelope::{BlockError, NewSection};
use super::filter::ChannelFilter;
use super::object::{NewSections, NewStream};
use super::plain_frame::{PlainRecord, RecordSink, hash_of};
use super::reach::Reaches;
use super::states::StartStates;
use crate::domain::entry::{Entry, Rules};
use crate::domain::names::Names;
use crate::domain::time::Millis;
use crate::log::codec::bytes::{pack, put_varint};
use crate::log::codec::columns::{Column, ColumnWriter, RowReader, RowWriter};
use crate::log::codec::header::StatesBody;
use crate::log::codec::record::RecordBody;
use crate::log::codec::record::entry::{self, EntryPlaces, Previous};
use crate::log::codec::record::rules;
use crate::log::codec::tables::NameAt;
use crate::log::codec::tables::erase::Erasure;
use crate::log::codec::tables::map::{KnownPositions, Renumber, TableMap, TableMerger};
use crate::log::codec::tables::read::{LazyTables, TableReader, Tables};
use crate::log::codec::{CodecError, STREAM_VERSION};
use crate::log::frame::{FrameError, STREAMS_MAX, tag};
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

/// A stream gets no further channel when it would have more entries than this: so a question about one channel decodes
/// few entries of others. Smaller streams compress worse.
const STREAM_ENTRIES: u64 = 512;

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
        reader: &mut impl RowReader,
        entries: usize,
    ) -> Result<(), BlockError> {
        for _ in 0..entries {
            let row = entry::read_row(reader, 0, &mut self.previous)?;
            if let Some(channel) = row.places().channel(tables)? {
                *self.entries.entry(hash_of(channel, tables)?).or_default() += 1;
            }
        }
        Ok(())
    }

    fn other(&mut self, record: PlainRecord, tables: &Tables<'_>) -> Result<(), BlockError> {
        if let PlainRecord::Page(page) = record {
            let hash = hash_of(page.channel(), tables)?;
            self.entries.entry(hash).or_default();
        }
        Ok(())
    }
}

/// Writes each record into its stream.
pub(super) struct StreamSorter {
    /// The first has the records of no single channel. The others are in the order of their channels' hashes.
    streams: Vec<StreamWriter>,
    /// Places so far: each entry has one, and so has each record without entries.
    places: u64,
    /// The places of records without entries, each less the one before.
    bare: Vec<u8>,
    last_bare: u64,
    rules: Option<Rules>,
    /// The dictionary that entries need to be decoded. Its numbers are not written.
    names: Names,
    reaches: Reaches,
    frame: FrameRows,
    /// Records so far; rules are none.
    pub records: u64,
}

/// What is needed to read the rows of one frame.
#[derive(Default)]
struct FrameRows {
    tables: LazyTables,
    /// The streams and hashes of the frame's channels, as far as they were looked up.
    streams: HashMap<NameAt, (usize, Option<u64>)>,
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
            places: 0,
            bare: Vec::new(),
            last_bare: 0,
            rules: None,
            names: Names::new(),
            reaches: Reaches::default(),
            frame: FrameRows::default(),
            records: 0,
        }
    }

    /// The stream of a channel of the frame, and the channel's hash; or of records without one.
    fn stream_of(
        &mut self,
        channel: Option<NameAt>,
        tables: &Tables<'_>,
    ) -> Result<(usize, Option<u64>), CodecError> {
        let Some(channel) = channel else {
            return Ok((0, None));
        };
        if let Some(&known) = self.frame.streams.get(&channel) {
            return Ok(known);
        }
        let hash = hash_of(channel, tables)?;
        let is_before = |it: &StreamWriter| it.from.is_none_or(|from| from <= hash);
        let stream = self.streams.partition_point(is_before).saturating_sub(1);
        self.frame.streams.insert(channel, (stream, Some(hash)));
        Ok((stream, Some(hash)))
    }

    /// Gives the next record of a stream its place.
    fn follow(&mut self, stream: usize, entries: usize) -> Result<(), BlockError> {
        let place = self.places;
        if entries == 0 {
            put_varint(&mut self.bare, place - self.last_bare);
            self.last_bare = place;
        }
        let writer = self.writer(stream)?;
        put_varint(&mut writer.places, place - writer.last_place);
        writer.last_place = place;
        self.places += entries.max(1) as u64;
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
        body: impl RecordBody,
        stream: usize,
        tables: &Tables<'_>,
    ) -> Result<(), BlockError> {
        self.writer(stream)?.body(tag, body, tables, None)?;
        self.follow(stream, 0)
    }

    /// What a block has besides its header.
    pub fn finish(
        self,
        frames: &[u8],
        filter: ChannelFilter,
        states: Option<&StartStates>,
    ) -> Result<NewSections<'static>, BlockError> {
        let mut order = Vec::with_capacity(frames.len() + self.bare.len() + 8);
        put_varint(&mut order, frames.len() as u64);
        order.extend_from_slice(frames);
        let mut streams = self.streams;
        let is_empty = |stream: &StreamWriter| stream.places.is_empty();
        if streams.iter().skip(1).all(is_empty) {
            streams.truncate(1);
        } else {
            order.extend_from_slice(&self.bare);
        }
        let ends = streams.iter().skip(1).map(|next| next.from);
        let ends: Vec<Option<u64>> = ends.chain([None]).collect();
        let reach = self.reaches.finish();
        let finish = |(stream, end): (StreamWriter, Option<u64>)| {
            let first = stream.from.is_none();
            let channels = (
                stream.from.map_or(Bound::Unbounded, Bound::Included),
                end.map_or(Bound::Unbounded, Bound::Excluded),
            );
            let reaches_back_to = reach.of_stream(channels, first);
            let states = states.map(|states| states.of_stream(channels, first));
            stream.finish(reaches_back_to, states)
        };
        let streams = streams.into_iter().zip(ends).map(finish);
        let stated = states.map(|states| states.channels.keys().copied().collect());
        Ok(NewSections {
            order: Some(NewSection::Plain(order)),
            streams: streams.collect::<Result<_, BlockError>>()?,
            channels: Some(BlockChannels {
                stated: stated.unwrap_or_default(),
                far: reach.far,
                filter,
            }),
        })
    }
}

impl RecordSink for StreamSorter {
    fn begin(&mut self, tables: &Tables<'_>, first_seq: u64) -> Result<(), BlockError> {
        self.frame = FrameRows {
            tables: LazyTables::new(tables),
            streams: HashMap::new(),
            seq: first_seq,
            previous: Previous::default(),
        };
        for stream in &mut self.streams {
            stream.begin(tables);
        }
        Ok(())
    }

    fn rules(&mut self, rules: Rules) {
        self.rules = Some(rules);
    }

    fn commit(
        &mut self,
        tables: &Tables<'_>,
        reader: &mut impl RowReader,
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
            let at = &mut TableReader::new(at, tables.payload, &mut self.names);
            let row = entry::read_row(reader, *seq, previous)?;
            let (entry, places) = (row.entry(at)?, row.into_places());
            *seq = seq.checked_add(1).ok_or(FrameError::Disagree("entries"))?;
            let (of, channel) = self.stream_of(places.channel(tables)?, tables)?;
            self.reaches.note(&entry, channel, &self.names);
            // A commit of several streams is in the first. Only links make one: so the changes and snapshots of a channel
            // are all in its stream, on which readers of rosters rely.
            let same = stream.is_none_or(|stream| stream == of);
            stream = Some(if same { of } else { 0 });
            entries.push((entry, places));
        }
        let stream = stream.ok_or(FrameError::EmptyCommit)?;
        let writer = self.writer(stream)?;
        writer.commit(rules, count)?;
        for (entry, places) in &mut entries {
            writer.entry(entry, places, tables, None)?;
        }
        self.follow(stream, count)
    }

    fn other(&mut self, record: PlainRecord, tables: &Tables<'_>) -> Result<(), BlockError> {
        match record {
            PlainRecord::Page(body) => {
                let (stream, _) = self.stream_of(Some(body.channel()), tables)?;
                if let Some(rules) = self.rules {
                    self.writer(stream)?.rules(rules)?;
                }
                self.body(tag::PAGE, body, stream, tables)
            }
            PlainRecord::Closed(body) => self.body(tag::CLOSED, body, 0, tables),
            PlainRecord::Reject(body) => self.body(tag::REJECT, body, 0, tables),
            PlainRecord::Progress(body) => self.body(tag::PROGRESS, body, 0, tables),
            PlainRecord::Forgotten(body) => self.body(tag::FORGOTTEN, body, 0, tables),
            PlainRecord::Settled(reject) => {
                self.writer(0)?.settled(reject);
                self.follow(0, 0)
            }
        }
    }
}

/// Writes one stream.
#[derive(Default)]
pub(super) struct StreamWriter {
    /// The hash of its first channel.
    from: Option<u64>,
    /// The places of its records, each less the one before.
    places: Vec<u8>,
    last_place: u64,
    tables: TableMerger,
    columns: ColumnWriter,
    /// Where the strings of the present frame are in the tables.
    known: KnownPositions,
    previous: Previous,
    rules: Option<Rules>,
    /// Commits of one entry that were written since the last tag, and share the next one.
    singles: u64,
}

impl StreamWriter {
    /// Begins with records whose strings are in these tables.
    pub fn begin(&mut self, tables: &Tables<'_>) {
        self.known = KnownPositions::none_of(tables);
    }

    fn map<'m, 't, 'e>(
        &'m mut self,
        tables: &'m Tables<'t>,
        erasure: Option<&'m mut Erasure<'e>>,
    ) -> TableMap<'m, 't, 'e> {
        TableMap {
            from: tables,
            to: &mut self.tables,
            known: &mut self.known,
            erasure,
        }
    }

    /// Begins a commit. Its entries follow.
    pub fn commit(&mut self, rules: Rules, entries: usize) -> Result<(), BlockError> {
        self.rules(rules)?;
        if entries == 1 {
            self.singles += 1;
        } else {
            self.tag(tag::COMMIT);
            self.columns.varint(Column::Tags, entries as u64);
        }
        Ok(())
    }

    /// Writes an entry whose strings are in the tables of a frame.
    pub fn entry(
        &mut self,
        entry: &Entry,
        places: &mut EntryPlaces,
        tables: &Tables<'_>,
        erasure: Option<&mut Erasure<'_>>,
    ) -> Result<(), BlockError> {
        places.renumber(&mut self.map(tables, erasure))?;
        entry::write(entry, places, &mut self.previous, &mut self.columns)?;
        Ok(())
    }

    /// Writes a record that is one body.
    pub fn body(
        &mut self,
        tag: u8,
        mut body: impl RecordBody,
        tables: &Tables<'_>,
        erasure: Option<&mut Erasure<'_>>,
    ) -> Result<(), BlockError> {
        body.renumber(&mut self.map(tables, erasure))?;
        self.tag(tag);
        pack(&body, self.columns.column(Column::Bodies))?;
        Ok(())
    }

    /// Notes that a reject is settled.
    pub fn settled(&mut self, reject: u64) {
        self.tag(tag::SETTLED);
        self.columns.varint(Column::Bodies, reject);
    }

    /// Writes rules, if they are not those of the records before.
    pub fn rules(&mut self, rules: Rules) -> Result<(), BlockError> {
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

    fn finish(
        mut self,
        reaches_back_to: Millis,
        states: Option<StatesBody<'_>>,
    ) -> Result<NewStream<'static>, BlockError> {
        let places = std::mem::take(&mut self.places);
        let states = states.map(|states| {
            let mut bytes = Vec::new();
            pack(&states, &mut bytes).map(|()| NewSection::Plain(bytes))
        });
        Ok(NewStream {
            from: self.from,
            reaches_back_to,
            states: states.transpose()?,
            payload: NewSection::Plain(self.payload(STREAM_VERSION, Some(&places))),
        })
    }

    /// The payload, with the list that stands between tables and columns in most versions.
    pub fn payload(mut self, version: u8, list: Option<&[u8]>) -> Vec<u8> {
        self.end_singles();
        let mut payload = vec![version];
        self.tables.write(&mut payload);
        if let Some(list) = list {
            put_varint(&mut payload, list.len() as u64);
            payload.extend_from_slice(list);
        }
        self.columns.write(&mut payload);
        payload
    }
}
