//! How the store's mutexes are locked.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks a mutex of plain data. A panic of a holder leaves the data whole, so poisoning is ignored.
pub(super) fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
