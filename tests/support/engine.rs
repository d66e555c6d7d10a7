//! Journals in memory that outlive their store, and a journal that fails, waits or panics when a test asks for it.
//! `tests/log/journal.rs` tests the promises of an engine itself.

use rollbook::log::engine::memory::MemoryJournal;
use rollbook::log::engine::{Journal, JournalError, KeyValues, Values};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};

/// A journal with these values, and no key values.
pub fn holding(values: &[Vec<u8>]) -> Arc<MemoryJournal> {
    let journal = MemoryJournal::new();
    journal.append(0, values).unwrap();
    Arc::new(journal)
}

/// All values of a journal.
pub fn values(journal: &MemoryJournal) -> Vec<Vec<u8>> {
    journal
        .read(1)
        .map(|value| value.unwrap().1.to_vec())
        .collect()
}

/// A journal in memory, with the faults that a test sets.
#[derive(Debug, Default)]
pub struct FaultyJournal {
    memory: MemoryJournal,
    /// Whether syncs wait, and the condition variable that wakes them.
    shut: (Mutex<bool>, Condvar),
    key_values_fail: AtomicBool,
    sync_panics: AtomicBool,
    read_panics: AtomicBool,
}

impl FaultyJournal {
    /// A journal without faults so far.
    pub fn new() -> Arc<FaultyJournal> {
        Arc::default()
    }

    /// Syncs wait until [`open`](FaultyJournal::open).
    pub fn shut(&self) {
        *self.shut.0.lock().unwrap() = true;
    }

    /// Lets syncs continue.
    pub fn open(&self) {
        *self.shut.0.lock().unwrap() = false;
        self.shut.1.notify_all();
    }

    /// Makes the storing of key values fail, or work again.
    pub fn fail_key_values(&self, fails: bool) {
        self.key_values_fail.store(fails, Ordering::SeqCst);
    }

    /// Makes syncs panic.
    pub fn panic_on_sync(&self) {
        self.sync_panics.store(true, Ordering::SeqCst);
    }

    /// Makes reads panic, or work again.
    pub fn panic_on_read(&self, panics: bool) {
        self.read_panics.store(panics, Ordering::SeqCst);
    }

    fn may_read(&self) {
        assert!(!self.read_panics.load(Ordering::SeqCst), "asked for");
    }
}

impl Journal for FaultyJournal {
    fn append(&self, expected_head: u64, values: &[Vec<u8>]) -> Result<u64, JournalError> {
        self.memory.append(expected_head, values)
    }
    fn sync(&self) -> Result<(), JournalError> {
        assert!(!self.sync_panics.load(Ordering::SeqCst), "asked for");
        let shut = self.shut.0.lock().unwrap();
        drop(self.shut.1.wait_while(shut, |shut| *shut).unwrap());
        self.memory.sync()
    }
    fn head(&self) -> u64 {
        self.memory.head()
    }
    fn first(&self) -> u64 {
        self.memory.first()
    }
    fn get(&self, position: u64) -> Result<Option<Vec<u8>>, JournalError> {
        self.may_read();
        self.memory.get(position)
    }
    fn read(&self, from: u64) -> Values<'_> {
        self.may_read();
        self.memory.read(from)
    }
    fn trim(&self, before: u64) -> Result<(), JournalError> {
        self.memory.trim(before)
    }
    fn cut(&self, head: u64) -> Result<(), JournalError> {
        self.memory.cut(head)
    }
}

impl KeyValues for FaultyJournal {
    fn put(&self, key: &[u8], value: &[u8]) -> Result<(), JournalError> {
        if self.key_values_fail.load(Ordering::SeqCst) {
            return Err(JournalError::Injected);
        }
        self.memory.put(key, value)
    }
    fn lookup(&self, key: &[u8]) -> Result<Option<Vec<u8>>, JournalError> {
        self.memory.lookup(key)
    }
    fn keys(&self, prefix: &[u8]) -> Result<Vec<Vec<u8>>, JournalError> {
        self.memory.keys(prefix)
    }
    fn remove(&self, key: &[u8]) -> Result<(), JournalError> {
        self.memory.remove(key)
    }
}
