//! Leases for ingest connections: one connection per observer, the newest. The older connection is asked to end. The
//! new one starts when the older one has ended, and everything it sent is durable.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OwnedMutexGuard;
use tokio_util::sync::CancellationToken;

/// All connections that hold a lease or wait for it.
#[derive(Default)]
pub struct Observers(Arc<Mutex<HashMap<String, LeaseQueue>>>);

#[derive(Clone)]
struct LeaseQueue {
    number: u64,
    over: CancellationToken,
    speaking: Arc<tokio::sync::Mutex<()>>,
}

/// A connection's lease for an observer. Dropping it lets the next connection start.
pub struct ObserverLease {
    all: Arc<Mutex<HashMap<String, LeaseQueue>>>,
    observer: String,
    number: u64,
    /// Cancelled when a newer connection arrives.
    pub over: CancellationToken,
    _speaking: OwnedMutexGuard<()>,
}

impl Observers {
    /// Asks the observer's current connection to end, and waits until it has.
    pub async fn take(&self, observer: &str) -> ObserverLease {
        let (turn, over) = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let turn = all
                .entry(observer.to_owned())
                .or_insert_with(|| LeaseQueue {
                    number: 0,
                    over: CancellationToken::new(),
                    speaking: Arc::default(),
                });
            turn.over.cancel();
            turn.over = CancellationToken::new();
            turn.number += 1;
            (turn.clone(), turn.over.clone())
        };
        ObserverLease {
            all: Arc::clone(&self.0),
            observer: observer.to_owned(),
            number: turn.number,
            over,
            _speaking: turn.speaking.lock_owned().await,
        }
    }
}

impl Drop for ObserverLease {
    fn drop(&mut self) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if all
            .get(&self.observer)
            .is_some_and(|turn| turn.number == self.number)
        {
            all.remove(&self.observer);
        }
    }
}
