//! In which order the records of the streams of a block follow one another. What the records are is not known here.

use super::FrameError;
use super::header::FrameHeader;
use super::piece::RecordPiece;
use super::stream::{ReadRecord, RecordCounts, Stream};
use crate::domain::names::Names;
use crate::limits::PIECE_ENTRIES;
use crate::log::codec::bytes::Reader;

/// The order of the records of a block. Each entry has a place, and so has each record without entries.
pub(super) struct StreamOrder {
    places: StreamPlaces,
    /// The places of records without entries.
    bare: Vec<usize>,
    /// How many of these were passed.
    passed: usize,
    /// The next place.
    at: usize,
    first_seq: u64,
    /// The places whose records are being read, in order.
    upcoming: Vec<NextPlace>,
    /// For each stream the first of them.
    first: [u32; STREAMS_MAX],
}

/// A place whose record is being read.
struct NextPlace {
    at: usize,
    of: u8,
    /// The number of the next entry there.
    seq: u64,
    is_bare: bool,
    /// Which of these places is the next one of its stream.
    next: u32,
    /// The number of the record in the piece, if there is one to be given.
    number: Option<usize>,
}

/// The places of the streams that are read.
enum StreamPlaces {
    /// For each place of the block its stream; [`NOT_READ`] where the record is of a stream that is not read, or begins
    /// earlier.
    All(Vec<u8>),
    /// Where most streams are not read: only the others' places, in order, each with its stream; and how many were passed.
    Few(Vec<(usize, u8)>, usize),
}

impl StreamPlaces {
    /// The first place from `at` on, and its stream.
    fn next(&mut self, at: usize) -> Option<(usize, u8)> {
        match self {
            StreamPlaces::All(streams) => {
                let mut rest = streams.get(at..)?.iter().zip(at..);
                let (&of, at) = rest.find(|&(&of, _)| of != NOT_READ)?;
                Some((at, of))
            }
            StreamPlaces::Few(places, passed) => {
                let rest = places.get(*passed..)?;
                *passed += rest.iter().take_while(|&&(place, _)| place < at).count();
                places.get(*passed).copied()
            }
        }
    }

    /// Whether the places behind `at` up to, but not including, `end` exist, and are of no other stream that is read.
    fn are_of(&self, of: u8, at: usize, end: usize) -> bool {
        match self {
            StreamPlaces::All(streams) => {
                let others = streams.get(at + 1..end);
                others.is_some_and(|others| others.iter().all(|&it| it == NOT_READ || it == of))
            }
            StreamPlaces::Few(places, _) => {
                let behind = places.partition_point(|&(place, _)| place <= at);
                let rest = places.get(behind..).unwrap_or_default().iter();
                let mut others = rest.take_while(|&&(place, _)| place < end);
                others.all(|&(_, it)| it == of)
            }
        }
    }
}

/// There is no such place.
const NO_PLACE: u32 = u32::MAX;

const NOT_READ: u8 = u8::MAX;

/// The bit in a byte of an order that tells a record without entries from an entry.
const NO_ENTRY: u8 = 1 << 7;

/// Streams that a block has at most: a byte has their numbers, and some others besides.
pub(in crate::log) const STREAMS_MAX: usize = 250;

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

/// For each place its stream.
fn all_places(places: &[(Vec<u8>, u8)], all: usize) -> Result<Vec<u8>, FrameError> {
    let mut streams = vec![NOT_READ; all];
    for (places, stream) in places {
        for at in RecordPlaces::of(places) {
            match streams.get_mut(at?) {
                Some(of) if *of == NOT_READ => *of = *stream,
                _ => return Err(wrong()),
            }
        }
    }
    Ok(streams)
}

