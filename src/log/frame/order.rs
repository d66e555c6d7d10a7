//! In which order the records of the streams of a block follow one another. What the records are is not known here.

use super::FrameError;
use super::header::FrameHeader;
use super::stream::{ReadSoFar, ReadStep, Stream};
use crate::domain::names::Names;
use crate::log::Record;
use crate::log::codec::bytes::Reader;

/// The order of the records of a block. Each entry has a place, and so has each record without entries.
pub(super) struct StreamOrder {
    /// For each place its stream; [`NOT_READ`] where the record is of a stream that is not read, or begins earlier.
    streams: Vec<u8>,
    /// The places of records without entries.
    bare: Vec<usize>,
    /// How many of these were passed.
    passed: usize,
    /// The next place.
    at: usize,
    first_seq: u64,
}

const NOT_READ: u8 = u8::MAX;

/// The bit in a byte of an order that tells a record without entries from an entry.
const NO_ENTRY: u8 = 1 << 7;

/// So many streams have a number in a byte of an order.
pub(in crate::log) const STREAMS_MAX: usize = NO_ENTRY as usize;

/// A list of places, each a varint less the one before. None comes twice.
struct RecordPlaces<'a> {
    rest: Reader<'a>,
    last: Option<usize>,
}

impl<'a> RecordPlaces<'a> {
    fn of(bytes: &'a [u8]) -> RecordPlaces<'a> {
        let rest = Reader::new(bytes);
        RecordPlaces { rest, last: None }
    }

    fn read(&mut self) -> Result<usize, FrameError> {
        let step = self.rest.index()? as usize;
        let place = match self.last {
            None => Some(step),
            Some(last) => last.checked_add(step).filter(|_| step > 0),
        };
        self.last = place;
        place.ok_or_else(wrong)
    }
}

impl Iterator for RecordPlaces<'_> {
    type Item = Result<usize, FrameError>;

    fn next(&mut self) -> Option<Self::Item> {
        (!self.rest.is_empty()).then(|| self.read())
    }
}

fn wrong() -> FrameError {
    FrameError::Disagree("the order of records")
}

impl StreamOrder {
    /// Reads the list of frames, and the order. Without an order there is one stream.
    pub fn read<V: AsRef<[u8]>>(
        bytes: &[u8],
        header: &FrameHeader,
        streams: &mut [Option<Stream<V>>],
    ) -> Result<(Vec<u8>, Option<StreamOrder>), FrameError> {
        let mut reader = Reader::new(bytes);
        let length = reader.count(1)?;
        let frames = reader.take(length)?.to_vec();
        if streams.len() == 1 {
            return Ok((frames, None));
        }
        let mut order = StreamOrder {
            streams: Vec::new(),
            bare: Vec::new(),
            passed: 0,
            at: 0,
            first_seq: header.first_seq,
        };
        let read = streams
            .iter_mut()
            .zip(0..)
            .filter_map(|(of, number)| Some((of.as_mut()?, number)));
        let places = read.map(|(stream, number)| Some((stream.take_places()?, number)));
        match places.collect::<Option<Vec<(Vec<u8>, u8)>>>() {
            Some(places) => order.place(reader.rest(), header, &places)?,
            None => order.take(reader.rest(), streams),
        }
        Ok((frames, Some(order)))
    }

    /// The places that the streams state, and those of records without entries.
    fn place(
        &mut self,
        bare: &[u8],
        header: &FrameHeader,
        places: &[(Vec<u8>, u8)],
    ) -> Result<(), FrameError> {
        let others = [header.pages, header.rejects, header.progress];
        let others = others.into_iter().fold(0, u64::saturating_add);
        self.bare = RecordPlaces::of(bare).collect::<Result<_, FrameError>>()?;
        if self.bare.len() as u64 != others {
            return Err(wrong());
        }
        let all = header.entries.saturating_add(others);
        self.streams = vec![NOT_READ; usize::try_from(all).map_err(|_| wrong())?];
        for (places, stream) in places {
            for at in RecordPlaces::of(places) {
                match self.streams.get_mut(at?) {
                    Some(of) if *of == NOT_READ => *of = *stream,
                    _ => return Err(wrong()),
                }
            }
        }
        Ok(())
    }

    /// The order of a block of the second version: a byte for each place.
    fn take<V>(&mut self, order: &[u8], streams: &[Option<Stream<V>>]) {
        let is_bare = |&(_, byte): &(usize, &u8)| byte & NO_ENTRY != 0;
        self.bare = order
            .iter()
            .enumerate()
            .filter(is_bare)
            .map(|(at, _)| at)
            .collect();
        let stream = |&byte: &u8| {
            let of = byte & !NO_ENTRY;
            // One that the block does not have is an error when it is read.
            match streams.get(usize::from(of)) {
                Some(None) => NOT_READ,
                _ => of,
            }
        };
        self.streams = order.iter().map(stream).collect();
    }

    /// Decodes the next record of the streams that are read. Returns `false` after the last one.
    pub fn next<V: AsRef<[u8]>>(
        &mut self,
        streams: &mut [Option<Stream<V>>],
        names: &mut Names,
        so_far: &mut ReadSoFar,
        record: &mut Option<Record>,
    ) -> Result<bool, FrameError> {
        while let Some((at, of)) = self.next_place() {
            let stream = streams.get_mut(usize::from(of));
            let stream = stream.and_then(Option::as_mut).ok_or_else(wrong)?;
            while self.bare.get(self.passed).is_some_and(|&bare| bare < at) {
                self.passed += 1;
            }
            let seq = self.first_seq.wrapping_add((at - self.passed) as u64);
            so_far.seq = seq;
            let step = stream.read(names, so_far, record)?;
            let entries = usize::try_from(so_far.seq.wrapping_sub(seq)).map_err(|_| wrong())?;
            let is_bare = self.bare.get(self.passed) == Some(&at);
            if is_bare != (entries == 0) || step == ReadStep::End {
                return Err(wrong());
            }
            self.at = at + entries.max(1);
            let others = self.streams.get(at + 1..self.at).ok_or_else(wrong)?;
            if others.iter().any(|&other| other != NOT_READ && other != of) {
                return Err(wrong());
            }
            if step == ReadStep::Read {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The next place with a record that is read, and its stream.
    fn next_place(&self) -> Option<(usize, u8)> {
        let rest = self.streams.get(self.at..)?;
        // Most places may be of streams that are not read: eight are passed at a time.
        let (eights, _) = rest.as_chunks::<8>();
        let passed = eights.iter().position(|eight| *eight != [NOT_READ; 8]);
        let from = passed.unwrap_or(eights.len()) * 8;
        let near = rest.get(from..)?.iter().position(|&of| of != NOT_READ)?;
        let at = self.at + from + near;
        Some((at, *self.streams.get(at)?))
    }
}
