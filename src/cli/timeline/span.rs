//! A stretch of time in columns of equal length.

use crate::domain::time::Millis;

/// A stretch of time, in columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimelineSpan {
    from: Millis,
    to: Millis,
    columns: usize,
}

impl TimelineSpan {
    /// From a moment up to, and not including, another one, in at most so many columns: each lasts 1 ms at least. `None`
    /// if there is no time between the two.
    #[must_use]
    pub fn new(from: Millis, to: Millis, columns: usize) -> Option<TimelineSpan> {
        let length = to.checked_sub(from).filter(|length| *length > 0)?;
        let columns = columns.min(usize::try_from(length).unwrap_or(usize::MAX));
        (columns > 0).then_some(TimelineSpan { from, to, columns })
    }

    /// Its begin.
    #[must_use]
    pub fn from(&self) -> Millis {
        self.from
    }

    /// Its end.
    #[must_use]
    pub fn to(&self) -> Millis {
        self.to
    }

    /// How many columns it has.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The length of a column, ms, rounded.
    #[must_use]
    pub fn column_ms(&self) -> Millis {
        let columns = Millis::try_from(self.columns).unwrap_or(Millis::MAX);
        ((self.to - self.from) + columns / 2) / columns
    }

    /// Where a column begins; that of the first column that there is not is the end.
    #[must_use]
    pub fn begin(&self, column: usize) -> Millis {
        let length = i128::from(self.to - self.from);
        let at = length * column as i128 / self.columns as i128;
        self.from + Millis::try_from(at).unwrap_or_default()
    }

    /// The middle of a column: the moment of which it tells.
    #[must_use]
    pub fn middle(&self, column: usize) -> Millis {
        let (begin, end) = (self.begin(column), self.begin(column + 1));
        begin + (end - begin) / 2
    }

    /// The column in which a moment lies; the first or last one where it lies outside.
    #[must_use]
    pub fn column(&self, at: Millis) -> usize {
        let at = at.clamp(self.from, self.to - 1);
        // The last column that begins at or before it.
        let (length, columns) = (i128::from(self.to - self.from), self.columns as i128);
        let near = i128::from(at - self.from) * columns / length;
        let mut column = usize::try_from(near).unwrap_or_default();
        while column + 1 < self.columns && self.begin(column + 1) <= at {
            column += 1;
        }
        column
    }

    /// The columns that show a stretch of time: those whose middle lies inside; if there is none, the one in which it
    /// begins. `None` where all of it lies outside.
    #[must_use]
    pub fn shows(&self, from: Millis, to: Millis) -> Option<std::ops::Range<usize>> {
        if from >= self.to || (to <= self.from && from < self.from) {
            return None;
        }
        let first = self.column(from);
        let last = self.column(to.max(from.saturating_add(1)) - 1).max(first);
        let first_middle = first + usize::from(self.middle(first) < from);
        let behind = last + usize::from(self.middle(last) < to);
        if first_middle < behind {
            return Some(first_middle..behind);
        }
        Some(first..first + 1)
    }
}
