//! Encodes records into values.

use super::FrameError;
use super::header::{Compression, FrameHeader, FrameStatistics, channel_hash};
use super::value::cut;
use crate::domain::entry::{Entry, Rules};
use crate::domain::names::{NameId, NameTable};
use crate::domain::renumbering::Renumbering;
use crate::limits::FRAME_BYTES_MAX;
use crate::log::Record;
use crate::log::chain::{self, CanonicalEncoder, ChainLink};
use crate::log::codec::PAYLOAD_VERSION;
use crate::log::codec::bytes::{pack, put_varint};
use crate::log::codec::record::closed::ClosedBody;
use crate::log::codec::record::entry::{self, EntryPlaces, Previous};
use crate::log::codec::record::forgotten::ForgottenBody;
use crate::log::codec::record::page::PageBody;
use crate::log::codec::record::progress::ProgressBody;
use crate::log::codec::record::reject::RejectBody;
use crate::log::codec::record::rules;
use crate::log::codec::tables::write::{TableBuilder, TableWriter};
use crate::log::compression::compress;
use crate::log::salts::Salts;

/// Smaller payloads are not compressed: it costs more than it saves.
const COMPRESS_BYTES_MIN: usize = 1_024;
/// zstd's level: the writer has time for this between two syncs.
const ZSTD_LEVEL: i32 = 1;
/// How many times larger than its stored form a payload may be. This limits what a reader allocates for a few bytes. A
/// payload that compresses further is stored plain.
pub(super) const INFLATION_MAX: usize = 64;

/// Tags of the records in a payload, after the tables; `FORMAT.md` lists them.
pub(in crate::log) mod tag {
    pub(in crate::log) const RULES: u8 = 0;
    pub(in crate::log) const SINGLES: u8 = 1;
    pub(in crate::log) const COMMIT: u8 = 2;
    pub(in crate::log) const PAGE: u8 = 3;
    pub(in crate::log) const REJECT: u8 = 4;
    pub(in crate::log) const PROGRESS: u8 = 5;
    pub(in crate::log) const CLOSED: u8 = 6;
    pub(in crate::log) const SETTLED: u8 = 7;
    pub(in crate::log) const RULES_OF: u8 = 8;
    pub(in crate::log) const FORGOTTEN: u8 = 9;
}

/// The place of a frame in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FramePosition {
    /// The frame's number, from 1.
    pub frame: u64,
    /// The number of its first entry, from 1.
    pub first_seq: u64,
    /// The chain link before it.
    pub link: ChainLink,
    /// An ingest connection may be up at its end.
    pub connected: bool,
}

impl FramePosition {
    /// The start of a log.
    pub const FIRST: FramePosition = FramePosition {
        frame: 1,
        first_seq: 1,
        link: chain::START,
        connected: false,
    };

    /// The place after the frame with this header.
    #[must_use]
    pub fn after(header: &FrameHeader) -> FramePosition {
        FramePosition {
            frame: header.last_frame().saturating_add(1),
            first_seq: header.first_seq.saturating_add(header.entries),
            link: header.link_after,
            connected: header.connected,
        }
    }
}

/// Whether payloads are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Packing {
    /// Never.
    Plain,
    /// If zstd makes a frame smaller by at least an eighth.
    #[default]
    Zstd,
}

/// A frame, ready to be appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// Its values, in order.
    pub values: Vec<Vec<u8>>,
    /// Its header.
    pub header: FrameHeader,
}

/// Makes frames. It keeps salts and look-up tables for the numbers of one [`NameTable`], until
/// [`renumber`](Encoder::renumber) is called.
#[derive(Debug)]
pub struct Encoder {
    salts: Salts,
    tables: TableWriter,
    canon: CanonicalEncoder,
    channel_hashes: Vec<Option<u64>>,
    rows: Vec<u8>,
    packing: Packing,
}

impl Encoder {
    /// An encoder that draws from these salts.
    #[must_use]
    pub fn new(salts: Salts, packing: Packing) -> Self {
        Encoder {
            salts,
            tables: TableWriter::default(),
            canon: CanonicalEncoder::default(),
            channel_hashes: Vec::new(),
            rows: Vec::new(),
            packing,
        }
    }

