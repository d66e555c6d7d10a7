//! Questions about what was pruned. A question about one moment or one entry before the place where the store begins is
//! refused; a list over a range that only begins there lists what is retained.

use crate::domain::time::Millis;
use crate::store::{Retained, Store, StoreError};

impl Store {
    /// Refuses a moment before the place where the store begins.
    pub(super) fn expect_moment(&self, at: Millis) -> Result<(), StoreError> {
        match self.retained() {
            Some(retained) if at < retained.from => Err(past(retained)),
            _ => Ok(()),
        }
    }

    /// Refuses a range that ends before that place, where it has an end.
    pub(crate) fn expect_end(&self, to: Option<Millis>) -> Result<(), StoreError> {
        match self.retained() {
            Some(retained) if to.is_some_and(|to| to <= retained.from) => Err(past(retained)),
            _ => Ok(()),
        }
    }

    /// Refuses to go on behind an entry before that place: some in between are missing. 0 is no entry.
    pub(crate) fn expect_behind(&self, seq: u64) -> Result<(), StoreError> {
        match self.retained() {
            Some(retained) if (1..retained.seq).contains(&seq) => Err(past(retained)),
            _ => Ok(()),
        }
    }
}

/// The error for a question about what was pruned.
pub(super) fn past(retained: Retained) -> StoreError {
    StoreError::PastRetention {
        seq: retained.seq,
        retained_from: retained.from,
    }
}
