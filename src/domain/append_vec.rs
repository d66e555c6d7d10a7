//! A list that only grows. Several threads can read it while one appends to it: no item ever moves or changes.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The size of the first four pieces together. The next four are twice as long, and so on: the list is at most a quarter
/// longer than its items need.
const FIRST: usize = 32;
/// Enough pieces for every `u32`.
const PIECES: usize = 4 * 28;

type Chunk<T> = OnceLock<Box<[OnceLock<T>]>>;

/// The list. It has one writer at a time: the owner ensures it.
#[derive(Debug)]
pub(super) struct AppendVec<T> {
    pieces: [Chunk<T>; PIECES],
    len: AtomicUsize,
}

impl<T> Default for AppendVec<T> {
    fn default() -> Self {
        AppendVec {
            pieces: std::array::from_fn(|_| OnceLock::new()),
            len: AtomicUsize::new(0),
        }
    }
}

/// The piece that holds an item, the index in that piece, and how many items that piece holds.
fn place(at: usize) -> (usize, usize, usize) {
    let at = at.saturating_add(FIRST);
    // The first bit that is set tells the four, the two behind it the piece, and the others the index.
    let bits = at.ilog2() - 2;
    let four = (bits - (FIRST.ilog2() - 2)) as usize;
    let size = 1 << bits;
    (4 * four + (at >> bits) - 4, at & (size - 1), size)
}

impl<T> AppendVec<T> {
    /// How many items there are.
    pub fn len(&self) -> usize {
        self.len.load(Ordering::Acquire)
    }

    /// The item at an index, if there is one.
    pub fn get(&self, at: usize) -> Option<&T> {
        let (piece, at, _) = place(at);
        self.pieces.get(piece)?.get()?.get(at)?.get()
    }

    /// Appends an item. A full list stays as it is.
    pub fn push(&self, item: T) {
        let len = self.len();
        let (piece, at, size) = place(len);
        let fresh = || (0..size).map(|_| OnceLock::new()).collect();
        let items = self.pieces.get(piece).map(|piece| piece.get_or_init(fresh));
        if let Some(slot) = items.and_then(|items| items.get(at))
            && slot.set(item).is_ok()
        {
            self.len.store(len + 1, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_pushed_stays_where_it_is() {
        let list = AppendVec::default();
        assert_eq!((list.len(), list.get(0)), (0, None));
        for n in 0..10_000_usize {
            list.push(n);
            assert_eq!(list.len(), n + 1);
        }
        assert!((0..10_000).all(|n| list.get(n) == Some(&n)));
        assert_eq!(list.get(10_000), None);
        assert_eq!(list.get(usize::MAX - FIRST), None);
    }

    #[test]
    fn readers_see_every_item_up_to_the_length_that_they_saw() {
        let list = AppendVec::default();
        std::thread::scope(|scope| {
            scope.spawn(|| (0..20_000_usize).for_each(|n| list.push(n)));
            let mut seen = 0;
            while seen < 20_000 {
                let len = list.len();
                assert!((seen..len).all(|n| list.get(n) == Some(&n)));
                seen = len;
            }
        });
    }
}
