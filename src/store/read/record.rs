//! A record as readers get it: with the part of its entries that is in the scope. Where records come from is in
//! `frames`; what they do to the state, in `cursor`.

use super::scope::ScopeEnd;
use crate::domain::entry::{ConnectionEnd, Entry, Page, Rules};
use crate::log::frame::DecodedRecord;
use crate::log::{Forgotten, Progress, Record, Reject};

/// A record of a frame.
#[derive(Debug, Clone, Copy)]
pub enum ScopedRecord<'a> {
    /// Entries that were appended together.
    Commit(ScopedCommit<'a>),
    /// A step of a paged snapshot.
    Page {
        /// The rules by which it was decided.
        rules: &'a Rules,
        /// The step.
        page: &'a Page,
        /// The number of the entry that follows.
        next_seq: u64,
    },
    /// An ingest connection that was closed normally.
    Closed {
        /// Whose.
        end: &'a ConnectionEnd,
        /// The number of the entry that follows.
        next_seq: u64,
    },
    /// A rejected line.
    Reject(&'a Reject),
    /// A rejected line, by its ordinal from 1, was accepted by a later retry.
    Settled(u64),
    /// How far a source has been read.
    Progress(&'a Progress),
    /// A person was forgotten.
    Forgotten(&'a Forgotten),
}

/// Entries that were appended together.
#[derive(Debug, Clone, Copy)]
pub struct ScopedCommit<'a> {
    /// The rules by which they were decided.
    pub rules: &'a Rules,
    /// The entries of the scope: all of them, or the first few, or none if the scope ends before them.
    pub entries: &'a [Entry],
    /// All entries of the commit.
    pub all: &'a [Entry],
}

impl ScopedCommit<'_> {
    /// Whether all entries of the commit are in the scope.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.entries.len() == self.all.len()
    }
}

impl<'a> ScopedRecord<'a> {
    /// A record, with its entries up to the end of the scope.
    #[inline]
    pub(super) fn of(record: DecodedRecord<'a>, end: &ScopeEnd) -> Self {
        let of_commit = |rules, entries| {
            ScopedRecord::Commit(ScopedCommit {
                rules,
                entries: end.cut(entries),
                all: entries,
            })
        };
        let (other, next_seq) = match record {
            DecodedRecord::Commit(rules, entries) => return of_commit(rules, entries),
            DecodedRecord::Other(other, next_seq) => (other, next_seq),
        };
        match other {
            Record::Commit { rules, entries } => of_commit(rules, entries),
            Record::Page { rules, page } => ScopedRecord::Page {
                rules,
                page,
                next_seq,
            },
            Record::Closed(end) => ScopedRecord::Closed { end, next_seq },
            Record::Reject(reject) => ScopedRecord::Reject(reject),
            Record::Settled(reject) => ScopedRecord::Settled(*reject),
            Record::Progress(progress) => ScopedRecord::Progress(progress),
            Record::Forgotten(forgotten) => ScopedRecord::Forgotten(forgotten),
        }
    }
}
