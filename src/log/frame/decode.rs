//! Decodes values into records.

use super::FrameError;
use super::body::{FrameBody, inflate, join};
use super::chain_check::{ChainCheck, Check};
use super::header::FrameHeader;
use super::order::StreamOrder;
use super::piece::{DecodedRecord, RecordPiece};
use super::stream::{FramePayload, ReadRecord, ReadScope, RecordCounts, Stream};
use super::value::{VALUE_HEADER_BYTES, value};
use crate::domain::names::Names;
use crate::limits::PIECE_ENTRIES;
use crate::log::Record;
use crate::log::codec::bytes::Reader;
use std::borrow::Cow;

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
    let mut frame = FrameRecords::<&[u8]>::open(parts, check)?;
    let mut records = Vec::new();
    while let Some(record) = frame.next(names)? {
        records.push(record.to_record());
    }
    Ok(Decoded {
        header: frame.header,
        records,
    })
}

/// The records of a frame or block, decoded piece by piece. Errors in a part that is not read are not found.
pub struct FrameRecords<V> {
    header: FrameHeader,
    /// One; or those of a block, of which `None` are not wanted.
    streams: Vec<Option<Stream<V>>>,
    /// In which order the records of several streams follow one another.
    order: Option<StreamOrder>,
    /// The next entry's number, where there is no order.
    seq: u64,
    counts: RecordCounts,
    verify: Option<ChainCheck>,
    /// Records that are passed over before the first one that is given.
    passed: u64,
    ended: bool,
    piece: RecordPiece,
}

/// What is read of a sealed block, decompressed.
pub(in crate::log) struct BlockPayload {
    /// How many values and records each frame had, and where records without entries stand; or the order of all records;
    /// `None` in a block of the first version.
    pub order: Option<Vec<u8>>,
    /// The streams, of which `None` are not wanted.
    pub streams: Vec<Option<Vec<u8>>>,
}

impl<V: AsRef<[u8]>> FrameRecords<V> {
    /// Opens a frame that has these values.
    ///
    /// # Errors
    /// A value is damaged, missing or from another frame, or the frame's tables are not valid.
    pub fn open(parts: Vec<V>, check: Check) -> Result<Self, FrameError> {
        Self::open_for(parts, ReadScope::all(check))
    }

