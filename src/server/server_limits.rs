//! Per-server limits on connections, sizes and times. The defaults are in `limits`; a caller may lower them.

use crate::limits;
use std::time::Duration;

/// Limits on connections, sizes and times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerLimits {
    /// Connections at a time; further ones wait.
    pub connections: usize,
    /// Sockets and streams at a time; further ones get an error.
    pub sockets: usize,
    /// Bytes of one body.
    pub body_bytes: usize,
    /// Lines of one ingest socket that may wait for their acknowledgement.
    pub unacked_lines: u64,
    /// Bytes of those lines.
    pub unacked_bytes: usize,
    /// The longest wait for the next piece of a body, for an answer, and for a reader to take a piece.
    pub request: Duration,
    /// The longest total wait for a body, and for a reader to take a whole answer.
    pub whole: Duration,
    /// The least rate at which a client must send a body or take an answer, bytes per second.
    pub rate: u64,
    /// The longest wait for a piece while other clients want the place.
    pub crowded: Duration,
    /// Bodies that are ingested at a time.
    pub bodies: usize,
    /// Bodies whose start is being read at a time.
    pub starts: usize,
    /// Queries that run at a time.
    pub queries: usize,
    /// Answers that wait for their readers at a time.
    pub slow_readers: usize,
    /// Bytes that are read ahead and kept for subscribers.
    pub read_ahead: usize,
    /// The silence of a socket before a ping.
    pub ping: Duration,
    /// The silence before a socket is given up.
    pub silence: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        ServerLimits {
            connections: limits::CONNECTIONS_MAX,
            sockets: limits::SOCKETS_MAX,
            body_bytes: limits::BODY_BYTES_MAX,
            unacked_lines: limits::UNACKED_LINES_MAX,
            unacked_bytes: limits::UNACKED_BYTES_MAX,
            request: Duration::from_millis(limits::REQUEST_MS_MAX),
            whole: Duration::from_millis(limits::WHOLE_MS_MAX),
            rate: limits::RATE_BYTES_MIN,
            crowded: Duration::from_millis(limits::CROWDED_MS_MAX),
            bodies: limits::BODIES_AT_ONCE_MAX,
            starts: limits::BODY_STARTS_MAX,
            queries: limits::QUERIES_AT_ONCE_MAX,
            slow_readers: limits::SLOW_READERS_MAX,
            read_ahead: limits::READ_AHEAD_BYTES_MAX,
            ping: Duration::from_millis(limits::PING_MS),
            silence: Duration::from_millis(limits::SILENCE_MS_MAX),
        }
    }
}
