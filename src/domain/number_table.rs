//! A hash table of numbers whose keys lie elsewhere: of each key it has a part of its hash, and the number.
//!
//! An item takes eight bytes, and its place follows from the kept part of the hash. So the table grows, and forgets
//! items, without looking at a key, and goes through its memory in order.

/// The numbers of keys, by the upper half of their hashes.
#[derive(Debug, Clone, Default)]
pub(super) struct NumberTable {
    /// An item lies at its hash's place, or behind it where others were there before.
    items: Vec<Item>,
    len: usize,
}

/// A number, and the upper half of its key's hash.
#[derive(Debug, Clone, Copy)]
struct Item {
    hash: u32,
    number: u32,
}

impl Item {
    /// No number is this large.
    const NONE: Item = Item {
        hash: 0,
        number: u32::MAX,
    };

    fn is_none(self) -> bool {
        self.number == u32::MAX
    }
}

/// The size of the first table.
const SIZE_MIN: usize = 16;

impl NumberTable {
    /// A table that does not grow before it has so many numbers.
    pub fn with_room(numbers: usize) -> NumberTable {
        let items = vec![Item::NONE; SIZE_MIN.max(numbers * 2)];
        NumberTable { items, len: 0 }
    }

    /// The number with this hash for which `is_wanted` holds.
    pub fn find(&self, hash: u64, is_wanted: impl Fn(u32) -> bool) -> Option<u32> {
        let hash = upper(hash);
        let (before, from) = self.items.split_at_checked(self.place(hash))?;
        // At least one item is none.
        for &item in from.iter().chain(before) {
            if item.is_none() {
                return None;
            }
            if item.hash == hash && is_wanted(item.number) {
                return Some(item.number);
            }
        }
        None
    }

    /// Adds a number that it does not have.
    pub fn add(&mut self, hash: u64, number: u32) {
        // Three quarters of the table, at most: beyond that, many items would lie far from their places.
        if (self.len + 1) * 4 > self.items.len() * 3 {
            let size = SIZE_MIN.max(self.items.len() / 2 * 3);
            self.rebuild(size, Some);
        }
        let hash = upper(hash);
        self.put(Item { hash, number });
    }

    /// Replaces each number by its new one; without one it is removed. Keys keep their hashes.
    pub fn renumber(&mut self, new: impl Fn(u32) -> Option<u32>) {
        let kept = |item: &Item| !item.is_none() && new(item.number).is_some();
        let kept = self.items.iter().filter(|item| kept(item)).count();
        self.rebuild(SIZE_MIN.max(kept * 2), new);
    }

    fn rebuild(&mut self, size: usize, new: impl Fn(u32) -> Option<u32>) {
        let old = std::mem::replace(&mut self.items, vec![Item::NONE; size]);
        self.len = 0;
        for Item { hash, number } in old.into_iter().filter(|item| !item.is_none()) {
            if let Some(number) = new(number) {
                self.put(Item { hash, number });
            }
        }
    }

    fn put(&mut self, item: Item) {
        let place = self.place(item.hash);
        let (before, from) = self.items.split_at_mut(place);
        let mut free = from.iter_mut().chain(before);
        if let Some(free) = free.find(|free| free.is_none()) {
            *free = item;
            self.len += 1;
        }
    }

    /// Items lie in the order of their hashes.
    fn place(&self, hash: u32) -> usize {
        ((u64::from(hash) * self.items.len() as u64) >> 32) as usize
    }
}

fn upper(hash: u64) -> u32 {
    (hash >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of four keys, one has the same hash as another one.
    fn hash(number: u32) -> u64 {
        u64::from(number / 4 * 3 + number % 4 % 3).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }

    fn find(table: &NumberTable, number: u32) -> Option<u32> {
        table.find(hash(number), |known| known == number)
    }

    #[test]
    fn it_has_what_was_added() {
        let mut table = NumberTable::default();
        for number in 0..10_000 {
            assert_eq!(find(&table, number), None);
            table.add(hash(number), number);
            assert_eq!(find(&table, number), Some(number));
        }
        assert!((0..10_000).all(|number| find(&table, number) == Some(number)));
        assert_eq!(find(&table, 10_000), None);
    }

    #[test]
    fn what_stays_is_found_by_its_new_number() {
        let mut table = NumberTable::default();
        (0..10_000).for_each(|number| table.add(hash(number), number));
        table.renumber(|number| number.is_multiple_of(7).then_some(number / 7));
        for number in 0..10_000 {
            let new = table.find(hash(number), |known| known * 7 == number);
            assert_eq!(new.is_some(), number.is_multiple_of(7), "{number}");
        }
    }

    #[test]
    fn all_keys_may_have_the_same_hash() {
        let mut table = NumberTable::default();
        for hash in [0, u64::MAX] {
            let known = |table: &NumberTable, number| table.find(hash, |known| known == number);
            (0..100).for_each(|number| table.add(hash, number));
            assert!((0..100).all(|number| known(&table, number) == Some(number)));
            assert_eq!(known(&table, 100), None);
        }
    }
}
