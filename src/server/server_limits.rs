//! What a server bears of those who come: how many, how much, how long. As `limits` says, unless the caller wants
//! less.

use crate::limits;
use std::time::Duration;

/// How many, how much, how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerLimits {
    /// Connections at a time; who comes then waits.
    pub connections: usize,
    /// Sockets and streams at a time; who comes then is told so.
    pub sockets: usize,
    /// Bytes of one body.
    pub body_bytes: usize,
    /// Lines of one ingest socket that may wait for their acknowledgement.
    pub unacked_lines: u64,
    /// Bytes of them.
    pub unacked_bytes: usize,
    /// The wait for the next piece of a body, for an answer, and for who takes it.
    pub request: Duration,
    /// The wait for all pieces of a body, and for who takes all of an answer.
    pub whole: Duration,
    /// Bytes a second that a client sends of a body, or takes of an answer, at least.
    pub rate: u64,
    /// The wait for the next of them while others want the place.
    pub crowded: Duration,
    /// Bodies that are taken in at a time.
    pub bodies: usize,
    /// Bodies whose start is read at a time.
    pub starts: usize,
    /// Queries that run at a time.
    pub queries: usize,
    /// Answers that wait for their readers at a time.
    pub slow_readers: usize,
    /// Bytes that were read ahead for subscribers and are kept.
    pub read_ahead: usize,
    /// The silence of a socket before it is asked whether it is still there.
    pub ping: Duration,
    /// The silence before it is given up.
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
