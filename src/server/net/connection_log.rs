//! What the operator's log says of a socket or stream: that it begins, and how and after how long it ended.

use crate::server::access::auth::AuthContext;
use crate::server::events::shown;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// The number of the next connection of this process.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// One socket or stream. Dropping it writes its end.
pub struct ConnectionLog {
    number: u64,
    route: &'static str,
    address: String,
    channel: Option<String>,
    observer: Option<String>,
    begun: Instant,
    code: Option<u16>,
    reason: &'static str,
}

impl ConnectionLog {
    /// Writes that it begins.
    #[must_use]
    pub fn begin(pass: &AuthContext, address: Option<IpAddr>) -> ConnectionLog {
        let begun = ConnectionLog {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            route: pass.route,
            address: shown(address),
            channel: pass.channel.clone(),
            observer: pass.observer.clone(),
            begun: Instant::now(),
            code: None,
            reason: "the connection was lost",
        };
        let ConnectionLog {
            number,
            route,
            address,
            channel,
            observer,
            ..
        } = &begun;
        let (channel, observer) = (channel.as_deref(), observer.as_deref());
        tracing::info!(
            event = "connected",
            connection = number,
            route,
            address,
            channel,
            observer,
            "{route} is connected"
        );
        begun
    }

    /// Notes why it ends; the first reason counts.
    pub fn ends(&mut self, code: Option<u16>, reason: &'static str) {
        if self.code.is_none() {
            self.code = code;
            self.reason = reason;
        }
    }
}

impl Drop for ConnectionLog {
    fn drop(&mut self) {
        let ConnectionLog {
            number,
            route,
            address,
            channel,
            observer,
            code,
            reason,
            ..
        } = self;
        let (channel, observer) = (channel.as_deref(), observer.as_deref());
        let ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(
            event = "disconnected",
            connection = number,
            route,
            address,
            channel,
            observer,
            code,
            reason,
            ms,
            "{route} is over: {reason}"
        );
    }
}
