//! The rejected lines that no retry has accepted yet.

use super::Store;
use super::error::StoreError;
use super::locks::held;
use super::read::{ScanScope, ScopedRecord};
use crate::log::Reject;
use std::collections::HashSet;
use std::sync::MutexGuard;

impl Store {
    /// Waits until no other retry runs: two retries that read the same rejects would record them twice.
    pub(crate) fn retry_alone(&self) -> MutexGuard<'_, ()> {
        held(&self.retrying)
    }

    /// Calls `each` with each unsettled reject and its number among all rejects of the log, from 1. Stops when `each`
    /// returns `false`.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn kept_rejects(
        &self,
        mut each: impl FnMut(u64, &Reject) -> bool,
    ) -> Result<(), StoreError> {
        // The log has these numbers after the rejects themselves.
        let mut settled = HashSet::new();
        self.reject_records(|record| {
            if let ScopedRecord::Settled(reject) = record {
                settled.insert(*reject);
            }
            true
        })?;
        let mut n = 0;
        self.reject_records(|record| {
            let ScopedRecord::Reject(reject) = record else {
                return true;
            };
            n += 1;
            settled.contains(&n) || each(n, reject)
        })
    }

    /// Calls `each` with each record of the frames that have something about rejects, until it returns `false`.
    fn reject_records(
        &self,
        mut each: impl FnMut(&ScopedRecord<'_>) -> bool,
    ) -> Result<(), StoreError> {
        let (mut cursor, mut frames) = self.scan(&ScanScope::default())?;
        while let Some(mut frame) = frames.next_if(&mut cursor, |it| it.rejects > 0)? {
            while let Some(record) = frame.next(&mut cursor)? {
                if !each(&record) {
                    return Ok(());
                }
                // For errors, which name the last entry.
                cursor.apply(&record);
            }
            cursor.forget_absent();
        }
        Ok(())
    }
}
