//! Values → records.

use super::FrameError;
use super::encode::{INFLATION_MAX, tag};
use super::header::{Compression, Facts, FrameHeader, channel_hash};
use super::value::{Value, value};
use crate::domain::entry::Rules;
use crate::domain::names::Names;
use crate::limits::{FRAME_BYTES_MAX, FRAME_ENTRIES_MAX};
use crate::log::Record;
use crate::log::chain::{Canon, Link};
use crate::log::codec::bytes::Reader;
use crate::log::codec::raise::Raise;
use crate::log::codec::row::{self, Previous};
use crate::log::codec::table::{Hashes, Stored, Tables};
use crate::log::codec::wire::{WEntry, WRules};
use crate::log::codec::{CodecError, PAYLOAD_VERSION};
use std::borrow::Cow;

/// How much of a frame is checked as it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// Checksums and the form: enough against a medium that errs.
    Form,
    /// The chain as well, and that the header says of the entries what they say: also against whoever alters a frame
    /// and its checksums. It costs more than the reading.
    Chain,
}

/// A frame that was read.
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

/// The records of a frame, from all its values. Its names and members are interned in `names`.
///
/// # Errors
/// A value is damaged, missing or of another frame, or the frame is not what its header says.
pub fn decode<V: AsRef<[u8]>>(
    parts: &[V],
    names: &mut Names,
    check: Check,
) -> Result<Decoded, FrameError> {
    let body = join(parts)?;
    let (header, payload) = FrameHeader::read(body.frame, body.parts, &body.bytes)?;
    let payload = inflate(&header, payload)?;
    let mut reader = Reader::new(&payload);
    let layout = reader.byte()?;
    if layout != PAYLOAD_VERSION {
        return Err(FrameError::Layout(layout));
    }
    let tables = Tables::read(&mut reader)?;
    let mut verify = match check {
        Check::Form => None,
        Check::Chain => Some(Verify {
            hashes: tables.hashes()?,
            canon: Canon::default(),
            link: header.link_before,
        }),
    };
    let records = Records {
        raise: Raise::new(&tables, names)?,
        reader,
        previous: Previous::default(),
        seq: header.first_seq,
        commits: 0,
        rules: None,
    }
    .read(&header, verify.as_mut())?;
    if verify.is_some_and(|verify| verify.link != header.link_after) {
        return Err(FrameError::Chain {
            frame: header.frame,
        });
    }
    if check == Check::Chain {
        let erased = tables.names.iter().any(Stored::is_erased);
        check_facts(&header, &records, names, erased)?;
    }
    Ok(Decoded { header, records })
}

/// That the header says of the entries what they say: queries skip frames by it.
fn check_facts(
    header: &FrameHeader,
    records: &[Record],
    names: &Names,
    erased: bool,
) -> Result<(), FrameError> {
    let mut facts = Facts::new();
    for record in records {
        match record {
            Record::Commit { entries, .. } => {
                entries.iter().for_each(|entry| facts.entry(entry, names));
            }
            Record::Page { page, .. } => facts.touch(page.channel),
            Record::Reject(_) | Record::Progress(_) => {}
        }
    }
    let mut said = header.clone();
    facts.tell(&mut said, |name| channel_hash(names.text(name)));
    if erased {
        // A channel's hash cannot be taken again once its name was erased.
        said.channels = header.channels.clone();
    }
    if said == *header {
        Ok(())
    } else {
        Err(FrameError::Disagree("the entries' times or channels"))
    }
}

struct Body<'a> {
    frame: u64,
    parts: u32,
    bytes: Cow<'a, [u8]>,
}

/// Puts the parts together again.
fn join<V: AsRef<[u8]>>(parts: &[V]) -> Result<Body<'_>, FrameError> {
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
        let expected = Value {
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
    Ok(Body {
        frame: first.frame,
        parts: first.parts,
        bytes,
    })
}

/// The payload as it was before compression. What it may grow to is bounded by its own length.
fn inflate<'a>(header: &FrameHeader, payload: &'a [u8]) -> Result<Cow<'a, [u8]>, FrameError> {
    let plain_len = usize::try_from(header.plain_len).map_err(|_| FrameError::Decompress)?;
    match header.compression {
        Compression::Plain if plain_len == payload.len() => Ok(Cow::Borrowed(payload)),
        Compression::Plain => Err(FrameError::Disagree("the payload's length")),
        Compression::Zstd => {
            if plain_len > FRAME_BYTES_MAX || plain_len / INFLATION_MAX >= payload.len() {
                return Err(FrameError::Decompress);
            }
            let plain =
                zstd::bulk::decompress(payload, plain_len).map_err(|_| FrameError::Decompress)?;
            if plain.len() != plain_len {
                return Err(FrameError::Decompress);
            }
            Ok(Cow::Owned(plain))
        }
    }
}

