//! State that all connections share, whatever is asked on them.

use super::crowd::Places;
use crate::domain::time::Millis;
use crate::server::clock::ServerClock;
use crate::server::metrics::Metrics;
use crate::server::server_limits::ServerLimits;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// State that all connections share.
pub struct NetShared {
    /// The server's clock.
    pub clock: Arc<dyn ServerClock>,
    /// The server's metrics.
    pub metrics: Arc<Metrics>,
    /// Limits on connections, sizes and times.
    pub bounds: ServerLimits,
    /// When cancelled, nothing new starts, and running work comes to its end.
    pub stop: CancellationToken,
    /// Places for sockets and streams.
    pub sockets: Arc<Places>,
}

impl NetShared {
    /// Unix milliseconds.
    #[must_use]
    pub fn now(&self) -> Millis {
        self.clock.now()
    }
}
