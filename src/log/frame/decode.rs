//! Decodes values into records.

use super::FrameError;
use super::encode::{INFLATION_MAX, tag};
use super::header::{Compression, FrameHeader, FrameStatistics, channel_hash};
use super::value::{FrameValue, value};
use crate::domain::entry::{Entry, Rules};
use crate::domain::names::Names;
use crate::limits::{FRAME_BYTES_MAX, FRAME_ENTRIES_MAX};
use crate::log::Record;
use crate::log::chain::{CanonicalEncoder, ChainLink};
use crate::log::codec::bytes::Reader;
use crate::log::codec::from_wire::FromWire;
use crate::log::codec::row::{self, Previous};
use crate::log::codec::table::{Hashes, Stored, Tables};
use crate::log::codec::wire::{WEntry, WRules, WRulesOf};
use crate::log::codec::{CodecError, PAYLOAD_VERSION};
use std::borrow::Cow;
use std::cell::RefCell;

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
    let mut records = Vec::new();
    let header = decode_each(parts, names, check, |_, record| {
        records.push(record.clone());
        Ok::<_, FrameError>(true)
    })?;
    Ok(Decoded { header, records })
}

/// The same as [`decode`], but passes the records to `each` one by one: so a record is still in the processor's cache
/// when it is used, and the next one reuses its memory. Reading ends early when `each` returns `false`; errors after
/// that point are not found.
///
/// # Errors
/// Those of [`decode`], possibly after some records were passed on, and those of `each`.
pub fn decode_each<V: AsRef<[u8]>, E: From<FrameError>>(
    parts: &[V],
    names: &mut Names,
    check: Check,
    each: impl FnMut(&mut Names, &Record) -> Result<bool, E>,
) -> Result<FrameHeader, E> {
    let body = join(parts)?;
    let (header, payload) = FrameHeader::read(body.frame, body.parts, &body.bytes)?;
    let payload = inflate(&header, payload)?;
    let mut reader = Reader::new(&payload);
    let layout = reader.byte().map_err(FrameError::from)?;
    if layout != PAYLOAD_VERSION {
        return Err(FrameError::Layout(layout).into());
    }
    let tables = Tables::read(&mut reader).map_err(FrameError::from)?;
    let verify = match check {
        Check::Form => None,
        Check::Chain => Some(ChainCheck {
            hashes: tables.hashes().map_err(FrameError::from)?,
            canon: CanonicalEncoder::default(),
            link: header.link_before,
            facts: FrameStatistics::new(),
            erased: tables.names.iter().any(Stored::is_erased),
        }),
    };
    RecordReader {
        raise: FromWire::new(&tables, names).map_err(FrameError::from)?,
        reader,
        previous: Previous::default(),
        seq: header.first_seq,
        commits: 0,
        rules: None,
        verify,
        run: 0,
        room: Vec::new(),
    }
    .read(&header, names, each)?;
    Ok(header)
}

struct FrameBody<'a> {
    frame: u64,
    parts: u32,
    bytes: Cow<'a, [u8]>,
}

/// Joins the parts into the body.
fn join<V: AsRef<[u8]>>(parts: &[V]) -> Result<FrameBody<'_>, FrameError> {
    let (first, others) = parts.split_first().ok_or(FrameError::Empty)?;
    let first = value(first.as_ref())?;
    let misplaced = |part| FrameError::Part {
        frame: first.frame,
        part,
    };
    if first.part != 0 {
        return Err(misplaced(0));
    }
    if first.parts as usize != parts.len() {
        return Err(misplaced(parts.len() as u32));
    }
    let mut bytes = Cow::Borrowed(first.piece);
    for (other, part) in others.iter().zip(1u32..) {
        let other = value(other.as_ref())?;
        let expected = FrameValue {
            part,
            piece: other.piece,
            ..first
        };
        if other != expected {
            return Err(misplaced(part));
        }
        bytes.to_mut().extend_from_slice(other.piece);
    }
    if crc32c::crc32c(&bytes) != first.body_crc {
        return Err(FrameError::Checksum);
    }
    Ok(FrameBody {
        frame: first.frame,
        parts: first.parts,
        bytes,
    })
}

thread_local! {
    /// Creating a decompressor costs as much as a small frame, so each thread keeps one.
    static DECOMPRESSOR: RefCell<Option<zstd::bulk::Decompressor<'static>>> = const { RefCell::new(None) };
}

