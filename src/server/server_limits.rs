//! Per-server limits on connections, sizes and times. The defaults are in `limits`; a caller may lower them.

use crate::limits;
use std::time::Duration;

/// Declares the limits: each with its meaning, its type and its default, as a field and as a method that sets it.
macro_rules! server_limits {
    ($($(#[$doc:meta])* $limit:ident: $type:ty = $default:expr,)*) => {
        /// Limits on connections, sizes and times.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct ServerLimits {
            $($(#[$doc])* pub $limit: $type,)*
        }

        impl Default for ServerLimits {
            fn default() -> Self {
                ServerLimits { $($limit: $default,)* }
            }
        }

        impl ServerLimits {
            $($(#[$doc])*
            #[must_use]
            pub const fn $limit(mut self, $limit: $type) -> Self {
                self.$limit = $limit;
                self
            })*
        }
    };
}

server_limits! {
    /// Connections at a time; further ones wait. Default: 20,000.
    connections: usize = limits::CONNECTIONS_MAX,
    /// Sockets and streams at a time; further ones get an error. Default: 15,000.
    sockets: usize = limits::SOCKETS_MAX,
    /// Bytes of one body. Default: 256 MiB.
    body_bytes: usize = limits::BODY_BYTES_MAX,
    /// Lines of one ingest socket that may wait for their acknowledgement. Default: 65,536.
    unacked_lines: u64 = limits::UNACKED_LINES_MAX,
    /// Bytes of those lines. Default: 32 MiB.
    unacked_bytes: usize = limits::UNACKED_BYTES_MAX,
    /// The longest wait for the next piece of a body, for an answer, and for a reader to take a piece. Default: 30 s.
    request: Duration = Duration::from_millis(limits::REQUEST_MS_MAX),
    /// The longest total wait for a body, and for a reader to take a whole answer. Default: 10 min.
    whole: Duration = Duration::from_millis(limits::WHOLE_MS_MAX),
    /// The least rate at which a client must send a body or take an answer, bytes per second. Default: 1 KiB.
    rate: u64 = limits::RATE_BYTES_MIN,
    /// The longest wait for a piece while other clients want the place. Default: 1 s.
    crowded: Duration = Duration::from_millis(limits::CROWDED_MS_MAX),
    /// Bodies that are ingested at a time. Default: 16.
    bodies: usize = limits::BODIES_AT_ONCE_MAX,
    /// Bodies whose start is being read at a time. Default: 1,024.
    starts: usize = limits::BODY_STARTS_MAX,
    /// Queries that run at a time. Default: 16.
    queries: usize = limits::QUERIES_AT_ONCE_MAX,
    /// Answers that wait for their readers at a time. Default: 64.
    slow_readers: usize = limits::SLOW_READERS_MAX,
    /// Bytes that are read ahead and kept for subscribers. Default: 16 MiB.
    read_ahead: usize = limits::READ_AHEAD_BYTES_MAX,
    /// The silence of a socket before a ping. Default: 30 s.
    ping: Duration = Duration::from_millis(limits::PING_MS),
    /// The silence before a socket is given up. Default: 90 s.
    silence: Duration = Duration::from_millis(limits::SILENCE_MS_MAX),
}
