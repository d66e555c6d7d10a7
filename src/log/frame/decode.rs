//! Decodes values into records.

use super::FrameError;
use super::body::{FrameBody, inflate, join};
use super::encode::tag;
use super::header::{FrameHeader, FrameStatistics, channel_hash};
use super::value::{VALUE_HEADER_BYTES, value};
use crate::domain::entry::{Entry, Rules};
use crate::domain::names::Names;
use crate::limits::FRAME_ENTRIES_MAX;
use crate::log::Record;
use crate::log::chain::{CanonicalEncoder, ChainLink};
use crate::log::codec::bytes::Reader;
use crate::log::codec::record::entry::{self, EntryPlaces, Previous};
use crate::log::codec::record::{closed, page, progress, reject, rules};
use crate::log::codec::tables::Hashes;
use crate::log::codec::tables::read::{Stored, TableReader, Tables};
use crate::log::codec::{CodecError, PAYLOAD_VERSION};
use std::borrow::Cow;

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
    pub fn open(mut parts: Vec<V>, names: &mut Names, check: Check) -> Result<Self, FrameError> {
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
        let bytes = payload.bytes();
        let mut reader = Reader::new(bytes.get(from..).unwrap_or_default());
        let layout = reader.byte()?;
        if layout != PAYLOAD_VERSION {
            return Err(FrameError::Layout(layout));
        }
        let tables = Tables::read(&mut reader)?;
        let verify = match check {
            Check::Form => None,
            Check::Chain => Some(ChainCheck {
                hashes: tables.hashes()?,
                canon: CanonicalEncoder::default(),
                link: header.link_before,
                facts: FrameStatistics::new(),
                erased: tables.names.iter().any(Stored::is_erased),
            }),
        };
        let decoder = RecordDecoder {
            tables: TableReader::new(&tables, names)?,
            at: bytes.len() - reader.left(),
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
        if !self.decoder.next(payload, &mut self.record)? {
            (self.record, self.ended) = (None, true);
            return self.decoder.check(&self.header, names);
        }
        if let Some(record) = &self.record {
            self.decoder.note(record, names);
        }
        Ok(())
    }
}

/// Computes the chain and the header's statistics again.
struct ChainCheck {
    hashes: Hashes,
    canon: CanonicalEncoder,
    link: ChainLink,
    facts: FrameStatistics,
    /// A name was erased, so its channel's hash cannot be computed again.
    erased: bool,
}

impl ChainCheck {
    fn begin(&mut self, rules: &Rules, seq: u64, entries: usize) {
        self.canon.begin(&self.link, rules, seq, entries);
    }

    fn entry(&mut self, entry: &Entry, places: &EntryPlaces) -> Result<(), CodecError> {
        self.canon.entry(entry, places, &self.hashes)
    }

    fn end(&mut self) {
        self.link = self.canon.link();
    }

    /// Adds what the header must state about a record.
    fn record(&mut self, record: &Record, names: &Names) {
        match record {
            Record::Commit { entries, .. } => {
                entries
                    .iter()
                    .for_each(|entry| self.facts.entry(entry, names));
            }
            Record::Page { page, .. } => self.facts.touch(page.channel),
            Record::Closed(_) => self.facts.scope(None),
            Record::Reject(_) | Record::Settled(_) | Record::Progress(_) => {}
        }
    }

    /// Checks that the header agrees with the entries: queries rely on it to skip frames.
    fn check(mut self, header: &FrameHeader, names: &Names) -> Result<(), FrameError> {
        if self.link != header.link_after {
            return Err(FrameError::Chain {
                frame: header.frame,
            });
        }
        let mut said = header.clone();
        self.facts
            .tell(&mut said, |name| channel_hash(names.text(name)));
        if self.erased {
            said.channels = header.channels.clone();
        }
        if said == *header {
            Ok(())
        } else {
            Err(FrameError::Disagree("the entries' times or channels"))
        }
    }
}

