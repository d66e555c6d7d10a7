//! Lines in the order of their times, as far as they lie apart by no more than a window: a leave that was delivered
//! before its join comes behind it again. What a line says is not looked at here, but for its time.

use crate::domain::time::Millis;
use crate::limits;
use crate::store::BatchLine;
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// Lines that wait for earlier ones. A line without a time goes with the line before it; lines of the same time keep
/// their order.
pub(super) struct Reorder {
    window: Millis,
    waiting: BinaryHeap<Reverse<HeldLine>>,
    bytes: usize,
    /// The latest time so far: lines that lie the window before it have nothing to wait for.
    newest: Millis,
    /// The time of the line before.
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

    /// Takes a line of `length` bytes. A time beyond `latest` counts as missing.
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

    /// The next line and its length, if it has waited long enough, or too much waits. `last`: none will come any more.
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

    /// Whether none waits.
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
