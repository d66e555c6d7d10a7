//! Which ingest connection speaks for which observer: one at a time, and the newest. The one before is told to end, and
//! has ended, all that it sent being durable, before the new one is heard.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OwnedMutexGuard;
use tokio_util::sync::CancellationToken;

/// All that speak, or wait to.
#[derive(Default)]
pub struct Observers(Arc<Mutex<HashMap<String, LeaseQueue>>>);

#[derive(Clone)]
struct LeaseQueue {
    number: u64,
    over: CancellationToken,
    speaking: Arc<tokio::sync::Mutex<()>>,
}

/// A connection's turn to speak. Another may speak once this is dropped.
pub struct ObserverLease {
    all: Arc<Mutex<HashMap<String, LeaseQueue>>>,
    observer: String,
    number: u64,
    /// A newer connection has come.
    pub over: CancellationToken,
    _speaking: OwnedMutexGuard<()>,
}

impl Observers {
    /// Waits until the connection that speaks for this observer has ended, having told it to.
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
