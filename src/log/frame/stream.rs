//! A stream of records: the tables and rows of one payload. A frame has one stream, a sealed block several. In which
//! order the records of several streams follow one another is not known here.

use super::FrameError;
use super::chain_check::{ChainCheck, Check};
use super::encode::tag;
use crate::domain::entry::{Entry, Rules};
use crate::domain::names::Names;
use crate::limits::FRAME_ENTRIES_MAX;
use crate::log::Record;
use crate::log::codec::bytes::Reader;
use crate::log::codec::columns::{Column, ColumnPlaces, ColumnReader, RowReader};
use crate::log::codec::record::closed::ClosedBody;
use crate::log::codec::record::entry::{self, Previous};
use crate::log::codec::record::forgotten::ForgottenBody;
use crate::log::codec::record::page::PageBody;
use crate::log::codec::record::progress::ProgressBody;
use crate::log::codec::record::reject::RejectBody;
use crate::log::codec::record::rules;
use crate::log::codec::tables::Hashes;
use crate::log::codec::tables::read::{ChannelScope, LazyTables, TableReader, Tables};
use crate::log::codec::{
    COLUMNS_VERSION, CodecError, ORDERED_VERSION, PAYLOAD_VERSION, STREAM_VERSION,
};

/// The bytes that have the payload before compression; it begins somewhere in them.
pub(super) enum FramePayload<V> {
    /// The frame's only value.
    Value(V),
    /// The body joined from several values, or the decompressed payload.
    Joined(Vec<u8>),
}

impl<V: AsRef<[u8]>> FramePayload<V> {
    fn bytes(&self) -> &[u8] {
        match self {
            FramePayload::Value(value) => value.as_ref(),
            FramePayload::Joined(bytes) => bytes,
        }
    }
}

/// Where the unread rest of the records is in the payload.
enum PayloadLayout {
    /// From this byte on, row by row.
    Rows(usize),
    /// In columns.
    Columns(Box<ColumnPlaces>),
}

/// What is read of a frame or block.
#[derive(Debug, Clone, Copy)]
pub struct ReadScope<'a> {
    /// How much of it is checked.
    pub check: Check,
    /// The only channel whose records are wanted: other channels' changes, snapshots, tokens and pages may be left out.
    pub channel: Option<&'a str>,
    /// Whether the texts of entries are wanted: metadata, ids and reasons.
    pub texts: bool,
}

impl ReadScope<'_> {
    /// All of it.
    #[must_use]
    pub fn all(check: Check) -> Self {
        ReadScope {
            check,
            channel: None,
            texts: true,
        }
    }
}

/// A stream that is being read.
pub(super) struct Stream<V> {
    payload: FramePayload<V>,
    layout: PayloadLayout,
    decoder: RecordDecoder,
    /// Where its records stand among those of all streams; but in a block of the first version, how many values and
    /// records each frame had.
    list: Vec<u8>,
    is_placed: bool,
}

/// What was read of all streams.
pub(super) struct ReadSoFar {
    /// The next entry's number.
    pub seq: u64,
    pub counts: RecordCounts,
    pub verify: Option<ChainCheck>,
    /// Memory for the entries of the next commit, while the last record is none.
    room: Vec<Entry>,
}

/// How many records of each kind were decoded.
#[derive(Default)]
pub(super) struct RecordCounts {
    pub entries: u64,
    pub commits: u64,
    pub pages: u64,
    pub rejects: u64,
    pub progress: u64,
}

/// What came of reading a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadStep {
    Read,
    /// The record is not in the scope.
    PassedOver,
    /// There is none.
    End,
}

impl ReadSoFar {
    pub fn new(first_seq: u64, verify: Option<ChainCheck>) -> ReadSoFar {
        ReadSoFar {
            seq: first_seq,
            counts: RecordCounts::default(),
            verify,
            room: Vec::new(),
        }
    }
}

