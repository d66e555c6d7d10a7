//! A journal in memory. It is lost when dropped, and is a simple example of the [`Journal`] laws.

use super::{Journal, JournalError, KeyValues, StoredValue, Values, fence, fit};
use crate::limits::VALUE_BYTES_MAX;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A journal in memory.
#[derive(Debug, Default)]
pub struct MemoryJournal {
    log: Mutex<MemoryLog>,
    key_values: Mutex<BTreeMap<Vec<u8>, Vec<u8>>>,
}

#[derive(Debug, Default)]
struct MemoryLog {
    /// The number of trimmed values.
    trimmed: u64,
    values: VecDeque<Arc<[u8]>>,
}

impl MemoryLog {
    fn head(&self) -> u64 {
        self.trimmed + self.values.len() as u64
    }

    fn at(&self, position: u64) -> Option<&Arc<[u8]>> {
        let index = position.checked_sub(self.trimmed + 1)?;
        self.values.get(usize::try_from(index).ok()?)
    }
}

/// A thread that panicked with the lock held leaves only complete values, so the data is still valid.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MemoryJournal {
    /// An empty journal.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Journal for MemoryJournal {
    fn append(&self, expected_head: u64, values: &[Vec<u8>]) -> Result<u64, JournalError> {
        let mut log = lock(&self.log);
        fence(expected_head, log.head())?;
        fit(values, VALUE_BYTES_MAX)?;
        log.values
            .extend(values.iter().map(|value| Arc::from(value.as_slice())));
        Ok(log.head())
    }

    fn sync(&self) -> Result<(), JournalError> {
        Ok(())
    }

    fn head(&self) -> u64 {
        lock(&self.log).head()
    }

    fn first(&self) -> u64 {
        lock(&self.log).trimmed + 1
    }

    fn get(&self, position: u64) -> Result<Option<Vec<u8>>, JournalError> {
        Ok(lock(&self.log).at(position).map(|value| value.to_vec()))
    }

    fn read(&self, from: u64) -> Values<'_> {
        let log = lock(&self.log);
        let from = from.max(log.trimmed + 1);
        let skip = usize::try_from(from - log.trimmed - 1).unwrap_or(usize::MAX);
        // Takes the present values, so that the lock is not held during the read.
        let values: Vec<_> = log.values.iter().skip(skip).cloned().collect();
        let values = values.into_iter().zip(from..);
        Box::new(values.map(|(value, position)| Ok((position, StoredValue::new(value)))))
    }

    fn trim(&self, before: u64) -> Result<(), JournalError> {
        let mut log = lock(&self.log);
        while log.trimmed + 1 < before && log.values.pop_front().is_some() {
            log.trimmed += 1;
        }
        Ok(())
    }

    fn cut(&self, head: u64) -> Result<(), JournalError> {
        let mut log = lock(&self.log);
        let keep = head
            .checked_sub(log.trimmed)
            .filter(|_| head <= log.head())
            .and_then(|keep| usize::try_from(keep).ok())
            .ok_or_else(|| JournalError::NotKept {
                position: head,
                first: log.trimmed + 1,
                head: log.head(),
            })?;
        log.values.truncate(keep);
        Ok(())
    }
}

impl KeyValues for MemoryJournal {
    fn put(&self, key: &[u8], value: &[u8]) -> Result<(), JournalError> {
        fit(&[value], VALUE_BYTES_MAX)?;
        lock(&self.key_values).insert(key.to_vec(), value.to_vec());
        Ok(())
    }

    fn lookup(&self, key: &[u8]) -> Result<Option<Vec<u8>>, JournalError> {
        Ok(lock(&self.key_values).get(key).cloned())
    }

    fn keys(&self, prefix: &[u8]) -> Result<Vec<Vec<u8>>, JournalError> {
        let key_values = lock(&self.key_values);
        Ok(key_values
            .range(prefix.to_vec()..)
            .map(|(key, _)| key)
            .take_while(|key| key.starts_with(prefix))
            .cloned()
            .collect())
    }

    fn remove(&self, key: &[u8]) -> Result<(), JournalError> {
        lock(&self.key_values).remove(key);
        Ok(())
    }
}
