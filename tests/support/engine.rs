//! A journal in memory that outlives the store on it.

use rollbook::log::engine::memory::MemoryJournal;
use rollbook::log::engine::{Journal, JournalError, KeyValues, Values};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};

/// Lent to stores, one after another.
#[derive(Debug, Clone, Default)]
pub struct Lent(Arc<MemoryJournal>, Arc<Gate>, Arc<Faults>);

/// What fails.
#[derive(Debug, Default)]
struct Faults {
    shelf: AtomicBool,
    sync_panics: AtomicBool,
    read_panics: AtomicBool,
}

/// Where syncs wait while it is shut.
#[derive(Debug, Default)]
struct Gate(Mutex<bool>, Condvar);

impl Lent {
    /// With these values.
    pub fn with(values: &[Vec<u8>]) -> Lent {
        let journal = Lent::default();
        journal.append(0, values).unwrap();
        journal
    }

    /// Syncs wait until [`open`](Lent::open).
    pub fn shut(&self) {
        *self.1.0.lock().unwrap() = true;
    }

    /// Syncs go on.
    pub fn open(&self) {
        *self.1.0.lock().unwrap() = false;
        self.1.1.notify_all();
    }

    /// The shelf takes nothing, or takes everything again.
    pub fn fail_shelf(&self, fails: bool) {
        self.2.shelf.store(fails, Ordering::SeqCst);
    }

    /// Syncs panic.
    pub fn panic_on_sync(&self) {
        self.2.sync_panics.store(true, Ordering::SeqCst);
    }

    /// Reads panic, or do so no more.
    pub fn panic_on_read(&self, panics: bool) {
        self.2.read_panics.store(panics, Ordering::SeqCst);
    }

    fn may_read(&self) {
        assert!(!self.2.read_panics.load(Ordering::SeqCst), "asked for");
    }

    /// All values.
    pub fn values(&self) -> Vec<Vec<u8>> {
        self.read(1).map(|value| value.unwrap().1).collect()
    }

    /// A copy that ends with the value at `position`, and has nothing on its shelf.
    pub fn up_to(&self, position: u64) -> Lent {
        let count = usize::try_from(position).unwrap();
        Lent::with(&self.values()[..count])
    }
}

impl Journal for Lent {
    fn append(&self, expected_head: u64, values: &[Vec<u8>]) -> Result<u64, JournalError> {
        self.0.append(expected_head, values)
    }
    fn sync(&self) -> Result<(), JournalError> {
        assert!(!self.2.sync_panics.load(Ordering::SeqCst), "asked for");
        let shut = self.1.0.lock().unwrap();
        drop(self.1.1.wait_while(shut, |shut| *shut).unwrap());
        self.0.sync()
    }
    fn head(&self) -> u64 {
        self.0.head()
    }
    fn first(&self) -> u64 {
        self.0.first()
    }
    fn get(&self, position: u64) -> Result<Option<Vec<u8>>, JournalError> {
        self.may_read();
        self.0.get(position)
    }
    fn read(&self, from: u64) -> Values<'_> {
        self.may_read();
        self.0.read(from)
    }
    fn trim(&self, before: u64) -> Result<(), JournalError> {
        self.0.trim(before)
    }
    fn cut(&self, head: u64) -> Result<(), JournalError> {
        self.0.cut(head)
    }
}

impl KeyValues for Lent {
    fn put(&self, key: &[u8], value: &[u8]) -> Result<(), JournalError> {
        if self.2.shelf.load(Ordering::SeqCst) {
            return Err(JournalError::Injected);
        }
        self.0.put(key, value)
    }
    fn lookup(&self, key: &[u8]) -> Result<Option<Vec<u8>>, JournalError> {
        self.0.lookup(key)
    }
    fn keys(&self, prefix: &[u8]) -> Result<Vec<Vec<u8>>, JournalError> {
        self.0.keys(prefix)
    }
    fn remove(&self, key: &[u8]) -> Result<(), JournalError> {
        self.0.remove(key)
    }
}