/// Decodes the records of a payload.
struct RecordDecoder {
    tables: TableReader,
    /// The byte of the payload at which reading continues.
    at: usize,
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
    /// Replaces `record` by the next one. Returns `false` after the last one.
    fn next(&mut self, payload: &[u8], record: &mut Option<Record>) -> Result<bool, FrameError> {
        let mut reader = Reader::new(payload.get(self.at..).unwrap_or_default());
        let found = self.read(&mut reader, record)?;
        self.at = payload.len() - reader.left();
        Ok(found)
    }

    /// Counts a record, and adds to the verification what the header must state about it.
    fn note(&mut self, record: &Record, names: &Names) {
        let counts = &mut self.counts;
        match record {
            Record::Commit { .. } => counts.commits += 1,
            Record::Page { .. } | Record::Closed(_) => counts.pages += 1,
            Record::Reject(_) | Record::Settled(_) => counts.rejects += 1,
            Record::Progress(_) => counts.progress += 1,
        }
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

    fn read(
        &mut self,
        reader: &mut Reader<'_>,
        record: &mut Option<Record>,
    ) -> Result<bool, FrameError> {
        while self.run == 0 {
            if reader.left() == 0 {
                return Ok(false);
            }
            let other = match reader.byte()? {
                tag::RULES => {
                    self.rules = Some(rules::read(reader, true)?);
                    continue;
                }
                tag::RULES_OF => {
                    self.rules = Some(rules::read(reader, false)?);
                    continue;
                }
                tag::SINGLES => {
                    // A row has at least three bytes: flags, a member or body, a difference of times.
                    self.run = reader.count(3)?;
                    continue;
                }
                tag::COMMIT => {
                    let rules = self.rules()?;
                    let count = reader.count(3)?;
                    if count == 0 {
                        return Err(FrameError::EmptyCommit);
                    }
                    self.commit(reader, rules, count, record)?;
                    return Ok(true);
                }
                tag::PAGE => {
                    let rules = self.rules()?;
                    let page = page::read(reader, &self.tables)?;
                    Record::Page { rules, page }
                }
                tag::CLOSED => Record::Closed(closed::read(reader, &self.tables)?),
                tag::REJECT => Record::Reject(reject::read(reader, &self.tables)?),
                tag::SETTLED => Record::Settled(reader.varint()?),
                tag::PROGRESS => Record::Progress(progress::read(reader, &self.tables)?),
                other => {
                    let value = u64::from(other);
                    return Err(CodecError::Unknown {
                        what: "record",
                        value,
                    }
                    .into());
                }
            };
            if let Some(Record::Commit { entries, .. }) = record.replace(other) {
                self.room = entries;
            }
            return Ok(true);
        }
        self.run -= 1;
        let rules = self.rules()?;
        self.commit(reader, rules, 1, record)?;
        Ok(true)
    }

    fn rules(&self) -> Result<Rules, FrameError> {
        self.rules.ok_or(FrameError::Disagree("rules"))
    }

    /// Decodes a commit. Its entries take the place of those of the commit before: most commits have one entry, and
    /// there are many.
    fn commit(
        &mut self,
        reader: &mut Reader<'_>,
        rules: Rules,
        count: usize,
        record: &mut Option<Record>,
    ) -> Result<(), FrameError> {
        if let Some(verify) = &mut self.verify {
            verify.begin(&rules, self.seq, count);
        }
        if !matches!(record, Some(Record::Commit { .. })) {
            let entries = std::mem::take(&mut self.room);
            *record = Some(Record::Commit { rules, entries });
        }
        let Some(Record::Commit { rules: of, entries }) = record else {
            return Ok(());
        };
        *of = rules;
        entries.clear();
        entries.reserve(count.min(FRAME_ENTRIES_MAX));
        for _ in 0..count {
            let previous = &mut self.previous;
            let (entry, places) = entry::read(reader, &self.tables, self.seq, previous)?;
            if let Some(verify) = &mut self.verify {
                verify.entry(&entry, &places)?;
            }
            entries.push(entry);
            let next = self.seq.checked_add(1);
            self.seq = next.ok_or(FrameError::Disagree("entries"))?;
        }
        if let Some(verify) = &mut self.verify {
            verify.end();
        }
        Ok(())
    }
}
