//! A stream of records: the tables and rows of one payload. A frame has one stream, a sealed block several. In which
//! order the records of several streams follow one another is not known here.

use super::FrameError;
use super::chain_check::Check;
use super::piece::RecordPiece;
use super::tagged::{OtherBody, Tagged};
use crate::domain::entry::Rules;
use crate::domain::look_ahead::AHEAD;
use crate::domain::names::Names;
use crate::limits::FRAME_ENTRIES_MAX;
use crate::log::Record;
use crate::log::codec::bytes::Reader;
use crate::log::codec::columns::{ColumnPlaces, RowReader};
use crate::log::codec::record::entry::{self, Previous};
use crate::log::codec::tables::Hashes;
use crate::log::codec::tables::read::{ChannelScope, LazyTables, TableReader, Tables};
use crate::log::codec::{COLUMNS_VERSION, ORDERED_VERSION, PAYLOAD_VERSION, STREAM_VERSION};

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
    /// The only channel whose records are wanted: other channels' changes, snapshots, tokens and pages may be left out, and so
    /// may what concerns no presence.
    pub channel: Option<&'a str>,
    /// Whether the texts of entries are wanted: metadata, ids and reasons.
    pub texts: bool,
    /// Whether a second thread may decode it. To start one takes as long as to decode a thousand entries.
    pub ahead: bool,
}

impl ReadScope<'_> {
    /// All of it.
    #[must_use]
    pub fn all(check: Check) -> Self {
        ReadScope {
            check,
            channel: None,
            texts: true,
            ahead: true,
        }
    }
}

