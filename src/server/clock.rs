//! What time it is for the server, and waiting for it. Tests bring their own, so that nothing depends on wall time.

use crate::domain::time::Millis;
use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A clock that can be waited for.
pub trait ServerClock: Send + Sync {
    /// Unix milliseconds.
    fn now(&self) -> Millis;

    /// Ends at that moment; at once where it has passed.
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
