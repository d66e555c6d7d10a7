//! The rejected lines that no retry has accepted yet.

use super::Store;
use super::error::StoreError;
use super::locks::held;
use super::read::{ScanScope, ScopedFrame, ScopedFrames, ScopedRecord, StateCursor};
use crate::log::Reject;
use std::collections::HashSet;
use std::iter::FusedIterator;
use std::sync::MutexGuard;

impl Store {
    /// Waits until no other retry runs: two retries that read the same rejects would record them twice.
    pub(crate) fn retry_alone(&self) -> MutexGuard<'_, ()> {
        held(&self.retrying)
    }

    /// Each unsettled reject, and its number among all rejects of the log, from 1.
    ///
    /// # Errors
    /// If the log cannot be read.
    #[doc(hidden)]
    pub fn kept_rejects(&self) -> Result<KeptRejects<'_>, StoreError> {
        // The log has these numbers after the rejects themselves.
        let mut settled = HashSet::new();
        let mut records = RejectRecords::of(self)?;
        let settlement = |record: &ScopedRecord<'_>| match record {
            ScopedRecord::Settled(reject) => Some(*reject),
            _ => None,
        };
        while let Some(reject) = records.find_map(settlement)? {
            settled.insert(reject);
        }
        let records = RejectRecords::of(self)?;
        Ok(KeptRejects {
            settled,
            // Those that were pruned are counted, so that each one keeps its number.
            n: records.cursor.bookkeeping.rejects,
            records: Some(records),
        })
    }
}

/// The unsettled rejects, read from the log one after another. After an error there are no more.
#[must_use = "rejects are read only when they are asked for"]
pub struct KeptRejects<'a> {
    /// `None` after the last one.
    records: Option<RejectRecords<'a>>,
    settled: HashSet<u64>,
    n: u64,
}

impl Iterator for KeptRejects<'_> {
    type Item = Result<(u64, Reject), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let records = self.records.as_mut()?;
        let found = records.find_map(|record| {
            let ScopedRecord::Reject(reject) = *record else {
                return None;
            };
            self.n += 1;
            (!self.settled.contains(&self.n)).then(|| (self.n, reject.clone()))
        });
        if !matches!(found, Ok(Some(_))) {
            self.records = None;
        }
        found.transpose()
    }
}

impl FusedIterator for KeptRejects<'_> {}

/// The records of the frames that have something about rejects.
struct RejectRecords<'a> {
    cursor: StateCursor,
    frames: ScopedFrames<'a>,
    frame: Option<ScopedFrame<'a>>,
}

impl<'a> RejectRecords<'a> {
    fn of(store: &'a Store) -> Result<Self, StoreError> {
        let (cursor, frames) = store.scan(&ScanScope::default())?;
        Ok(RejectRecords {
            cursor,
            frames,
            frame: None,
        })
    }

    /// What `look` finds in the next record in which it finds something.
    fn find_map<T>(
        &mut self,
        mut look: impl FnMut(&ScopedRecord<'_>) -> Option<T>,
    ) -> Result<Option<T>, StoreError> {
        loop {
            let Some(frame) = &mut self.frame else {
                self.frame = self
                    .frames
                    .next_if(&mut self.cursor, |it, _| it.rejects > 0)?;
                if self.frame.is_none() {
                    return Ok(None);
                }
                continue;
            };
            let Some(record) = frame.next(&mut self.cursor)? else {
                self.frame = None;
                self.cursor.forget_absent();
                continue;
            };
            let found = look(&record);
            // For errors, which name the last entry.
            self.cursor.apply(&record);
            if found.is_some() {
                return Ok(found);
            }
        }
    }
}