/// A stream that is being read.
pub(super) struct Stream<V> {
    payload: FramePayload<V>,
    layout: PayloadLayout,
    tables: LazyTables,
    tables_needed: TablesNeeded,
    /// Where the chain is checked.
    hashes: Option<Hashes>,
    records: RecordDecoder,
    /// Where its records stand among those of all streams; but in a block of the first version, how many values and
    /// records each frame had.
    list: Vec<u8>,
    is_placed: bool,
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

/// How much of a stream's tables its reader needs.
#[derive(Clone, Copy)]
enum TablesNeeded {
    /// All, if it goes on.
    Begun,
    /// All that is not looked up yet.
    All,
    /// What is looked up when it is used.
    Parts,
}

/// A record that was read.
pub(super) struct ReadRecord {
    /// How many entries it has; those out of the scope count, too.
    pub entries: usize,
    /// Its number in the piece; `None`: it is not in the scope.
    pub number: Option<usize>,
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
                let mut places = Box::new(ColumnPlaces::read(&mut reader, bytes.len())?);
                if !scope.texts && scope.check == Check::Form {
                    places.without_texts();
                }
                (tables, PayloadLayout::Columns(places))
            }
            layout => return Err(FrameError::Layout(layout)),
        };
        // The chain is computed over all entries.
        let checked = scope.check == Check::Chain;
        let channel = scope.channel.filter(|_| !checked);
        let channel = channel.map(|channel| ChannelScope::of(channel, &tables));
        let records = RecordDecoder {
            scope: channel,
            // The chain is over their hashes, which are at hand.
            texts: scope.texts,
            checks: checked,
            previous: Previous::default(),
            rules: None,
            run: 0,
        };
        Ok(Stream {
            tables_needed: if records.scope.is_none() && tables.members() >= AHEAD {
                TablesNeeded::Begun
            } else {
                TablesNeeded::Parts
            },
            tables: LazyTables::new(&tables),
            hashes: checked.then(|| tables.hashes()).transpose()?,
            payload,
            layout,
            records,
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

    /// Decodes records into a piece. `next` gets the record that was read, and gives the seq of the next one; `None` if no more
    /// are wanted. Returns `false` if there are no more. Interns their names and members in `names`.
    pub fn read(
        &mut self,
        names: &mut Names,
        counts: &mut RecordCounts,
        piece: &mut RecordPiece,
        next: impl FnMut(Option<ReadRecord>) -> Result<Option<u64>, FrameError>,
    ) -> Result<bool, FrameError> {
        let payload = self.payload.bytes();
        self.tables_needed = match self.tables_needed {
            // A reader may want a few records only.
            TablesNeeded::Begun => TablesNeeded::All,
            TablesNeeded::All => {
                self.tables.intern_all(payload, names)?;
                TablesNeeded::Parts
            }
            TablesNeeded::Parts => TablesNeeded::Parts,
        };
        let mut tables = TableReader::new(&mut self.tables, payload, names);
        let tables = &mut tables.with_texts(self.records.texts);
        match &mut self.layout {
            PayloadLayout::Rows(at) => {
                let mut reader = Reader::new(payload.get(*at..).unwrap_or_default());
                let more = self.records.read(&mut reader, tables, counts, piece, next);
                *at = payload.len() - reader.left();
                more
            }
            PayloadLayout::Columns(places) => {
                let mut reader = places.reader(payload)?;
                let more = self.records.read(&mut reader, tables, counts, piece, next);
                places.move_to(&reader);
                more
            }
        }
    }

    /// The hashes of its tables, where the chain is checked.
    pub fn hashes(&self) -> Option<&Hashes> {
        self.hashes.as_ref()
    }

    /// Checks that nothing is left.
    pub fn expect_end(&self) -> Result<(), FrameError> {
        match &self.layout {
            PayloadLayout::Columns(places) if self.records.run == 0 => Ok(places.expect_end()?),
            PayloadLayout::Rows(at) if *at == self.payload.bytes().len() => Ok(()),
            _ => Err(FrameError::Disagree("the order of records")),
        }
    }
}

/// Decodes the records of a stream.
struct RecordDecoder {
    scope: Option<ChannelScope>,
    texts: bool,
    /// The chain is checked.
    checks: bool,
    previous: Previous,
    rules: Option<Rules>,
    /// Commits of one entry that still follow under the last tag.
    run: usize,
}

impl RecordDecoder {
    fn read(
        &mut self,
        reader: &mut impl RowReader,
        tables: &mut TableReader<'_>,
        counts: &mut RecordCounts,
        piece: &mut RecordPiece,
        mut next: impl FnMut(Option<ReadRecord>) -> Result<Option<u64>, FrameError>,
    ) -> Result<bool, FrameError> {
        let mut wanted = next(None)?;
        while let Some(seq) = wanted {
            let number = piece.len();
            let entries = match self.begin(reader)? {
                None => return Ok(false),
                Some(RecordBegin::Commit(entries)) => {
                    self.commit(reader, tables, (seq, entries), piece)?;
                    counts.commits += 1;
                    counts.entries += entries as u64;
                    entries
                }
                Some(RecordBegin::Other(body)) => {
                    if let Some(other) = self.other(body, tables, counts)? {
                        piece.other(other, seq);
                    }
                    0
                }
            };
            let number = (piece.len() > number).then_some(number);
            wanted = next(Some(ReadRecord { entries, number }))?;
        }
        Ok(true)
    }

    /// What the next record is; `None` if there is none.
    #[inline]
    fn begin(&mut self, reader: &mut impl RowReader) -> Result<Option<RecordBegin>, FrameError> {
        while self.run == 0 {
            match Tagged::read(reader, &mut self.rules)? {
                None => return Ok(None),
                Some(Tagged::Singles(commits)) => self.run = commits,
                Some(Tagged::Commit(entries)) => return Ok(Some(RecordBegin::Commit(entries))),
                Some(Tagged::Other(body)) => return Ok(Some(RecordBegin::Other(body))),
            }
        }
        self.run -= 1;
        Ok(Some(RecordBegin::Commit(1)))
    }

    /// The record of a body; `None` if it is not in the scope.
    fn other(
        &mut self,
        body: OtherBody,
        tables: &mut TableReader<'_>,
        counts: &mut RecordCounts,
    ) -> Result<Option<Record>, FrameError> {
        // The texts of these are always wanted.
        let tables = &mut tables.with_texts(true);
        let of_all = self.scope.is_none();
        match &body {
            OtherBody::Page(_) | OtherBody::Closed(_) => counts.pages += 1,
            OtherBody::Reject(_) | OtherBody::Settled(_) => counts.rejects += 1,
            OtherBody::Progress(_) | OtherBody::Forgotten(_) => counts.progress += 1,
        }
        Ok(match body {
            OtherBody::Page(body) => {
                let rules = self.rules()?;
                if self.scope.as_ref().is_some_and(|scope| !body.is_in(scope)) {
                    return Ok(None);
                }
                let page = body.page(tables)?;
                Some(Record::Page { rules, page })
            }
            OtherBody::Closed(body) => Some(Record::Closed(body.closed(tables)?)),
            _ if !of_all => None,
            OtherBody::Reject(body) => Some(Record::Reject(body.reject(tables)?)),
            OtherBody::Settled(reject) => Some(Record::Settled(reject)),
            OtherBody::Progress(body) => Some(Record::Progress(body.progress(tables)?)),
            OtherBody::Forgotten(body) => Some(Record::Forgotten(body.forgotten(tables)?)),
        })
    }

    fn rules(&self) -> Result<Rules, FrameError> {
        self.rules.ok_or(FrameError::Disagree("rules"))
    }

    /// Decodes a commit of so many entries, of which the first one has the number `seq`.
    #[inline]
    fn commit(
        &mut self,
        reader: &mut impl RowReader,
        tables: &mut TableReader<'_>,
        (seq, entries): (u64, usize),
        piece: &mut RecordPiece,
    ) -> Result<(), FrameError> {
        let rules = self.rules()?;
        let end = seq.checked_add(entries as u64);
        let end = end.ok_or(FrameError::Disagree("entries"))?;
        let from = piece.entries();
        piece.reserve(entries.min(FRAME_ENTRIES_MAX));
        for at in seq..end {
            let row = match &self.scope {
                None => Some(entry::read_row(reader, at, &mut self.previous)?),
                Some(scope) => entry::read_row_of(scope, reader, at, &mut self.previous)?,
            };
            let Some(row) = row else { continue };
            piece.entry(row.entry(tables)?);
            if self.checks {
                piece.places(row.into_places());
            }
        }
        if piece.entries() > from {
            piece.commit(rules, from);
        }
        Ok(())
    }
}

/// The begin of a record.
enum RecordBegin {
    /// A commit of so many entries.
    Commit(usize),
    /// One without entries.
    Other(OtherBody),
}
