//! How long a slow client is waited for, and places of which there are only so many: who keeps one and does not go on
//! loses it to those who wait. What is sent or read meanwhile is not looked at here.

use super::bounds::Bounds;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

/// So many places, and those who wait for one.
pub struct Places {
    room: Arc<Semaphore>,
    waiting: AtomicUsize,
}

impl Places {
    /// With nobody in them.
    #[must_use]
    pub fn new(places: usize) -> Arc<Places> {
        Arc::new(Places {
            room: Arc::new(Semaphore::new(places)),
            waiting: AtomicUsize::new(0),
        })
    }

    /// Waits for a place, for so long; `None` where there is none by then.
    pub async fn take(&self, patience: Duration) -> Option<OwnedSemaphorePermit> {
        if let Some(place) = self.free() {
            return Some(place);
        }
        let _waiting = Waiting::among(&self.waiting);
        let place = Arc::clone(&self.room).acquire_owned();
        timeout(patience, place).await.ok()?.ok()
    }

    /// A place, if one is free.
    #[must_use]
    pub fn free(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.room).try_acquire_owned().ok()
    }

    /// Whether somebody waits for one.
    #[must_use]
    pub fn are_wanted(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }
}

/// Counted among those who wait, until it is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl Waiting<'_> {
    fn among(waiting: &AtomicUsize) -> Waiting<'_> {
        waiting.fetch_add(1, Ordering::Relaxed);
        Waiting(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The patience with one client, over all that it sends or takes.
pub struct Patience {
    bounds: Bounds,
    waited: Duration,
    bytes: u64,
}

impl Patience {
    /// With one who has done nothing yet.
    #[must_use]
    pub fn new(bounds: Bounds) -> Patience {
        Patience {
            bounds,
            waited: Duration::ZERO,
            bytes: 0,
        }
    }

    /// It has sent or taken so many bytes.
    pub fn moved(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes as u64);
    }

    /// How long it may have been waited for by now.
    fn allowed(&self) -> Duration {
        let by_rate =
            Duration::from_millis(self.bytes.saturating_mul(1_000) / self.bounds.rate.max(1));
        let Bounds { request, whole, .. } = self.bounds;
        request.saturating_add(by_rate).min(whole)
    }

    /// Waits for it; `None` where it is too slow: for one piece, for all of them, or while others want its place.
    pub async fn wait<T>(&mut self, what: impl Future<Output = T>, place: &Places) -> Option<T> {
        let mut what = pin!(what);
        let mut here = Duration::ZERO;
        loop {
            let left = self.allowed().checked_sub(self.waited)?;
            let left = left.min(self.bounds.request.saturating_sub(here));
            let began = Instant::now();
            let come = timeout(left.min(self.bounds.crowded), &mut what).await;
            let took = began.elapsed();
            self.waited += took;
            here += took;
            if let Ok(come) = come {
                return Some(come);
            }
            if here >= self.bounds.request || place.are_wanted() {
                return None;
            }
        }
    }
}