impl<V: AsRef<[u8]>> Stream<V> {
    /// Opens the stream of a payload that begins at the byte `from`.
    pub fn open(
        payload: FramePayload<V>,
        from: usize,
        scope: ReadScope<'_>,
    ) -> Result<Self, FrameError> {
        let bytes = payload.bytes();
        let mut reader = Reader::new(bytes.get(from..).unwrap_or_default());
        let (mut list, mut is_placed) = (Vec::new(), false);
        let (tables, layout) = match reader.byte()? {
            PAYLOAD_VERSION => {
                let tables = Tables::read(&mut reader)?;
                (tables, PayloadLayout::Rows(bytes.len() - reader.left()))
            }
            version @ (COLUMNS_VERSION | ORDERED_VERSION | STREAM_VERSION) => {
                let tables = Tables::read_columns(&mut reader)?;
                is_placed = version == STREAM_VERSION;
                if version != ORDERED_VERSION {
                    let length = reader.count(1)?;
                    list = reader.take(length)?.to_vec();
                }
                let places = Box::new(ColumnPlaces::read(&mut reader, bytes.len())?);
                (tables, PayloadLayout::Columns(places))
            }
            layout => return Err(FrameError::Layout(layout)),
        };
        // The chain is computed over all entries.
        let checked = scope.check == Check::Chain;
        let channel = scope.channel.filter(|_| !checked);
        let channel = channel.map(|channel| ChannelScope::of(channel, &tables));
        let decoder = RecordDecoder {
            tables: LazyTables::new(&tables),
            hashes: checked.then(|| tables.hashes()).transpose()?,
            scope: channel,
            // The chain is over their hashes, which are at hand.
            texts: scope.texts,
            previous: Previous::default(),
            rules: None,
            run: 0,
        };
        Ok(Stream {
            payload,
            layout,
            decoder,
            list,
            is_placed,
        })
    }

    /// Takes the list of frames out of a block of the first version.
    pub fn take_frames(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.list)
    }

    /// Takes the places of its records among those of all streams, each less the one before; `None` if the block has an
    /// order of its records instead.
    pub fn take_places(&mut self) -> Option<Vec<u8>> {
        self.is_placed.then(|| std::mem::take(&mut self.list))
    }

    /// Replaces `record` by the next one. Interns its names and members in `names`.
    pub fn read(
        &mut self,
        names: &mut Names,
        so_far: &mut ReadSoFar,
        record: &mut Option<Record>,
    ) -> Result<ReadStep, FrameError> {
        let payload = self.payload.bytes();
        match &mut self.layout {
            PayloadLayout::Rows(at) => {
                let mut reader = Reader::new(payload.get(*at..).unwrap_or_default());
                let step = self
                    .decoder
                    .read(&mut reader, (payload, names), so_far, record)?;
                *at = payload.len() - reader.left();
                Ok(step)
            }
            PayloadLayout::Columns(places) => {
                let mut reader = ColumnReader { payload, places };
                self.decoder
                    .read(&mut reader, (payload, names), so_far, record)
            }
        }
    }

    /// Checks that nothing is left.
    pub fn expect_end(&self) -> Result<(), FrameError> {
        match &self.layout {
            PayloadLayout::Columns(places) if self.decoder.run == 0 => Ok(places.expect_end()?),
            PayloadLayout::Rows(at) if *at == self.payload.bytes().len() => Ok(()),
            _ => Err(FrameError::Disagree("the order of records")),
        }
    }
}

/// Decodes the records of a stream.
struct RecordDecoder {
    tables: LazyTables,
    /// Where the chain is checked.
    hashes: Option<Hashes>,
    scope: Option<ChannelScope>,
    texts: bool,
    previous: Previous,
    rules: Option<Rules>,
    /// Commits of one entry that still follow under the last tag.
    run: usize,
}

/// What the tables of a stream need to be read: the payload, and the dictionary.
type TableSource<'s> = (&'s [u8], &'s mut Names);

impl RecordDecoder {
    fn read(
        &mut self,
        reader: &mut impl RowReader,
        source: TableSource<'_>,
        so_far: &mut ReadSoFar,
        record: &mut Option<Record>,
    ) -> Result<ReadStep, FrameError> {
        loop {
            if self.run > 0 {
                self.run -= 1;
                return self.commit(reader, 1, source, so_far, record);
            }
            if reader.is_at_end() {
                return Ok(ReadStep::End);
            }
            match reader.byte(Column::Tags)? {
                tag::RULES => self.rules = Some(rules::read(reader, true)?),
                tag::RULES_OF => self.rules = Some(rules::read(reader, false)?),
                tag::SINGLES => self.run = reader.rows()?,
                tag::COMMIT => {
                    let count = reader.rows()?;
                    if count == 0 {
                        return Err(FrameError::EmptyCommit);
                    }
                    return self.commit(reader, count, source, so_far, record);
                }
                tag => {
                    let Some(other) = self.other(tag, reader, source, &mut so_far.counts)? else {
                        return Ok(ReadStep::PassedOver);
                    };
                    if let Some(Record::Commit { entries, .. }) = record.replace(other) {
                        so_far.room = entries;
                    }
                    return Ok(ReadStep::Read);
                }
            }
        }
    }

