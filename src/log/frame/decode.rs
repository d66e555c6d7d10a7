//! Decodes values into records.

use super::FrameError;
use super::body::{FrameBody, inflate, join};
use super::chain_check::ChainCheck;
use super::encode::tag;
use super::header::FrameHeader;
use super::value::{VALUE_HEADER_BYTES, value};
use crate::domain::entry::{Entry, Rules};
use crate::domain::names::Names;
use crate::limits::FRAME_ENTRIES_MAX;
use crate::log::Record;
use crate::log::codec::bytes::Reader;
use crate::log::codec::columns::{Column, ColumnPlaces, ColumnReader, RowReader};
use crate::log::codec::record::closed::ClosedBody;
use crate::log::codec::record::entry::{self, Previous};
use crate::log::codec::record::page::PageBody;
use crate::log::codec::record::progress::ProgressBody;
use crate::log::codec::record::reject::RejectBody;
use crate::log::codec::record::rules;
use crate::log::codec::tables::read::{ChannelScope, TableReader, Tables};
use crate::log::codec::{COLUMNS_VERSION, CodecError, PAYLOAD_VERSION};
use std::borrow::Cow;
use std::ops::Range;

/// How much of a frame is checked as it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// Checksums and form: enough to detect errors of the medium.
    Form,
    /// Also the chain, and that the header agrees with the entries: this detects an attacker who alters a frame and
    /// its checksums. The check costs more than the reading.
    Chain,
}

/// A decoded frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// Its header.
    pub header: FrameHeader,
    /// Its records, in order.
    pub records: Vec<Record>,
}

/// The header of a frame, from its first value.
///
/// # Errors
/// The value is damaged, or not a frame's first part.
pub fn header(first_part: &[u8]) -> Result<FrameHeader, FrameError> {
    let value = value(first_part)?;
    if value.part != 0 {
        return Err(FrameError::Part {
            frame: value.frame,
            part: 0,
        });
    }
    let (header, _payload) = FrameHeader::read(value.frame, value.parts, value.piece)?;
    Ok(header)
}

/// Decodes the records of a frame from all its values. Interns its names and members in `names`.
///
/// # Errors
/// A value is damaged, missing or from another frame, or the frame does not agree with its header.
pub fn decode<V: AsRef<[u8]>>(
    parts: &[V],
    names: &mut Names,
    check: Check,
) -> Result<Decoded, FrameError> {
    let parts = parts.iter().map(AsRef::as_ref).collect();
    let mut frame = FrameRecords::<&[u8]>::open(parts, names, check)?;
    let mut records = Vec::new();
    while let Some(record) = frame.next(names)? {
        records.push(record.clone());
    }
    Ok(Decoded {
        header: frame.header,
        records,
    })
}

/// The records of a frame, decoded one by one: so a record is still in the processor's cache when it is used, and the
/// next one reuses its memory. Errors in the part that is not read are not found.
pub struct FrameRecords<V> {
    header: FrameHeader,
    payload: FramePayload<V>,
    layout: PayloadLayout,
    decoder: RecordDecoder,
    record: Option<Record>,
    ended: bool,
}

/// The bytes that have the payload before compression; it begins somewhere in them.
enum FramePayload<V> {
    /// The frame's only value.
    Value(V),
    /// The body joined from several values, or the decompressed payload.
    Joined(Vec<u8>),
}

/// Where the unread rest of the records is in the payload.
enum PayloadLayout {
    /// From this byte on, row by row.
    Rows(usize),
    /// In columns.
    Columns {
        places: Box<ColumnPlaces>,
        /// Where the payload says how many values and records each frame had.
        frames: Range<usize>,
    },
}

impl<V: AsRef<[u8]>> FramePayload<V> {
    fn bytes(&self) -> &[u8] {
        match self {
            FramePayload::Value(value) => value.as_ref(),
            FramePayload::Joined(bytes) => bytes,
        }
    }
}

