//! Decoded records that follow one another. A block is decoded some hundred records at a time, and stream by stream: so the
//! loop over the rows of a stream stays short, and what the rows need is at hand. Nothing is decoded here.

use crate::domain::entry::{Entry, Rules};
use crate::limits::PIECE_ENTRIES;
use crate::log::Record;
use crate::log::codec::record::entry::EntryPlaces;
use std::ops::Range;

/// A record that was decoded.
#[derive(Debug, Clone, Copy)]
pub enum DecodedRecord<'a> {
    /// Entries that were appended together.
    Commit(&'a Rules, &'a [Entry]),
    /// Any other, and the number of the entry that follows it.
    Other(&'a Record, u64),
}

impl DecodedRecord<'_> {
    /// A copy that stands for itself.
    pub fn to_record(self) -> Record {
        match self {
            DecodedRecord::Commit(rules, entries) => Record::Commit {
                rules: *rules,
                entries: entries.to_vec(),
            },
            DecodedRecord::Other(other, _) => other.clone(),
        }
    }
}

/// Records that follow one another, and which of them was given last.
#[derive(Default)]
pub(super) struct RecordPiece {
    /// In the order in which they were decoded.
    records: Vec<PieceRecord>,
    /// The numbers of the records, in the order in which they follow one another.
    order: Vec<u32>,
    /// The entries of all commits: side by side, so they come fast from one processor to another.
    entries: Vec<Entry>,
    /// Where the chain is checked: for each record its stream, and for each entry where its strings are.
    streams: Vec<u8>,
    places: Vec<EntryPlaces>,
    /// How many of the records were given.
    given: usize,
}

pub(super) enum PieceRecord {
    /// The entries from one number up to, but not including, another.
    Commit(Rules, Range<usize>),
    /// Any other, and the number of the entry that follows it.
    Other(Box<Record>, u64),
}

/// A commit, and what the chain needs of it.
pub(super) struct CheckedCommit<'a> {
    pub rules: &'a Rules,
    pub entries: &'a [Entry],
    /// For each entry.
    pub places: &'a [EntryPlaces],
    /// The stream that it is from.
    pub stream: u8,
}

impl RecordPiece {
    /// Removes all records.
    pub fn clear(&mut self) {
        self.records.clear();
        self.order.clear();
        self.entries.clear();
        // It may have had a large commit.
        self.entries.shrink_to(2 * PIECE_ENTRIES);
        self.streams.clear();
        self.places.clear();
        self.given = 0;
    }

    /// Records that were decoded.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Adds an entry of the next commit.
    #[inline]
    pub fn entry(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// Notes where the strings of the last entry are.
    pub fn places(&mut self, places: EntryPlaces) {
        self.places.push(places);
    }

    /// Entries that were added.
    pub fn entries(&self) -> usize {
        self.entries.len()
    }

    /// Makes room for the entries of a commit.
    pub fn reserve(&mut self, entries: usize) {
        self.entries.reserve(entries);
    }

    /// Makes a commit of the entries from a number on.
    #[inline]
    pub fn commit(&mut self, rules: Rules, from: usize) {
        let entries = from..self.entries.len();
        self.records.push(PieceRecord::Commit(rules, entries));
    }

    /// Adds a record without entries, which stands before the entry `seq`.
    pub fn other(&mut self, record: Record, seq: u64) {
        self.records.push(PieceRecord::Other(Box::new(record), seq));
    }

    /// Notes that the records without a stream are of this one.
    pub fn are_of(&mut self, stream: u8) {
        self.streams.resize(self.records.len(), stream);
    }

    /// Says which record follows.
    #[inline]
    pub fn follow(&mut self, record: usize) {
        self.order.push(record as u32);
    }

    /// Says that they follow one another as they were decoded.
    pub fn keep_order(&mut self) {
        self.order.extend(0..self.records.len() as u32);
    }

    /// Does not give the first ones, at most so many. Returns how many they are.
    pub fn pass_over(&mut self, most: u64) -> u64 {
        let left = self.order.len() - self.given;
        let passed = usize::try_from(most).map_or(left, |most| most.min(left));
        self.given += passed;
        passed as u64
    }

    /// Whether no record is left to be given.
    pub fn is_empty(&self) -> bool {
        self.given == self.order.len()
    }

    /// Moves to the next record; `None` behind the last one.
    #[inline]
    pub fn next(&mut self) -> Option<()> {
        if self.is_empty() {
            return None;
        }
        self.given += 1;
        Some(())
    }

    /// The record to which [`next`](Self::next) led.
    #[inline]
    #[must_use]
    pub fn current(&self) -> Option<DecodedRecord<'_>> {
        let number = self.order.get(self.given.checked_sub(1)?)?;
        self.get(*number)
    }

    /// The same, to be changed.
    pub fn current_mut(&mut self) -> Option<(&mut PieceRecord, &mut [Entry])> {
        let number = self.order.get(self.given.checked_sub(1)?)?;
        let record = self.records.get_mut(*number as usize)?;
        let entries = match record {
            PieceRecord::Commit(_, entries) => self.entries.get_mut(entries.clone())?,
            PieceRecord::Other(..) => &mut [],
        };
        Some((record, entries))
    }

    /// All records, in order.
    pub fn iter(&self) -> impl Iterator<Item = DecodedRecord<'_>> {
        self.order.iter().filter_map(|&number| self.get(number))
    }

    #[inline]
    fn get(&self, number: u32) -> Option<DecodedRecord<'_>> {
        Some(match self.records.get(number as usize)? {
            PieceRecord::Commit(rules, entries) => {
                DecodedRecord::Commit(rules, self.entries.get(entries.clone())?)
            }
            PieceRecord::Other(other, seq) => DecodedRecord::Other(other, *seq),
        })
    }

    /// All commits, in order, with what the chain needs.
    pub fn checked(&self) -> impl Iterator<Item = CheckedCommit<'_>> {
        self.order.iter().filter_map(|&number| {
            let number = number as usize;
            let PieceRecord::Commit(rules, entries) = self.records.get(number)? else {
                return None;
            };
            Some(CheckedCommit {
                rules,
                entries: self.entries.get(entries.clone())?,
                places: self.places.get(entries.clone())?,
                stream: *self.streams.get(number)?,
            })
        })
    }
}
