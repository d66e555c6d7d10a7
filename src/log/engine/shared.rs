//! An engine behind an `Arc`: one that outlives the store on it, or that several stores use one after another. Only
//! delegation lives here, every call to the same call of the engine.

use super::{Journal, JournalError, KeyValues, Values};
use std::sync::Arc;

impl<T: Journal + ?Sized> Journal for Arc<T> {
    fn append(&self, expected_head: u64, values: &[Vec<u8>]) -> Result<u64, JournalError> {
        (**self).append(expected_head, values)
    }

    fn sync(&self) -> Result<(), JournalError> {
        (**self).sync()
    }

    fn head(&self) -> u64 {
        (**self).head()
    }

    fn first(&self) -> u64 {
        (**self).first()
    }

    fn get(&self, position: u64) -> Result<Option<Vec<u8>>, JournalError> {
        (**self).get(position)
    }

    fn read(&self, from: u64) -> Values<'_> {
        (**self).read(from)
    }

    fn trim(&self, before: u64) -> Result<(), JournalError> {
        (**self).trim(before)
    }

    fn cut(&self, head: u64) -> Result<(), JournalError> {
        (**self).cut(head)
    }

    fn close(&self) -> Result<(), JournalError> {
        (**self).close()
    }
}

impl<T: KeyValues + ?Sized> KeyValues for Arc<T> {
    fn put(&self, key: &[u8], value: &[u8]) -> Result<(), JournalError> {
        (**self).put(key, value)
    }

    fn lookup(&self, key: &[u8]) -> Result<Option<Vec<u8>>, JournalError> {
        (**self).lookup(key)
    }

    fn keys(&self, prefix: &[u8]) -> Result<Vec<Vec<u8>>, JournalError> {
        (**self).keys(prefix)
    }

    fn remove(&self, key: &[u8]) -> Result<(), JournalError> {
        (**self).remove(key)
    }
}