impl<V: AsRef<[u8]>> FrameRecords<V> {
    /// Opens a frame that has these values. Interns its names and members in `names`.
    ///
    /// # Errors
    /// A value is damaged, missing or from another frame, or the frame's tables are not valid.
    pub fn open(parts: Vec<V>, names: &mut Names, check: Check) -> Result<Self, FrameError> {
        Self::open_for(parts, names, check, None)
    }

    /// The same, for a reader of one channel: other channels' changes, snapshots, tokens and pages may be left out.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub(in crate::log) fn open_for(
        mut parts: Vec<V>,
        names: &mut Names,
        check: Check,
        channel: Option<&str>,
    ) -> Result<Self, FrameError> {
        let FrameBody {
            frame,
            parts: count,
            bytes,
        } = join(&parts)?;
        let (header, packed) = FrameHeader::read(frame, count, &bytes)?;
        let before = bytes.len() - packed.len();
        let (payload, from) = match (inflate(&header, packed)?, bytes) {
            (Some(plain), _) => (FramePayload::Joined(plain), 0),
            (None, Cow::Owned(body)) => (FramePayload::Joined(body), before),
            (None, Cow::Borrowed(_)) => {
                let value = parts.pop().ok_or(FrameError::Empty)?;
                (FramePayload::Value(value), VALUE_HEADER_BYTES + before)
            }
        };
        Self::of_payload(header, payload, from, names, check, channel)
    }

    /// The same for a sealed block whose payload is decompressed. The records of its first `passed` values are not given.
    ///
    /// # Errors
    /// Its tables are not valid, or no frame begins behind these values.
    pub(in crate::log) fn of_block(
        header: FrameHeader,
        payload: Vec<u8>,
        passed: u64,
        names: &mut Names,
        check: Check,
        channel: Option<&str>,
    ) -> Result<Self, FrameError> {
        let payload = FramePayload::Joined(payload);
        // To pass over records, all of them must be given.
        let channel = channel.filter(|_| passed == 0);
        let mut records = Self::of_payload(header, payload, 0, names, check, channel)?;
        for _ in 0..records.records_in(passed)? {
            records.advance(names)?;
        }
        Ok(records)
    }

    /// How many records the first `values` values of a block have.
    fn records_in(&self, values: u64) -> Result<u64, FrameError> {
        let PayloadLayout::Columns { frames, .. } = &self.layout else {
            return Ok(0);
        };
        let mut frames = Reader::new(self.payload.bytes().get(frames.clone()).unwrap_or_default());
        let (mut passed, mut records) = (0_u64, 0_u64);
        while passed < values {
            passed = passed.saturating_add(frames.varint()?);
            records = records.saturating_add(frames.varint()?);
        }
        if passed == values {
            Ok(records)
        } else {
            Err(FrameError::Disagree("where frames begin"))
        }
    }

    fn of_payload(
        header: FrameHeader,
        payload: FramePayload<V>,
        from: usize,
        names: &mut Names,
        check: Check,
        channel: Option<&str>,
    ) -> Result<Self, FrameError> {
        let bytes = payload.bytes();
        let mut reader = Reader::new(bytes.get(from..).unwrap_or_default());
        let (tables, layout) = match reader.byte()? {
            PAYLOAD_VERSION => {
                let tables = Tables::read(&mut reader)?;
                (tables, PayloadLayout::Rows(bytes.len() - reader.left()))
            }
            COLUMNS_VERSION => {
                let tables = Tables::read_columns(&mut reader)?;
                // Where frames end matters only to a reader that begins inside the block.
                let length = reader.count(1)?;
                let begin = bytes.len() - reader.left();
                reader.take(length)?;
                let frames = begin..begin + length;
                let places = Box::new(ColumnPlaces::read(&mut reader, bytes.len())?);
                (tables, PayloadLayout::Columns { places, frames })
            }
            layout => return Err(FrameError::Layout(layout)),
        };
        let verify = match check {
            Check::Form => None,
            Check::Chain => Some(ChainCheck::new(&header, &tables)?),
        };
        // The chain is computed over all entries.
        let scope = channel.filter(|_| check == Check::Form);
        let scope = scope.and_then(|channel| ChannelScope::of(channel, &tables));
        let decoder = RecordDecoder {
            tables: TableReader::new(&tables, names, scope.as_ref())?,
            scope,
            previous: Previous::default(),
            seq: header.first_seq,
            counts: RecordCounts::default(),
            rules: None,
            verify,
            run: 0,
            room: Vec::new(),
        };
        Ok(FrameRecords {
            header,
            payload,
            layout,
            decoder,
            record: None,
            ended: false,
        })
    }

    /// The frame's header.
    #[must_use]
    pub fn header(&self) -> &FrameHeader {
        &self.header
    }

    /// The next record; `None` after the last one. `names` is the dictionary with which the frame was opened.
    ///
    /// # Errors
    /// The record is not valid, or, after the last one, the frame does not agree with its header.
    pub fn next(&mut self, names: &Names) -> Result<Option<&Record>, FrameError> {
        self.advance(names)?;
        Ok(self.current())
    }

    /// The record to which [`next`](Self::next) led.
    #[must_use]
    pub fn current(&self) -> Option<&Record> {
        self.record.as_ref()
    }

    /// Decodes the next record.
    fn advance(&mut self, names: &Names) -> Result<(), FrameError> {
        if self.ended {
            return Ok(());
        }
        let payload = self.payload.bytes();
        let found = match &mut self.layout {
            PayloadLayout::Rows(at) => {
                let mut reader = Reader::new(payload.get(*at..).unwrap_or_default());
                let found = self.decoder.read(&mut reader, &mut self.record)?;
                *at = payload.len() - reader.left();
                found
            }
            PayloadLayout::Columns { places, .. } => {
                let mut reader = ColumnReader { payload, places };
                self.decoder.read(&mut reader, &mut self.record)?
            }
        };
        if !found {
            (self.record, self.ended) = (None, true);
            if let PayloadLayout::Columns { places, .. } = &self.layout {
                places.expect_end()?;
            }
            return self.decoder.check(&self.header, names);
        }
        if let Some(record) = &self.record {
            self.decoder.note(record, names);
        }
        Ok(())
    }
}

