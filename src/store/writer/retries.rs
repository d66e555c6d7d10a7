//! Which lines have been recorded already, by their id: the last [`RETRY_IDS_MAX`] ids of the store, and at least
//! [`RETRY_IDS_PER_OBSERVER_MIN`] of each recently active observer ([guide](crate::guide::semantics#retries)).
//!
//! The ids are derived from the log: entries have their ids. What is saved is a shortcut for opening. Only the
//! content hash of each id is stored nowhere else: it is unknown for ids that were read from the log again, after a
//! crash or a rebuild.

use super::content_hash::ContentHash;
use crate::limits::{RETRY_IDS_MAX, RETRY_IDS_PER_OBSERVER_MIN, RETRY_OBSERVERS_MAX};
use std::collections::{HashMap, VecDeque};

/// Hash of an observer and an id; no client can construct a collision.
pub(in crate::store) type RetryKey = u128;

/// One remembered id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Remembered {
    pub key: RetryKey,
    pub observer: u64,
    /// The first entry that its line made.
    pub seq: u64,
    /// The content hash of that line, if it is known.
    pub said: Option<ContentHash>,
}

#[derive(Debug, Default)]
struct OfObserver {
    remembered: usize,
    /// Ids that are kept only because of their observer's share, oldest first.
    spared: VecDeque<RetryKey>,
}

/// The remembered ids.
#[derive(Debug, Default)]
pub(in crate::store) struct Retries {
    known: HashMap<RetryKey, (u64, Option<ContentHash>)>,
    order: VecDeque<(RetryKey, u64)>,
    observers: HashMap<u64, OfObserver>,
    /// The recently active observers, the latest at the back.
    heard: VecDeque<u64>,
}

impl Retries {
    /// The key of an id, and the number of its observer.
    pub fn key(observer: &str, id: &str) -> (RetryKey, u64) {
        let of_observer = blake3::hash(observer.as_bytes());
        let mut hasher = blake3::Hasher::new();
        hasher.update(of_observer.as_bytes());
        hasher.update(id.as_bytes());
        let mut key = [0; 16];
        hasher.finalize_xof().fill(&mut key);
        let mut number = [0; 8];
        number
            .iter_mut()
            .zip(of_observer.as_bytes())
            .for_each(|(to, from)| *to = *from);
        (u128::from_le_bytes(key), u64::from_le_bytes(number))
    }

    /// The first entry that the line with this id made, and the line's content hash, if the id is remembered.
    pub fn find(&self, key: RetryKey) -> Option<(u64, Option<ContentHash>)> {
        self.known.get(&key).copied()
    }

    /// Remembers an id; the first seq of an id stays.
    pub fn remember(&mut self, id: Remembered) {
        if self.known.contains_key(&id.key) {
            return;
        }
        self.known.insert(id.key, (id.seq, id.said));
        self.order.push_back((id.key, id.observer));
        self.observers.entry(id.observer).or_default().remembered += 1;
        self.hear(id.observer);
        self.let_go_beyond_share(id.observer);
        while self.order.len() > RETRY_IDS_MAX {
            let Some((key, observer)) = self.order.pop_front() else {
                break;
            };
            let protected = self.heard.contains(&observer);
            let Some(of) = self.observers.get_mut(&observer) else {
                continue;
            };
            if protected && of.remembered <= RETRY_IDS_PER_OBSERVER_MIN {
                of.spared.push_back(key);
            } else {
                of.remembered = of.remembered.saturating_sub(1);
                self.known.remove(&key);
            }
        }
    }

    fn hear(&mut self, observer: u64) {
        if self.heard.back() == Some(&observer) {
            return;
        }
        self.heard.retain(|&known| known != observer);
        self.heard.push_back(observer);
        if self.heard.len() > RETRY_OBSERVERS_MAX
            && let Some(silent) = self.heard.pop_front()
            && let Some(of) = self.observers.get_mut(&silent)
        {
            of.remembered = of.remembered.saturating_sub(of.spared.len());
            for key in of.spared.drain(..) {
                self.known.remove(&key);
            }
            if of.remembered == 0 {
                self.observers.remove(&silent);
            }
        }
    }

    /// An observer with more ids than its share needs no protected ids.
    fn let_go_beyond_share(&mut self, observer: u64) {
        let Some(of) = self.observers.get_mut(&observer) else {
            return;
        };
        while of.remembered > RETRY_IDS_PER_OBSERVER_MIN
            && let Some(key) = of.spared.pop_front()
        {
            of.remembered -= 1;
            self.known.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(observer: u64, n: u64) -> Remembered {
        Remembered {
            key: u128::from(observer) << 64 | u128::from(n),
            observer,
            seq: n + 1,
            said: None,
        }
    }

    #[test]
    fn the_last_million_ids_and_each_observers_share_are_remembered() {
        let mut retries = Retries::default();
        for n in 0..20_000 {
            retries.remember(id(1, n));
        }
        for n in 0..RETRY_IDS_MAX as u64 {
            retries.remember(id(2, n));
        }
        assert_eq!(
            retries.find(id(2, 0).key),
            Some((1, None)),
            "the last million of the store"
        );
        assert_eq!(
            retries.find(id(1, 0).key),
            None,
            "beyond the observer's share"
        );
        assert_eq!(
            retries.find(id(1, 10_000).key),
            Some((10_001, None)),
            "within the observer's share"
        );
        retries.remember(id(2, RETRY_IDS_MAX as u64));
        assert_eq!(retries.find(id(2, 0).key), None, "more than a million");
        for observer in 3..3 + RETRY_OBSERVERS_MAX as u64 {
            retries.remember(id(observer, 0));
        }
        assert_eq!(
            retries.find(id(1, 10_000).key),
            None,
            "64 others were heard since"
        );
    }

    #[test]
    fn the_first_entry_of_an_id_stays_its_answer() {
        let mut retries = Retries::default();
        retries.remember(Remembered { seq: 7, ..id(1, 1) });
        retries.remember(Remembered { seq: 9, ..id(1, 1) });
        assert_eq!(retries.find(id(1, 1).key), Some((7, None)));
    }

    #[test]
    fn the_same_id_of_two_observers_is_two_occurrences() {
        assert_ne!(Retries::key("a", "1").0, Retries::key("b", "1").0);
        assert_ne!(Retries::key("a", "b1").0, Retries::key("ab", "1").0);
    }
}
