//! Retention on request. What may go, and how it goes, is in `writer/pruner`.

use super::Store;
use super::error::StoreError;
use super::writer::pruner::{Pruned, Retained};
use crate::domain::time::Millis;

impl Store {
    /// Where the store begins; `None`: at its first entry, nothing was pruned.
    #[must_use]
    pub fn retained(&self) -> Option<Retained> {
        self.shared.retained()
    }

    /// Removes the oldest entries: whole blocks and frames of which every entry took effect and was recorded before a
    /// moment (Unix ms), up to the first that may not go. Their rejected lines go with them. Every question about a
    /// later moment keeps its answer; one about an earlier moment fails with [`StoreError::PastRetention`].
    ///
    /// ```
    /// # fn main() -> Result<(), rollbook::StoreError> {
    /// use rollbook::{Event, query::WhoFilter};
    /// let options = rollbook::Options::default().clock(|| 10_000);
    /// let store = rollbook::Store::in_memory(options)?;
    /// for (user, at) in [("lily", 1_000), ("tony", 2_000), ("anna", 9_000)] {
    ///     store.record(&[Event::join("room", "chat", user).at(at)])?;
    /// }
    /// let pruned = store.prune(10_001)?;
    /// assert_eq!(pruned.entries, 2); // the last entries always stay
    /// assert_eq!(store.who("room", &WhoFilter::at(2_500))?.topics[0].publishers.len(), 2);
    /// let past = store.who("room", &WhoFilter::at(1_500));
    /// assert!(matches!(past, Err(rollbook::StoreError::PastRetention { seq: 2, .. })));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The log is damaged, or the base could not be stored: then nothing was removed. Or something could not be
    /// removed: then the next opening removes it.
    pub fn prune(&self, before: Millis) -> Result<Pruned, StoreError> {
        if let Some(reason) = self.shared.poison() {
            return Err(StoreError::Poisoned(reason));
        }
        self.shared.prune(before, u64::MAX, |_| true)
    }

    /// The same, but about so many entries at most go: no more whole blocks and frames once there are as many.
    ///
    /// # Errors
    /// Those of [`prune`](Store::prune).
    #[doc(hidden)]
    pub fn prune_some(&self, before: Millis, most: u64) -> Result<Pruned, StoreError> {
        self.shared.prune(before, most, |_| true)
    }

    /// What [`prune`](Store::prune) would remove. Nothing is changed.
    ///
    /// # Errors
    /// The log is damaged.
    pub fn prune_plan(&self, before: Millis) -> Result<Pruned, StoreError> {
        Ok(self.shared.plan(before, u64::MAX)?.pruned)
    }
}