    /// Replaces the numbers of names: the next frame uses a renumbered name table.
    pub fn renumber(&mut self, renumbering: &Renumbering) {
        self.salts.renumber(renumbering);
        self.channel_hashes = Vec::new();
    }

    /// Makes a frame of records whose entries are numbered from `place.first_seq`.
    ///
    /// # Errors
    /// There are no records, a commit is empty, entries are not numbered like this, or the frame would be too large.
    pub fn encode(
        &mut self,
        place: FramePosition,
        records: &[Record],
        names: &NameTable,
    ) -> Result<Encoded, FrameError> {
        if records.is_empty() {
            return Err(FrameError::Empty);
        }
        let mut header = FrameHeader {
            frame: place.frame,
            frames: 1,
            parts: 0,
            compression: Compression::Plain,
            plain_len: 0,
            entries: 0,
            commits: 0,
            pages: 0,
            rejects: 0,
            progress: 0,
            first_seq: place.first_seq,
            effective_at: (0, 0),
            recorded_at: (0, 0),
            reaches_back_to: i64::MAX,
            channels: super::Channels::Any,
            unscoped: false,
            link_before: place.link,
            link_after: place.link,
            connected: place.connected,
        };
        let mut facts = FrameStatistics::new();
        self.write_records(records, names, &mut header, &mut facts)?;
        facts.tell(&mut header, |name| {
            channel(&mut self.channel_hashes, name, names)
        });

        let mut payload = Vec::with_capacity(self.rows.len() + 64 * names.len().min(1_024));
        payload.push(PAYLOAD_VERSION);
        self.tables.write(&mut payload);
        payload.extend_from_slice(&self.rows);
        if payload.len() > FRAME_BYTES_MAX {
            return Err(FrameError::TooLarge(payload.len()));
        }
        header.plain_len = payload.len() as u64;
        if let Some(small) = self.packed(&payload)? {
            header.compression = Compression::Zstd;
            payload = small;
        }
        let mut body = Vec::with_capacity(payload.len() + 256);
        header.write(&mut body)?;
        body.extend_from_slice(&payload);
        let values = cut(place.frame, &body)?;
        header.parts = u32::try_from(values.len()).map_err(|_| FrameError::TooLarge(body.len()))?;
        Ok(Encoded { values, header })
    }

    /// Fills `rows` and `tables`, and computes the chain.
    fn write_records(
        &mut self,
        records: &[Record],
        names: &NameTable,
        header: &mut FrameHeader,
        facts: &mut FrameStatistics,
    ) -> Result<(), FrameError> {
        self.rows.clear();
        self.tables.next_frame(&mut self.salts);
        let mut writer = RecordWriter {
            tables: TableBuilder {
                names,
                salts: &mut self.salts,
                tables: &mut self.tables,
            },
            rows: &mut self.rows,
            canon: &mut self.canon,
            previous: Previous::default(),
            rules: None,
            header,
            facts,
        };
        // Most commits have one entry: a run of them shares one tag.
        for run in records.chunk_by(are_singles_by_same_rules) {
            match run {
                [Record::Commit { rules, entries }, ..] if entries.len() == 1 => {
                    writer.singles(run, rules)?;
                }
                records => records.iter().try_for_each(|it| writer.record(it))?,
            }
        }
        Ok(())
    }

    fn packed(&self, payload: &[u8]) -> Result<Option<Vec<u8>>, FrameError> {
        if self.packing == Packing::Plain || payload.len() < COMPRESS_BYTES_MIN {
            return Ok(None);
        }
        let small = compress(payload, ZSTD_LEVEL).map_err(FrameError::Compress)?;
        let pays = small.len() < payload.len() - payload.len() / 8
            && payload.len() / INFLATION_MAX < small.len();
        Ok(pays.then_some(small))
    }
}

/// Writes the records of one frame.
struct RecordWriter<'a> {
    tables: TableBuilder<'a>,
    rows: &'a mut Vec<u8>,
    canon: &'a mut CanonicalEncoder,
    previous: Previous,
    /// The rules of the records before.
    rules: Option<Rules>,
    header: &'a mut FrameHeader,
    facts: &'a mut FrameStatistics,
}

