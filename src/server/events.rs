//! Events for the operator's log that may come by the thousand: some are written, and the rest is counted. What is refused
//! is never in them, nor is a token.

use super::refusal::TokenRefusal;
use crate::limits::{LOGGED_AT_ONCE_MAX, LOGGED_EVERY_MS};
use crate::store::RefusedLine;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lets some events of a kind through in each period, and counts the others.
#[derive(Debug, Default)]
pub struct Sampler(Mutex<Sampled>);

#[derive(Debug, Default)]
struct Sampled {
    /// When the period began.
    since: Option<Instant>,
    /// Events of the period that came through.
    passed: u32,
    /// Events that did not, since the last one that did.
    left_out: u64,
}

impl Sampler {
    /// Whether the event of now comes through, and how many before it did not.
    pub fn pass(&self, now: Instant) -> Option<u64> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let period = Duration::from_millis(LOGGED_EVERY_MS);
        let is_over = |since: Instant| now.saturating_duration_since(since) >= period;
        if known.since.is_none_or(is_over) {
            known.since = Some(now);
            known.passed = 0;
        }
        if known.passed >= LOGGED_AT_ONCE_MAX {
            known.left_out += 1;
            return None;
        }
        known.passed += 1;
        Some(std::mem::take(&mut known.left_out))
    }
}

/// The events that are sampled, each kind by itself.
#[derive(Debug, Default)]
pub struct SampledEvents {
    rejected: Sampler,
    forbidden: Sampler,
    refused: Sampler,
}

impl SampledEvents {
    /// Lines that could not be taken.
    pub fn rejected(&self, lines: &[RefusedLine]) {
        for line in lines {
            let Some(left_out) = self.rejected.pass(Instant::now()) else {
                continue;
            };
            let RefusedLine {
                source,
                line,
                byte,
                reason,
                ..
            } = line;
            tracing::warn!(
                event = "line_rejected",
                source = &**source,
                line,
                byte,
                left_out,
                "{reason}"
            );
        }
    }

    /// Lines that a token did not allow.
    pub fn forbidden(&self, lines: &[RefusedLine]) {
        for line in lines {
            let Some(left_out) = self.forbidden.pass(Instant::now()) else {
                continue;
            };
            let RefusedLine {
                source,
                line,
                reason,
                ..
            } = line;
            tracing::warn!(
                event = "line_forbidden",
                source = &**source,
                line,
                left_out,
                "{reason}"
            );
        }
    }

    /// A token that does not let a request in.
    pub fn refused(&self, why: TokenRefusal, route: &str, address: Option<IpAddr>) {
        if let Some(left_out) = self.refused.pass(Instant::now()) {
            let (reason, address) = (why.word(), shown(address));
            tracing::warn!(
                event = "token_refused",
                reason,
                route,
                address,
                left_out,
                "a token is refused: {why}"
            );
        }
    }
}

/// An address of a client; the owner's socket has none.
#[must_use]
pub fn shown(address: Option<IpAddr>) -> String {
    address.map_or_else(|| "owner".to_owned(), |address| address.to_string())
}
