//! Messages on standard error during ingest or replay: the first rejects, differing retries, clamped entries and
//! skipped entries by name, the rest as a count. This file only makes the texts; the caller that writes them must
//! respect the progress bar.

use super::exit::{Exit, Failure};
use super::moment::{Fine, clock, day, span};
use super::text::{count, many, shown};
use crate::domain::entry::Disposition;
use crate::limits::{CLAMPED_SHOWN_MAX, DIFFERING_SHOWN_MAX, REJECTS_SHOWN_MAX, UNTOLD_SHOWN_MAX};
use crate::query::answer::Time;
use crate::store::{Clamped, DifferingRetry, Frontier, LineCounts};
use std::collections::HashSet;

/// The notices of one run.
#[derive(Debug, Default)]
pub struct Notices {
    rejects: usize,
    clamped: usize,
    differing: usize,
    untold: usize,
    /// Entries already named because they moved the time of their channel.
    frontiers: HashSet<u64>,
}

impl Notices {
    /// A rejected line: `FILE:LINE: byte B: REASON`; `None` beyond the limit.
    pub fn reject(&mut self, source: &str, line: u64, byte: u64, reason: &str) -> Option<String> {
        self.rejects += 1;
        (self.rejects <= REJECTS_SHOWN_MAX)
            .then(|| format!("{}:{line}: byte {byte}: {}", shown(source), shown(reason)))
    }

    /// A line that another server rejected: `URL:LINE: REASON`; `None` beyond the limit.
    pub fn sent_reject(&mut self, server: &str, line: u64, reason: &str) -> Option<String> {
        self.rejects += 1;
        (self.rejects <= REJECTS_SHOWN_MAX)
            .then(|| format!("{}:{line}: {}", shown(server), shown(reason)))
    }

    /// An entry far behind the time of its channel, and its outcome; the first time also the entry that moved that
    /// time. `None` beyond the limit.
    pub fn clamped(&mut self, clamped: &Clamped) -> Option<String> {
        self.clamped += 1;
        if self.clamped > CLAMPED_SHOWN_MAX {
            return None;
        }
        let (occurred_at, effective_at) = (Time(clamped.occurred_at), Time(clamped.effective_at));
        let outcome = match clamped.disposition {
            Disposition::Applied => {
                let frontier = clamped.frontier.as_ref();
                let frontier = frontier.filter(|frontier| self.frontiers.insert(frontier.seq));
                format!(
                    "and takes effect {} later, {}: time in a channel never goes back{}",
                    span(clamped.effective_at.saturating_sub(clamped.occurred_at)),
                    clock(effective_at, day(occurred_at), Fine::Millis),
                    frontier.map_or_else(String::new, moved)
                )
            }
            Disposition::Stale => {
                "and is older than what is known: it is recorded as stale and changes nothing"
                    .into()
            }
            _ => "and changes nothing".to_owned(),
        };
        Some(format!(
            "{}: entry {} occurred {} UTC {outcome}",
            shown(&clamped.channel),
            clamped.seq,
            clock(occurred_at, None, Fine::Millis)
        ))
    }

    /// A line that counts as a retry, but differs from the line recorded with its id; `None` beyond the limit.
    pub fn differing(&mut self, retry: &DifferingRetry) -> Option<String> {
        self.differing += 1;
        let DifferingRetry {
            source,
            line,
            byte,
            id,
            seq,
        } = retry;
        (self.differing <= DIFFERING_SHOWN_MAX).then(|| {
            format!(
                "{}:{line}: byte {byte}: the id {} was recorded before, as entry {seq}, with other contents: this line counts as a retry and is not recorded",
                shown(source),
                shown(id)
            )
        })
    }

    /// An entry that was skipped or changed in the output; `None` beyond the limit.
    pub fn untold(&mut self, seq: u64, why: &str) -> Option<String> {
        self.untold += 1;
        (self.untold <= UNTOLD_SHOWN_MAX).then(|| format!("entry {seq}: {}", shown(why)))
    }

    /// The failure of a command whose output skipped or changed entries.
    #[must_use]
    pub fn all_told(&self) -> Option<Failure> {
        let untold = u64::try_from(self.untold).unwrap_or(u64::MAX);
        let what = many(untold, "entry", "entries");
        (untold > 0).then(|| {
            Failure::new(
                Exit::Corrupt,
                format!("{what} of the log could not be written as they are; all others were"),
            )
            .hint("`rollbook verify --deep` says what is wrong with them")
        })
    }

    /// Sets the total counts: a batch names only its first cases.
    pub fn in_all(&mut self, tally: &LineCounts) {
        let in_all = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        self.clamped = self.clamped.max(in_all(tally.clamped));
        self.differing = self.differing.max(in_all(tally.retries_differing));
    }

    /// Counts of what was not named.
    #[must_use]
    pub fn rest(&self) -> Vec<String> {
        let more = |n: usize, named: usize, what: &str| {
            let more = n.checked_sub(named).filter(|more| *more > 0)?;
            let more = count(u64::try_from(more).unwrap_or(u64::MAX));
            Some(format!("… and {more} more{what}"))
        };
        let rejects = more(
            self.rejects,
            REJECTS_SHOWN_MAX,
            "; rollbook rejects lists them",
        );
        let differing = more(
            self.differing,
            DIFFERING_SHOWN_MAX,
            " lines with the id of another line",
        );
        let clamped = more(
            self.clamped,
            CLAMPED_SHOWN_MAX,
            " entries that occurred long before the time of their channel; rollbook history shows them",
        );
        let untold = more(self.untold, UNTOLD_SHOWN_MAX, " entries");
        [rejects, differing, clamped, untold]
            .into_iter()
            .flatten()
            .collect()
    }
}

/// Describes the entry that moved the time of its channel.
fn moved(frontier: &Frontier) -> String {
    let mut text = format!(", and entry {}", frontier.seq);
    if let Some((source, line)) = &frontier.line {
        text.push_str(&format!(" ({}:{line})", shown(source)));
    }
    text.push_str(" moved it there");
    if frontier.untimed {
        text.push_str(": it has no time that counts, and took effect when it was recorded");
    }
    text
}