impl RecordWriter<'_> {
    fn record(&mut self, record: &Record) -> Result<(), FrameError> {
        match record {
            Record::Commit { rules, entries } => {
                self.rules(rules)?;
                self.rows.push(tag::COMMIT);
                put_varint(self.rows, entries.len() as u64);
                self.commit(entries, rules)?;
            }
            Record::Page { rules, page } => {
                self.rules(rules)?;
                self.rows.push(tag::PAGE);
                pack(&PageBody::of(page, &mut self.tables), self.rows)?;
                self.facts.touch(page.channel);
                self.header.pages += 1;
            }
            Record::Closed(closed) => {
                self.rows.push(tag::CLOSED);
                pack(&ClosedBody::of(closed, &mut self.tables), self.rows)?;
                self.facts.scope(None);
                self.header.pages += 1;
            }
            Record::Reject(reject) => {
                self.rows.push(tag::REJECT);
                pack(&RejectBody::of(reject, &mut self.tables), self.rows)?;
                self.header.rejects += 1;
            }
            Record::Settled(reject) => {
                self.rows.push(tag::SETTLED);
                put_varint(self.rows, *reject);
                self.header.rejects += 1;
            }
            Record::Progress(progress) => {
                self.rows.push(tag::PROGRESS);
                let body = ProgressBody::of(progress, &mut self.tables);
                pack(&body, self.rows)?;
                self.header.progress += 1;
            }
            Record::Forgotten(forgotten) => {
                self.rows.push(tag::FORGOTTEN);
                let body = ForgottenBody::of(forgotten, &mut self.tables);
                pack(&body, self.rows)?;
                self.header.progress += 1;
            }
        }
        Ok(())
    }

    /// Writes commits of one entry each, all by the same rules.
    fn singles(&mut self, run: &[Record], rules: &Rules) -> Result<(), FrameError> {
        self.rules(rules)?;
        self.rows.push(tag::SINGLES);
        put_varint(self.rows, run.len() as u64);
        for record in run {
            if let Record::Commit { entries, .. } = record {
                self.commit(entries, rules)?;
            }
        }
        Ok(())
    }

    /// Writes the rows of a commit, and its link in the chain.
    fn commit(&mut self, entries: &[Entry], rules: &Rules) -> Result<(), FrameError> {
        if entries.is_empty() {
            return Err(FrameError::EmptyCommit);
        }
        let header = &mut *self.header;
        let mut seq = header.first_seq.saturating_add(header.entries);
        self.canon
            .begin(&header.link_after, rules, seq, entries.len());
        for entry in entries {
            if entry.seq != seq {
                return Err(FrameError::Seq {
                    expected: seq,
                    found: entry.seq,
                });
            }
            self.facts.entry(entry, self.tables.names);
            let places = EntryPlaces::of(entry, &mut self.tables);
            entry::write(entry, &places, &mut self.previous, self.rows)?;
            self.canon.entry(entry, &places, self.tables.hashes())?;
            seq = seq.saturating_add(1);
            header.entries += 1;
        }
        header.link_after = self.canon.link();
        header.commits += 1;
        Ok(())
    }

    /// Writes the rules, if they are not those of the records before.
    fn rules(&mut self, rules: &Rules) -> Result<(), FrameError> {
        if self.rules.as_ref() != Some(rules) {
            self.rows.push(if rules::is_short(rules) {
                tag::RULES
            } else {
                tag::RULES_OF
            });
            rules::write(rules, self.rows)?;
            self.rules = Some(*rules);
        }
        Ok(())
    }
}

/// The hash of a channel's name, computed once.
fn channel(hashes: &mut Vec<Option<u64>>, name: NameId, names: &NameTable) -> u64 {
    let at = name.0 as usize;
    if hashes.len() <= at {
        hashes.resize(at + 1, None);
    }
    let taken = || channel_hash(names.text(name));
    match hashes.get_mut(at) {
        Some(slot) => *slot.get_or_insert_with(taken),
        None => taken(),
    }
}

/// Whether both are commits of one entry, by the same rules.
fn are_singles_by_same_rules(one: &Record, next: &Record) -> bool {
    let single = |record| match record {
        &Record::Commit { rules, ref entries } if entries.len() == 1 => Some(rules),
        _ => None,
    };
    single(one).is_some_and(|rules| single(next) == Some(rules))
}
