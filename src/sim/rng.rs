//! Random numbers: each of them follows from the seed.

use oorandom::Rand64;
use std::ops::Range;

/// Random numbers for one purpose. Another purpose gives other numbers for the same seed.
pub(super) struct SimRng(Rand64);

impl SimRng {
    pub fn new(seed: u64, purpose: u64) -> SimRng {
        SimRng(Rand64::new_inc(u128::from(seed), u128::from(purpose)))
    }

    /// A number of the range; its start where that is empty.
    pub fn within(&mut self, range: Range<i64>) -> i64 {
        let width = u64::try_from(range.end.saturating_sub(range.start)).unwrap_or(0);
        if width == 0 {
            return range.start;
        }
        let thrown = self.0.rand_range(0..width);
        range
            .start
            .saturating_add(i64::try_from(thrown).unwrap_or(0))
    }

    /// A number from 0 to `many - 1`.
    pub fn one_of(&mut self, many: usize) -> usize {
        let many = i64::try_from(many).unwrap_or(i64::MAX);
        usize::try_from(self.within(0..many)).unwrap_or(0)
    }

    /// True with a probability of `per_mille` in 1,000.
    pub fn falls(&mut self, per_mille: u32) -> bool {
        self.within(0..1_000) < i64::from(per_mille)
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.one_of(from.len()))
    }

    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            list.swap(last, self.one_of(last + 1));
        }
    }
}
