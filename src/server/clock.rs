//! The server's clock, and waiting for a time. Tests use their own clock, so that nothing depends on wall time.

use crate::domain::time::Millis;
use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A clock that supports waiting.
pub trait ServerClock: Send + Sync {
    /// Unix milliseconds.
    fn now(&self) -> Millis;

    /// Completes at that time; immediately if it has passed.
    fn until(&self, at: Millis) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

/// The system's clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

impl ServerClock for SystemClock {
    fn now(&self) -> Millis {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Millis::try_from(now.as_millis()).unwrap_or(Millis::MAX)
    }

    fn until(&self, at: Millis) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let left = u64::try_from(at.saturating_sub(self.now())).unwrap_or(0);
        Box::pin(tokio::time::sleep(Duration::from_millis(left)))
    }
}
