//! Orders lines by their times, if these are no further apart than a window: a leave that was delivered before its
//! join comes after it again. Of a line, only its time is looked at.

use crate::domain::time::Millis;
use crate::limits;
use crate::store::BatchLine;
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// Lines that wait for earlier ones. A line without a time stays with the line before it.
/// Lines of the same time keep their order.
pub(super) struct Reorder {
    window: Millis,
    waiting: BinaryHeap<Reverse<HeldLine>>,
    bytes: usize,
    /// The latest time so far. A line that is older by more than the window need not wait.
    newest: Millis,
    /// The time of the previous line.
    before: Millis,
    arrived: u64,
}

struct HeldLine {
    at: Millis,
    arrived: u64,
    line: BatchLine,
    length: usize,
}

impl Reorder {
    pub(super) fn new(window: Millis) -> Reorder {
        Reorder {
            window,
            waiting: BinaryHeap::new(),
            bytes: 0,
            newest: Millis::MIN,
            before: Millis::MIN,
            arrived: 0,
        }
    }

    /// Adds a line of `length` bytes. A time after `latest` counts as missing.
    pub(super) fn push(&mut self, line: BatchLine, length: usize, latest: Millis) {
        if let Some(at) = time(&line).filter(|at| *at != 0 && *at <= latest) {
            self.before = at;
            self.newest = self.newest.max(at);
        }
        self.arrived += 1;
        self.bytes += length;
        self.waiting.push(Reverse(HeldLine {
            at: self.before,
            arrived: self.arrived,
            line,
            length,
        }));
    }

    /// The next line and its length, if it has waited long enough, or too many wait. `last`: no more lines will come.
    pub(super) fn pop(&mut self, last: bool) -> Option<(BatchLine, usize)> {
        let next = &self.waiting.peek()?.0;
        let due = next.at < self.newest.saturating_sub(self.window);
        let full = self.waiting.len() > limits::REORDER_LINES_MAX
            || self.bytes > limits::REORDER_BYTES_MAX;
        if !(due || full || last) {
            return None;
        }
        let Reverse(next) = self.waiting.pop()?;
        self.bytes -= next.length;
        Some((next.line, next.length))
    }

    /// Whether no line waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

fn time(line: &BatchLine) -> Option<Millis> {
    match line {
        BatchLine::Event(event, _) | BatchLine::Again(event, ..) | BatchLine::Retry(event, ..) => {
            event.stamp.ts
        }
        BatchLine::Rejected(_)
        | BatchLine::Forbidden(_)
        | BatchLine::Progress(_)
        | BatchLine::Connection { .. } => None,
    }
}

impl Ord for HeldLine {
    fn cmp(&self, other: &HeldLine) -> Ordering {
        (self.at, self.arrived).cmp(&(other.at, other.arrived))
    }
}

impl PartialOrd for HeldLine {
    fn partial_cmp(&self, other: &HeldLine) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for HeldLine {
    fn eq(&self, other: &HeldLine) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for HeldLine {}
