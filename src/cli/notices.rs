//! What is said on standard error while lines are taken: the first rejects and clamped entries by name, the rest
//! as a count. Only the words are made here; who writes them must mind the progress bar.

use super::moment::{Fine, clock, day, span};
use super::text::{count, shown};
use crate::limits::{CLAMPED_SHOWN_MAX, REJECTS_SHOWN_MAX};
use crate::query::answer::Time;

/// The notices of one run.
#[derive(Debug, Default)]
pub struct Notices {
    rejects: usize,
    clamped: usize,
}

impl Notices {
    /// A line was rejected: `FILE:LINE: byte B: REASON`, while there is room.
    pub fn reject(&mut self, source: &str, line: u64, byte: u64, reason: &str) -> Option<String> {
        self.rejects += 1;
        (self.rejects <= REJECTS_SHOWN_MAX)
            .then(|| format!("{}:{line}: byte {byte}: {}", shown(source), shown(reason)))
    }

    /// A server that lines were sent to has rejected one: `URL:LINE: REASON`, while there is room.
    pub fn sent_reject(&mut self, server: &str, line: u64, reason: &str) -> Option<String> {
        self.rejects += 1;
        (self.rejects <= REJECTS_SHOWN_MAX)
            .then(|| format!("{}:{line}: {}", shown(server), shown(reason)))
    }

    /// An entry takes effect long after it occurred, while there is room.
    pub fn clamped(
        &mut self,
        channel: &str,
        seq: u64,
        occurred_at: Time,
        effective_at: Time,
    ) -> Option<String> {
        self.clamped += 1;
        (self.clamped <= CLAMPED_SHOWN_MAX).then(|| {
            format!(
                "{}: entry {seq} occurred {} UTC and takes effect {} later, {}: time in a channel never goes back",
                shown(channel),
                clock(occurred_at, None, Fine::Millis),
                span(effective_at.0.saturating_sub(occurred_at.0)),
                clock(effective_at, day(occurred_at), Fine::Millis),
            )
        })
    }

    /// How many entries took effect late in all: a batch names only its first ones.
    pub fn clamped_in_all(&mut self, clamped: u64) {
        let clamped = usize::try_from(clamped).unwrap_or(usize::MAX);
        self.clamped = self.clamped.max(clamped);
    }

    /// What was not named.
    #[must_use]
    pub fn rest(&self) -> Vec<String> {
        let rejects = self.rejects.saturating_sub(REJECTS_SHOWN_MAX);
        let clamped = self.clamped.saturating_sub(CLAMPED_SHOWN_MAX);
        let more = |n: usize| count(u64::try_from(n).unwrap_or(u64::MAX));
        let mut lines = Vec::new();
        if rejects > 0 {
            lines.push(format!(
                "… and {} more; rollbook rejects lists them",
                more(rejects)
            ));
        }
        if clamped > 0 {
            lines.push(format!(
                "… and {} more entries that take effect late; rollbook history shows them",
                more(clamped)
            ));
        }
        lines
    }
}