    /// Decodes a record that has no entries; `None` if it is not in the scope.
    fn other(
        &mut self,
        tag: u8,
        reader: &mut impl RowReader,
        (payload, names): TableSource<'_>,
        counts: &mut RecordCounts,
    ) -> Result<Option<Record>, FrameError> {
        match tag {
            tag::PAGE | tag::CLOSED => counts.pages += 1,
            tag::REJECT | tag::SETTLED => counts.rejects += 1,
            tag::PROGRESS | tag::FORGOTTEN => counts.progress += 1,
            other => {
                let (what, value) = ("record", u64::from(other));
                return Err(CodecError::Unknown { what, value }.into());
            }
        }
        let rules = self.rules();
        let tables = &mut TableReader::new(&mut self.tables, payload, names);
        Ok(Some(match tag {
            tag::PAGE => {
                let rules = rules?;
                let body: PageBody = reader.body()?;
                if self.scope.as_ref().is_some_and(|scope| !body.is_in(scope)) {
                    return Ok(None);
                }
                let page = body.page(tables)?;
                Record::Page { rules, page }
            }
            tag::CLOSED => {
                let body: ClosedBody = reader.body()?;
                Record::Closed(body.closed(tables)?)
            }
            tag::REJECT => {
                let body: RejectBody = reader.body()?;
                Record::Reject(body.reject(tables)?)
            }
            tag::SETTLED => Record::Settled(reader.varint(Column::Bodies)?),
            tag::FORGOTTEN => {
                let body: ForgottenBody = reader.body()?;
                Record::Forgotten(body.forgotten(tables)?)
            }
            _ => {
                let body: ProgressBody = reader.body()?;
                Record::Progress(body.progress(tables)?)
            }
        }))
    }

    fn rules(&self) -> Result<Rules, FrameError> {
        self.rules.ok_or(FrameError::Disagree("rules"))
    }

    /// Decodes a commit. Its entries take the place of those of the commit before: most commits have one entry, and
    /// there are many.
    fn commit(
        &mut self,
        reader: &mut impl RowReader,
        count: usize,
        (payload, dictionary): TableSource<'_>,
        so_far: &mut ReadSoFar,
        record: &mut Option<Record>,
    ) -> Result<ReadStep, FrameError> {
        let rules = self.rules()?;
        let ReadSoFar {
            seq,
            counts,
            verify,
            room,
        } = so_far;
        counts.commits += 1;
        counts.entries += count as u64;
        if let Some(verify) = verify {
            verify.begin(&rules, *seq, count);
        }
        if !matches!(record, Some(Record::Commit { .. })) {
            let entries = std::mem::take(room);
            *record = Some(Record::Commit { rules, entries });
        }
        let Some(Record::Commit { rules: of, entries }) = record else {
            return Ok(ReadStep::PassedOver);
        };
        *of = rules;
        entries.clear();
        entries.reserve(count.min(FRAME_ENTRIES_MAX));
        let tables = TableReader::new(&mut self.tables, payload, dictionary);
        let tables = &mut tables.with_texts(self.texts);
        for _ in 0..count {
            let at = *seq;
            *seq = at.checked_add(1).ok_or(FrameError::Disagree("entries"))?;
            let row = match &self.scope {
                None => Some(entry::read_row(reader, at, &mut self.previous)?),
                Some(scope) => entry::read_row_of(scope, reader, at, &mut self.previous)?,
            };
            let Some(row) = row else { continue };
            let (entry, places) = row.entry(tables)?;
            if let (Some(verify), Some(hashes)) = (&mut *verify, &self.hashes) {
                verify.entry(&entry, &places, hashes)?;
            }
            entries.push(entry);
        }
        if let Some(verify) = verify {
            verify.end();
        }
        Ok(if entries.is_empty() {
            ReadStep::PassedOver
        } else {
            ReadStep::Read
        })
    }
}
