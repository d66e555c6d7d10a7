//! A list by numbers whose items lie in pieces of one size: so none of them moves when the list grows, and a large list is
//! never copied. `append_vec` is for several threads; this one is faster, and its items can change.

/// A list of items; those that nobody has set have their default.
#[derive(Debug, Clone)]
pub(crate) struct PieceList<T> {
    /// All but the last are full.
    pieces: Vec<Vec<T>>,
}

/// So many items has a full piece.
const PIECE: usize = 1 << 10;

impl<T> Default for PieceList<T> {
    fn default() -> Self {
        let pieces = Vec::new();
        PieceList { pieces }
    }
}

impl<T: Default> PieceList<T> {
    /// The item with a number, if the list is as long.
    pub(crate) fn get(&self, number: u32) -> Option<&T> {
        let (piece, at) = place(number);
        self.pieces.get(piece)?.get(at)
    }

    /// The item with a number; the list grows to it.
    pub(crate) fn get_mut(&mut self, number: u32) -> &mut T {
        let (piece, at) = place(number);
        if self.pieces.get(piece).is_none_or(|piece| at >= piece.len()) {
            self.grow(piece, at);
        }
        #[allow(clippy::indexing_slicing)] // grown just above
        &mut self.pieces[piece][at]
    }

    #[cold]
    fn grow(&mut self, piece: usize, at: usize) {
        if piece >= self.pieces.len() {
            if let Some(last) = self.pieces.last_mut() {
                last.resize_with(PIECE, T::default);
            }
            let full = || std::iter::repeat_with(T::default).take(PIECE).collect();
            self.pieces.resize_with(piece, full);
            self.pieces.push(Vec::new());
        }
        if let Some(last) = self.pieces.last_mut() {
            last.resize_with(at + 1, T::default);
        }
    }

    /// How many items it has.
    pub(crate) fn len(&self) -> u32 {
        let full = self.pieces.len().saturating_sub(1) * PIECE;
        (full + self.pieces.last().map_or(0, Vec::len)) as u32
    }

    /// Removes the items from this number on.
    pub(crate) fn truncate(&mut self, len: u32) {
        let (piece, at) = place(len);
        self.pieces.truncate(piece + usize::from(at > 0));
        if at > 0
            && let Some(last) = self.pieces.get_mut(piece)
        {
            last.truncate(at);
        }
    }

    /// All items.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.pieces.iter_mut().flatten()
    }

    /// Moves items to new numbers, which are in the order of the old ones; the items without one are dropped. In place: a
    /// second list beside it would double the memory.
    pub(crate) fn renumber(&mut self, mut new: impl FnMut(u32, &mut T) -> Option<u32>) {
        let mut len = 0;
        for old in 0..self.len() {
            let mut item = std::mem::take(self.get_mut(old));
            if let Some(new) = new(old, &mut item) {
                // What is overwritten was read before.
                assert!(new <= old, "an item got a larger number");
                *self.get_mut(new) = item;
                len = new + 1;
            }
        }
        self.truncate(len);
    }
}

/// The piece of an item, and its place there.
fn place(number: u32) -> (usize, usize) {
    let at = number as usize;
    (at / PIECE, at % PIECE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_as_long_as_the_last_item_that_was_asked_for() {
        let mut list = PieceList::default();
        assert_eq!(list.get(0), None);
        for last in [0, 5, 1_023, 1_024, 5_000, 10_239] {
            *list.get_mut(last) = last;
            assert_eq!(list.len(), last + 1);
            assert!((0..=last).all(|number| list.get(number).is_some()));
            assert_eq!(list.get(last + 1), None);
        }
        for len in [10_239, 5_001, 5_000, 2_048, 1_024, 1_000, 1, 0] {
            list.truncate(len);
            assert_eq!(list.len(), len);
            assert_eq!(list.get(len), None);
            let mut kept = [0, 5, 1_023, 1_024, 5_000]
                .into_iter()
                .filter(|at| *at < len);
            assert!(kept.all(|number| list.get(number) == Some(&number)));
        }
    }

    #[test]
    fn items_move_to_their_new_numbers() {
        let mut list = PieceList::default();
        (0..5_000).for_each(|number| *list.get_mut(number) = number);
        list.renumber(|old, _| old.is_multiple_of(3).then_some(old / 3));
        assert_eq!(list.len(), 1_667);
        assert!((0..1_667).all(|number| list.get(number) == Some(&(number * 3))));
    }
}
