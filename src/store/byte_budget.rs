//! A byte budget for the batches in the writer, shared by all callers. The content of the bytes is not looked at
//! here.

use super::locks::held;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// The limit, and the bytes that are reserved now.
pub(super) struct ByteBudget {
    most: u64,
    taken: Mutex<u64>,
    freed: Condvar,
}

impl ByteBudget {
    pub fn new(most: u64) -> Arc<ByteBudget> {
        Arc::new(ByteBudget {
            most,
            taken: Mutex::default(),
            freed: Condvar::new(),
        })
    }

    /// Waits until the bytes fit. A request above the limit reserves the whole budget.
    pub fn take(self: &Arc<Self>, bytes: u64) -> ByteReservation {
        let bytes = bytes.min(self.most);
        let full = |taken: &mut u64| *taken + bytes > self.most;
        let waited = self.freed.wait_while(held(&self.taken), full);
        *waited.unwrap_or_else(PoisonError::into_inner) += bytes;
        ByteReservation {
            room: Arc::clone(self),
            bytes,
        }
    }
}

/// Bytes that are reserved until this is dropped.
pub(super) struct ByteReservation {
    room: Arc<ByteBudget>,
    bytes: u64,
}

impl Drop for ByteReservation {
    fn drop(&mut self) {
        *held(&self.room.taken) -= self.bytes;
        self.room.freed.notify_all();
    }
}