    /// The same, for a reader of less.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub(in crate::log) fn open_for(
        mut parts: Vec<V>,
        scope: ReadScope<'_>,
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
        let stream = Stream::open(payload, from, scope)?;
        let streams = vec![Some(stream)];
        Ok(Self::of_streams(header, streams, None, scope.check))
    }

    /// The same for a sealed block. The records of its first `passed` values are not given.
    ///
    /// # Errors
    /// Its tables are not valid, or no frame begins behind these values.
    pub(in crate::log) fn of_block(
        header: FrameHeader,
        payload: BlockPayload,
        passed: u64,
        scope: ReadScope<'_>,
    ) -> Result<Self, FrameError> {
        let mut streams = Vec::with_capacity(payload.streams.len());
        for stream in payload.streams {
            let open = |plain| Stream::open(FramePayload::Joined(plain), 0, scope);
            streams.push(stream.map(open).transpose()?);
        }
        let (frames, order) = match payload.order {
            Some(order) => StreamOrder::read(&order, &header, &mut streams)?,
            None => {
                let first = streams.first_mut().and_then(Option::as_mut);
                (first.map(Stream::take_frames).unwrap_or_default(), None)
            }
        };
        if order.is_none() && streams.len() != 1 {
            return Err(FrameError::Disagree("the order of records"));
        }
        let mut records = Self::of_streams(header, streams, order, scope.check);
        records.passed = records_in(&frames, passed)?;
        Ok(records)
    }

    fn of_streams(
        header: FrameHeader,
        streams: Vec<Option<Stream<V>>>,
        order: Option<StreamOrder>,
        check: Check,
    ) -> Self {
        let verify = match check {
            Check::Form => None,
            Check::Chain => Some(ChainCheck::new(&header)),
        };
        FrameRecords {
            seq: header.first_seq,
            header,
            streams,
            order,
            counts: RecordCounts::default(),
            verify,
            passed: 0,
            ended: false,
            piece: RecordPiece::default(),
        }
    }

    /// The frame's header.
    #[must_use]
    pub fn header(&self) -> &FrameHeader {
        &self.header
    }

    /// The next record; `None` after the last one. Its names and members are interned in `names`, which must be the same
    /// dictionary for all records of the frame.
    ///
    /// # Errors
    /// The record, or one soon behind it, is not valid, or the frame does not agree with its header.
    pub fn next(&mut self, names: &mut Names) -> Result<Option<DecodedRecord<'_>>, FrameError> {
        if self.piece.is_empty() {
            let mut piece = std::mem::take(&mut self.piece);
            let filled = self.fill(&mut piece, names);
            self.piece = piece;
            filled?;
        }
        self.piece.next();
        Ok(self.current())
    }

    /// The record to which [`next`](Self::next) led.
    #[must_use]
    pub fn current(&self) -> Option<DecodedRecord<'_>> {
        self.piece.current()
    }

    /// Replaces the records of a piece by the next ones. Returns `false` behind the last one: then it has none.
    pub(super) fn fill(
        &mut self,
        piece: &mut RecordPiece,
        names: &mut Names,
    ) -> Result<bool, FrameError> {
        piece.clear();
        while piece.is_empty() && !self.ended {
            piece.clear();
            self.ended = !self.read(piece, names)?;
            let streams = &self.streams;
            if let Some(verify) = &mut self.verify {
                let stream = |of: u8| streams.get(usize::from(of))?.as_ref()?.hashes();
                verify.piece(piece, stream, names)?;
            }
            self.passed -= piece.pass_over(self.passed);
            if self.ended {
                let mut read = self.streams.iter().flatten();
                read.try_for_each(Stream::expect_end)?;
                self.check(names)?;
            }
        }
        Ok(!piece.is_empty())
    }

    /// Decodes the next records into an empty piece. Returns `false` if there are no more behind them.
    fn read(&mut self, piece: &mut RecordPiece, names: &mut Names) -> Result<bool, FrameError> {
        let (streams, counts) = (&mut *self.streams, &mut self.counts);
        match (&mut self.order, streams) {
            (Some(order), streams) => order.read_next(streams, names, counts, piece),
            (None, [Some(only), ..]) => {
                let (seq, mut left) = (&mut self.seq, PIECE_ENTRIES);
                let more = only.read(names, counts, piece, |read| {
                    if let Some(ReadRecord { entries, .. }) = read {
                        *seq += entries as u64;
                        left = left.saturating_sub(entries.max(1));
                    }
                    Ok((left > 0).then_some(*seq))
                })?;
                piece.are_of(0);
                piece.keep_order();
                Ok(more)
            }
            (None, _) => Ok(false),
        }
    }

    /// Checks that the header agrees with the records, all of which were read.
    fn check(&mut self, names: &Names) -> Result<(), FrameError> {
        let (header, counts) = (&self.header, &self.counts);
        // The records of streams that are not read were not counted.
        if self.streams.iter().any(Option::is_none) {
            return Ok(());
        }
        for (what, found, said) in [
            ("entries", counts.entries, header.entries),
            ("commits", counts.commits, header.commits),
            ("pages", counts.pages, header.pages),
            ("rejects", counts.rejects, header.rejects),
            ("progress", counts.progress, header.progress),
        ] {
            if found != said {
                return Err(FrameError::Disagree(what));
            }
        }
        match self.verify.take() {
            Some(verify) => verify.check(&self.header, names),
            None => Ok(()),
        }
    }
}

/// How many records the first `values` values of a block have, by its list of frames.
fn records_in(frames: &[u8], values: u64) -> Result<u64, FrameError> {
    let mut frames = Reader::new(frames);
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
