//! Conditions that are no error, but that the owner should know: a clock far from the log's, files that others may
//! read.

use super::Store;
use super::error::StoreError;
use crate::domain::time::Millis;
use crate::limits::{CLOCK_AHEAD_MS, CLOCK_BEHIND_MS};
use std::path::PathBuf;

/// A condition that the owner of a store should know before more is recorded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Caution {
    /// The clock is far ahead of the last entry. Correcting the clock later does not change what is recorded until
    /// then.
    #[error(
        "the clock is {} days ahead of the last entry's recording; if it is wrong, stop and set it: recording times never go back", days(*.now, *.last)
    )]
    ClockAhead {
        /// When the last entry was recorded, Unix ms.
        last: Millis,
        /// The clock's time, Unix ms.
        now: Millis,
    },
    /// The clock is behind the last entry.
    #[error(
        "the clock is {} days behind the last entry's recording: until it has recovered up, all is recorded at that time; set the clock, or restore a backup of before it was wrong", days(*.last, *.now)
    )]
    ClockBehind {
        /// When the last entry was recorded, Unix ms.
        last: Millis,
        /// The clock's time, Unix ms.
        now: Millis,
    },
    /// Users other than the owner may read a file or folder with the store's secrets.
    #[error("{}: other users of this machine may read it; `chmod go= {}` ends that", .0.display(), .0.display())]
    OpenToOthers(PathBuf),
}

fn days(late: Millis, early: Millis) -> Millis {
    late.saturating_sub(early) / 86_400_000
}

impl Store {
    /// The conditions that the owner should know before more is recorded.
    ///
    /// ```
    /// # fn main() -> Result<(), rollbook::StoreError> {
    /// let store = rollbook::Store::in_memory(rollbook::Options::default())?;
    /// assert_eq!(store.cautions()?, []);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn cautions(&self) -> Result<Vec<Caution>, StoreError> {
        let files = self
            .shared
            .data_dir
            .as_ref()
            .map(|data_dir| data_dir.open_files());
        let mut cautions: Vec<_> = files
            .into_iter()
            .flatten()
            .map(Caution::OpenToOthers)
            .collect();
        let now = (self.shared.options.clock)();
        match self.last_recorded()? {
            Some(last) if now.saturating_sub(last) > CLOCK_AHEAD_MS => {
                cautions.push(Caution::ClockAhead { last, now });
            }
            Some(last) if last.saturating_sub(now) > CLOCK_BEHIND_MS => {
                cautions.push(Caution::ClockBehind { last, now });
            }
            _ => {}
        }
        Ok(cautions)
    }

    /// When the last entry was recorded.
    fn last_recorded(&self) -> Result<Option<Millis>, StoreError> {
        let mut next = self.shared.published().next;
        // Frames without entries may follow the entry.
        while let Some(header) = self.shared.log.header_ending_before(next)? {
            if header.entries > 0 {
                return Ok(Some(header.recorded_at.1));
            }
            next = next.saturating_sub(u64::from(header.parts.max(1)));
        }
        let base = self.shared.log.blocks().base();
        Ok(base.map(|base| base.recorded_at))
    }
}