/// The payload before compression. Its size is limited by the length of the compressed payload.
fn inflate<'a>(header: &FrameHeader, payload: &'a [u8]) -> Result<Cow<'a, [u8]>, FrameError> {
    let plain_len = usize::try_from(header.plain_len).map_err(|_| FrameError::Decompress)?;
    match header.compression {
        Compression::Plain if plain_len == payload.len() => Ok(Cow::Borrowed(payload)),
        Compression::Plain => Err(FrameError::Disagree("the payload's length")),
        Compression::Zstd => {
            if plain_len > FRAME_BYTES_MAX || plain_len / INFLATION_MAX >= payload.len() {
                return Err(FrameError::Decompress);
            }
            let plain = DECOMPRESSOR.with_borrow_mut(|kept| {
                let new = zstd::bulk::Decompressor::new;
                let decompressor = match kept {
                    Some(decompressor) => decompressor,
                    None => kept.insert(new().map_err(|_| FrameError::Decompress)?),
                };
                let plain = decompressor.decompress(payload, plain_len);
                plain.map_err(|_| FrameError::Decompress)
            })?;
            if plain.len() != plain_len {
                return Err(FrameError::Decompress);
            }
            Ok(Cow::Owned(plain))
        }
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
        self.canon
            .begin(&self.link, &WRulesOf::from(*rules), seq, entries);
    }

    fn entry(&mut self, entry: &WEntry) {
        self.canon.entry(entry, &self.hashes);
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

struct RecordReader<'a> {
    raise: FromWire,
    reader: Reader<'a>,
    previous: Previous,
    seq: u64,
    commits: u64,
    rules: Option<Rules>,
    verify: Option<ChainCheck>,
    /// Commits of one entry that still follow under the last tag.
    run: usize,
    /// Reused memory for the entries of a commit: most commits have one entry, and there are many.
    room: Vec<Entry>,
}

impl RecordReader<'_> {
    fn read<E: From<FrameError>>(
        mut self,
        header: &FrameHeader,
        names: &mut Names,
        mut each: impl FnMut(&mut Names, &Record) -> Result<bool, E>,
    ) -> Result<(), E> {
        let (mut pages, mut rejects, mut progress) = (0, 0, 0);
        while let Some(record) = self.next_record()? {
            match &record {
                Record::Commit { .. } => {}
                Record::Page { .. } | Record::Closed(_) => pages += 1,
                Record::Reject(_) | Record::Settled(_) => rejects += 1,
                Record::Progress(_) => progress += 1,
            }
            if let Some(verify) = &mut self.verify {
                verify.record(&record, names);
            }
            if !each(names, &record)? {
                return Ok(());
            }
            if let Record::Commit { entries, .. } = record {
                self.room = entries;
            }
        }
        let entries = self.seq.wrapping_sub(header.first_seq);
        for (what, found, said) in [
            ("entries", entries, header.entries),
            ("commits", self.commits, header.commits),
            ("pages", pages, header.pages),
            ("rejects", rejects, header.rejects),
            ("progress", progress, header.progress),
        ] {
            if found != said {
                return Err(FrameError::Disagree(what).into());
            }
        }
        match self.verify {
            Some(verify) => Ok(verify.check(header, names)?),
            None => Ok(()),
        }
    }

    fn next_record(&mut self) -> Result<Option<Record>, FrameError> {
        while self.run == 0 {
            if self.reader.left() == 0 {
                return Ok(None);
            }
            match self.reader.byte()? {
                tag::RULES => self.rules = Some(self.reader.body::<WRules>()?.into()),
                tag::RULES_OF => self.rules = Some(self.reader.body::<WRulesOf>()?.into()),
                // A row has at least three bytes: flags, a member or body, a difference of times.
                tag::SINGLES => self.run = self.reader.count(3)?,
                tag::COMMIT => {
                    let rules = self.rules()?;
                    let count = self.reader.count(3)?;
                    if count == 0 {
                        return Err(FrameError::EmptyCommit);
                    }
                    let entries = self.commit(rules, count)?;
                    return Ok(Some(Record::Commit { rules, entries }));
                }
                tag::PAGE => {
                    let rules = self.rules()?;
                    let page = self.raise.page(self.reader.body()?)?;
                    return Ok(Some(Record::Page { rules, page }));
                }
                tag::CLOSED => {
                    let closed = self.raise.closed(self.reader.body()?)?;
                    return Ok(Some(Record::Closed(closed)));
                }
                tag::REJECT => {
                    let reject = self.raise.reject(self.reader.body()?)?;
                    return Ok(Some(Record::Reject(reject)));
                }
                tag::SETTLED => return Ok(Some(Record::Settled(self.reader.varint()?))),
                tag::PROGRESS => {
                    let read = self.raise.progress(self.reader.body()?)?;
                    return Ok(Some(Record::Progress(read)));
                }
                other => {
                    let value = u64::from(other);
                    return Err(CodecError::Unknown {
                        what: "record",
                        value,
                    }
                    .into());
                }
            }
        }
        self.run -= 1;
        let rules = self.rules()?;
        let entries = self.commit(rules, 1)?;
        Ok(Some(Record::Commit { rules, entries }))
    }

    fn rules(&self) -> Result<Rules, FrameError> {
        self.rules.ok_or(FrameError::Disagree("rules"))
    }

    fn commit(&mut self, rules: Rules, count: usize) -> Result<Vec<Entry>, FrameError> {
        if let Some(verify) = &mut self.verify {
            verify.begin(&rules, self.seq, count);
        }
        let mut entries = std::mem::take(&mut self.room);
        entries.clear();
        entries.reserve(count.min(FRAME_ENTRIES_MAX));
        for _ in 0..count {
            let entry = row::read(&mut self.reader, self.seq, &mut self.previous)?;
            entries.push(self.raise.entry(self.seq, &entry)?);
            if let Some(verify) = &mut self.verify {
                verify.entry(&entry);
            }
            let next = self.seq.checked_add(1);
            self.seq = next.ok_or(FrameError::Disagree("entries"))?;
        }
        if let Some(verify) = &mut self.verify {
            verify.end();
        }
        self.commits += 1;
        Ok(entries)
    }
}
