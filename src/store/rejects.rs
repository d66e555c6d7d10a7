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
        let settled = self.settled_rejects()?;
        let mut n = 0;
        let (mut cursor, mut frames) = self.scan(&ScanScope::default())?;
        while let Some(mut frame) = frames.next(&mut cursor)? {
            if frame.header().rejects == 0 {
                frame.skip(&mut cursor);
                continue;
            }
            while let Some(record) = frame.next(&mut cursor)? {
                if let ScopedRecord::Reject(reject) = record {
                    n += 1;
                    if !settled.contains(&n) && !each(n, reject) {
                        return Ok(());
                    }
                }
                // For errors, which name the last entry.
                cursor.apply(&record);
            }
            cursor.forget_absent();
        }
        Ok(())
    }

    /// The numbers of the settled rejects. The log has them after the rejects themselves.
    fn settled_rejects(&self) -> Result<HashSet<u64>, StoreError> {
        let mut settled = HashSet::new();
        let (mut cursor, mut frames) = self.scan(&ScanScope::default())?;
        while let Some(mut frame) = frames.next(&mut cursor)? {
            if frame.header().rejects == 0 {
                frame.skip(&mut cursor);
                continue;
            }
            while let Some(record) = frame.next(&mut cursor)? {
                if let ScopedRecord::Settled(reject) = record {
                    settled.insert(reject);
                }
                cursor.apply(&record);
            }
            cursor.forget_absent();
        }
        Ok(settled)
    }
}