/// Decodes the records of a payload.
struct RecordDecoder {
    tables: TableReader,
    /// The only channel whose records are wanted.
    scope: Option<ChannelScope>,
    previous: Previous,
    /// The next entry's number.
    seq: u64,
    counts: RecordCounts,
    rules: Option<Rules>,
    verify: Option<ChainCheck>,
    /// Commits of one entry that still follow under the last tag.
    run: usize,
    /// Memory for the entries of the next commit, while the last record is none.
    room: Vec<Entry>,
}

/// How many records of each kind were decoded.
#[derive(Default)]
struct RecordCounts {
    commits: u64,
    pages: u64,
    rejects: u64,
    progress: u64,
}

impl RecordDecoder {
    /// Adds to the verification what the header must state about a record.
    fn note(&mut self, record: &Record, names: &Names) {
        if let Some(verify) = &mut self.verify {
            verify.record(record, names);
        }
    }

    /// Checks that the header agrees with the records, all of which were read.
    fn check(&mut self, header: &FrameHeader, names: &Names) -> Result<(), FrameError> {
        let entries = self.seq.wrapping_sub(header.first_seq);
        for (what, found, said) in [
            ("entries", entries, header.entries),
            ("commits", self.counts.commits, header.commits),
            ("pages", self.counts.pages, header.pages),
            ("rejects", self.counts.rejects, header.rejects),
            ("progress", self.counts.progress, header.progress),
        ] {
            if found != said {
                return Err(FrameError::Disagree(what));
            }
        }
        match self.verify.take() {
            Some(verify) => verify.check(header, names),
            None => Ok(()),
        }
    }

