//! Orders lines by their times, if these are no further apart than a window: a leave that was delivered before its
//! join comes after it again. Of a line, only its time is looked at.

use super::batcher::LineLocation;
use super::piece::LineText;
use crate::domain::time::Millis;
use crate::limits;
use crate::store::LongLine;
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

/// A line that waits.
pub(super) struct HeldLine {
    at: Millis,
    arrived: u64,
    /// Its number in its source.
    pub line: u64,
    /// The byte at which it begins there.
    pub byte: u64,
    head: Box<[u8]>,
    too_long: Option<Box<LongLine>>,
    /// Why it is rejected, if that is known before it is read.
    pub refused: Option<String>,
}

impl HeldLine {
    /// Its text.
    pub fn text(&self) -> LineText<'_> {
        match &self.too_long {
            None => LineText::Whole(&self.head),
            Some(long) => LineText::TooLong {
                head: &self.head,
                length: long.length,
                blake3: long.blake3,
            },
        }
    }
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

    /// Adds a line whose event has the time `time`; `refused`: why there is no event, if that is known.
    pub(super) fn push(
        &mut self,
        at: LineLocation<'_>,
        text: LineText<'_>,
        time: Option<Millis>,
        refused: Option<String>,
    ) {
        if let Some(time) = time.filter(|&time| time != 0) {
            self.before = time;
            self.newest = self.newest.max(time);
        }
        let (head, too_long) = text.parts();
        self.arrived += 1;
        self.bytes += head.len();
        self.waiting.push(Reverse(HeldLine {
            at: self.before,
            arrived: self.arrived,
            line: at.line,
            byte: at.byte,
            head: head.into(),
            too_long: too_long.map(Box::new),
            refused,
        }));
    }

    /// The next line, if it has waited long enough, or too many wait. `last`: no more lines will come.
    pub(super) fn pop(&mut self, last: bool) -> Option<HeldLine> {
        let next = &self.waiting.peek()?.0;
        let due = next.at < self.newest.saturating_sub(self.window);
        let full = self.waiting.len() > limits::REORDER_LINES_MAX
            || self.bytes > limits::REORDER_BYTES_MAX;
        if !(due || full || last) {
            return None;
        }
        let Reverse(next) = self.waiting.pop()?;
        self.bytes -= next.head.len();
        Some(next)
    }

    /// Whether no line waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
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