/// The places alone, in order, each with its stream.
fn few_places(places: &[(Vec<u8>, u8)], all: usize) -> Result<Vec<(usize, u8)>, FrameError> {
    let mut few = Vec::new();
    for (places, stream) in places {
        for at in RecordPlaces::of(places) {
            few.push((at?, *stream));
        }
    }
    // It merges what is sorted already.
    few.sort_by_key(|&(at, _)| at);
    let are_apart = few.is_sorted_by(|a, b| a.0 < b.0);
    let end = few.last().is_none_or(|&(last, _)| last < all);
    if are_apart && end {
        Ok(few)
    } else {
        Err(wrong())
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
        let is_all = streams.iter().all(Option::is_some);
        let mut order = StreamOrder {
            places: StreamPlaces::All(Vec::new()),
            bare: Vec::new(),
            passed: 0,
            at: 0,
            first_seq: header.first_seq,
            upcoming: Vec::new(),
            first: [NO_PLACE; STREAMS_MAX],
        };
        let read = streams
            .iter_mut()
            .zip(0..)
            .filter_map(|(of, number)| Some((of.as_mut()?, number)));
        let places = read.map(|(stream, number)| Some((stream.take_places()?, number)));
        match places.collect::<Option<Vec<(Vec<u8>, u8)>>>() {
            Some(places) => order.place(reader.rest(), header, &places, is_all)?,
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
        is_all: bool,
    ) -> Result<(), FrameError> {
        let others = [header.pages, header.rejects, header.progress];
        let others = others.into_iter().fold(0, u64::saturating_add);
        self.bare = RecordPlaces::of(bare).collect::<Result<_, FrameError>>()?;
        if self.bare.len() as u64 != others {
            return Err(wrong());
        }
        let all = header.entries.saturating_add(others);
        let all = usize::try_from(all).map_err(|_| wrong())?;
        self.places = if is_all {
            StreamPlaces::All(all_places(places, all)?)
        } else {
            StreamPlaces::Few(few_places(places, all)?, 0)
        };
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
        self.places = StreamPlaces::All(order.iter().map(stream).collect());
    }

    /// Decodes the next records of the streams that are read, stream by stream. Returns `false` behind the last one.
    pub fn read_next<V: AsRef<[u8]>>(
        &mut self,
        streams: &mut [Option<Stream<V>>],
        names: &mut Names,
        counts: &mut RecordCounts,
        piece: &mut RecordPiece,
    ) -> Result<bool, FrameError> {
        self.find_upcoming();
        for (first, of) in self.first.into_iter().zip(0..) {
            let mut at = first;
            if at == NO_PLACE {
                continue;
            }
            let stream = streams.get_mut(usize::from(of));
            let stream = stream.and_then(Option::as_mut).ok_or_else(wrong)?;
            let more = stream.read(names, counts, piece, |read| {
                if let Some(read) = read {
                    at = self.is_read(at, of, &read)?;
                }
                Ok(self.upcoming.get(at as usize).map(|next| next.seq))
            })?;
            if !more {
                return Err(wrong());
            }
            piece.are_of(of);
        }
        for read in self.upcoming.iter().filter_map(|place| place.number) {
            piece.follow(read);
        }
        Ok(!self.upcoming.is_empty())
    }

    /// Finds the next places of the streams that are read.
    fn find_upcoming(&mut self) {
        self.upcoming.clear();
        while self.upcoming.len() < PIECE_ENTRIES
            && let Some((at, of)) = self.places.next(self.at)
        {
            while self.bare.get(self.passed).is_some_and(|&bare| bare < at) {
                self.passed += 1;
            }
            self.upcoming.push(NextPlace {
                at,
                of,
                seq: self.first_seq.wrapping_add((at - self.passed) as u64),
                is_bare: self.bare.get(self.passed) == Some(&at),
                next: NO_PLACE,
                number: None,
            });
            self.at = at + 1;
        }
        self.first = [NO_PLACE; STREAMS_MAX];
        for (number, place) in self.upcoming.iter_mut().enumerate().rev() {
            if let Some(first) = self.first.get_mut(usize::from(place.of)) {
                place.next = std::mem::replace(first, number as u32);
            }
        }
    }

    /// Notes the record of the stream `of` at a place. Returns the next place of the stream.
    fn is_read(&mut self, at: u32, of: u8, read: &ReadRecord) -> Result<u32, FrameError> {
        let place = self.upcoming.get_mut(at as usize).ok_or_else(wrong)?;
        place.number = read.number;
        if place.is_bare != (read.entries == 0) {
            return Err(wrong());
        }
        let mut next = place.next;
        if read.entries > 1 {
            let end = place.at + read.entries;
            if !self.places.are_of(of, place.at, end) {
                return Err(wrong());
            }
            self.at = self.at.max(end);
            // Its other entries have places, too.
            while let Some(inside) = self.upcoming.get(next as usize).filter(|it| it.at < end) {
                next = inside.next;
            }
        }
        Ok(next)
    }
}