    /// Replaces `record` by the next one. Returns `false` after the last one.
    fn read(
        &mut self,
        reader: &mut impl RowReader,
        record: &mut Option<Record>,
    ) -> Result<bool, FrameError> {
        loop {
            if self.run > 0 {
                self.run -= 1;
                if self.commit(reader, 1, record)? {
                    return Ok(true);
                }
                continue;
            }
            if reader.is_at_end() {
                return Ok(false);
            }
            let other = match reader.byte(Column::Tags)? {
                tag::RULES => {
                    self.rules = Some(rules::read(reader, true)?);
                    continue;
                }
                tag::RULES_OF => {
                    self.rules = Some(rules::read(reader, false)?);
                    continue;
                }
                tag::SINGLES => {
                    self.run = reader.rows()?;
                    continue;
                }
                tag::COMMIT => {
                    let count = reader.rows()?;
                    if count == 0 {
                        return Err(FrameError::EmptyCommit);
                    }
                    if self.commit(reader, count, record)? {
                        return Ok(true);
                    }
                    continue;
                }
                tag => self.record(tag, reader)?,
            };
            let Some(other) = other else {
                continue;
            };
            if let Some(Record::Commit { entries, .. }) = record.replace(other) {
                self.room = entries;
            }
            return Ok(true);
        }
    }

    /// Decodes a record that has no entries; `None` if it is not in the scope.
    fn record(
        &mut self,
        tag: u8,
        reader: &mut impl RowReader,
    ) -> Result<Option<Record>, FrameError> {
        let counts = &mut self.counts;
        match tag {
            tag::PAGE | tag::CLOSED => counts.pages += 1,
            tag::REJECT | tag::SETTLED => counts.rejects += 1,
            tag::PROGRESS => counts.progress += 1,
            other => {
                let (what, value) = ("record", u64::from(other));
                return Err(CodecError::Unknown { what, value }.into());
            }
        }
        Ok(Some(match tag {
            tag::PAGE => {
                let rules = self.rules()?;
                let body: PageBody = reader.body()?;
                if self.scope.as_ref().is_some_and(|scope| !body.is_in(scope)) {
                    return Ok(None);
                }
                let page = body.page(&self.tables)?;
                Record::Page { rules, page }
            }
            tag::CLOSED => {
                let body: ClosedBody = reader.body()?;
                Record::Closed(body.closed(&self.tables)?)
            }
            tag::REJECT => {
                let body: RejectBody = reader.body()?;
                Record::Reject(body.reject(&self.tables)?)
            }
            tag::SETTLED => Record::Settled(reader.varint(Column::Bodies)?),
            _ => {
                let body: ProgressBody = reader.body()?;
                Record::Progress(body.progress(&self.tables)?)
            }
        }))
    }

    fn rules(&self) -> Result<Rules, FrameError> {
        self.rules.ok_or(FrameError::Disagree("rules"))
    }

    /// Decodes a commit, and returns whether it has entries in the scope. They take the place of those of the commit
    /// before: most commits have one entry, and there are many.
    fn commit(
        &mut self,
        reader: &mut impl RowReader,
        count: usize,
        record: &mut Option<Record>,
    ) -> Result<bool, FrameError> {
        let rules = self.rules()?;
        self.counts.commits += 1;
        if let Some(verify) = &mut self.verify {
            verify.begin(&rules, self.seq, count);
        }
        if !matches!(record, Some(Record::Commit { .. })) {
            let entries = std::mem::take(&mut self.room);
            *record = Some(Record::Commit { rules, entries });
        }
        let Some(Record::Commit { rules: of, entries }) = record else {
            return Ok(false);
        };
        *of = rules;
        entries.clear();
        entries.reserve(count.min(FRAME_ENTRIES_MAX));
        for _ in 0..count {
            let row = entry::read_row(reader, self.seq, &mut self.previous)?;
            let next = self.seq.checked_add(1);
            self.seq = next.ok_or(FrameError::Disagree("entries"))?;
            if self.scope.as_ref().is_some_and(|scope| !row.is_in(scope)) {
                continue;
            }
            let (entry, places) = row.entry(&self.tables)?;
            if let Some(verify) = &mut self.verify {
                verify.entry(&entry, &places)?;
            }
            entries.push(entry);
        }
        if let Some(verify) = &mut self.verify {
            verify.end();
        }
        Ok(!entries.is_empty())
    }
}