/// The chain, taken again.
struct Verify {
    hashes: Hashes,
    canon: Canon,
    link: Link,
}

impl Verify {
    fn begin(&mut self, rules: &Rules, seq: u64, entries: usize) {
        self.canon
            .begin(&self.link, &WRules::from(*rules), seq, entries);
    }

    fn entry(&mut self, entry: &WEntry) {
        self.canon.entry(entry, &self.hashes);
    }

    fn end(&mut self) {
        self.link = self.canon.link();
    }
}

struct Records<'a> {
    raise: Raise<'a>,
    reader: Reader<'a>,
    previous: Previous,
    seq: u64,
    commits: u64,
    rules: Option<Rules>,
}

impl Records<'_> {
    fn read(
        mut self,
        header: &FrameHeader,
        mut verify: Option<&mut Verify>,
    ) -> Result<Vec<Record>, FrameError> {
        let mut records = Vec::new();
        let (mut pages, mut rejects, mut progress) = (0, 0, 0);
        while self.reader.left() > 0 {
            match self.reader.byte()? {
                tag::RULES => self.rules = Some(self.reader.body::<WRules>()?.into()),
                tag::SINGLES => {
                    let rules = self.rules()?;
                    // A row takes three bytes or more: flags, a member or body, a difference of times.
                    let run = self.reader.count(3)?;
                    records.reserve(run.min(FRAME_ENTRIES_MAX));
                    for _ in 0..run {
                        let entries = self.commit(rules, 1, &mut verify)?;
                        records.push(Record::Commit { rules, entries });
                    }
                }
                tag::COMMIT => {
                    let rules = self.rules()?;
                    let count = self.reader.count(3)?;
                    if count == 0 {
                        return Err(FrameError::EmptyCommit);
                    }
                    let entries = self.commit(rules, count, &mut verify)?;
                    records.push(Record::Commit { rules, entries });
                }
                tag::PAGE => {
                    let rules = self.rules()?;
                    let page = self.raise.page(self.reader.body()?)?;
                    records.push(Record::Page { rules, page });
                    pages += 1;
                }
                tag::REJECT => {
                    let reject = self.raise.reject(self.reader.body()?)?;
                    records.push(Record::Reject(reject));
                    rejects += 1;
                }
                tag::PROGRESS => {
                    let read = self.raise.progress(self.reader.body()?)?;
                    records.push(Record::Progress(read));
                    progress += 1;
                }
                other => {
                    return Err(CodecError::Unknown {
                        what: "record",
                        value: u64::from(other),
                    }
                    .into());
                }
            }
        }
        for (what, found, said) in [
            (
                "entries",
                self.seq.wrapping_sub(header.first_seq),
                header.entries,
            ),
            ("commits", self.commits, header.commits),
            ("pages", pages, header.pages),
            ("rejects", rejects, header.rejects),
            ("progress", progress, header.progress),
        ] {
            if found != said {
                return Err(FrameError::Disagree(what));
            }
        }
        Ok(records)
    }

    fn rules(&self) -> Result<Rules, FrameError> {
        self.rules.ok_or(FrameError::Disagree("rules"))
    }

    fn commit(
        &mut self,
        rules: Rules,
        count: usize,
        verify: &mut Option<&mut Verify>,
    ) -> Result<Vec<crate::domain::entry::Entry>, FrameError> {
        if let Some(verify) = verify {
            verify.begin(&rules, self.seq, count);
        }
        let mut entries = Vec::with_capacity(count.min(FRAME_ENTRIES_MAX));
        for _ in 0..count {
            let entry = row::read(&mut self.reader, self.seq, &mut self.previous)?;
            entries.push(self.raise.entry(self.seq, &entry)?);
            if let Some(verify) = verify {
                verify.entry(&entry);
            }
            self.seq = self
                .seq
                .checked_add(1)
                .ok_or(FrameError::Disagree("entries"))?;
        }
        if let Some(verify) = verify {
            verify.end();
        }
        self.commits += 1;
        Ok(entries)
    }
}
