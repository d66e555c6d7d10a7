//! Stores whose engine and blocks outlive them, and can be copied as they are.

use super::desk::Desk;
use super::engine::holding;
use rollbook::log::engine::Journal;
use rollbook::log::engine::memory::MemoryJournal;
use rollbook::log::engine::objects::{MemoryObjects, ObjectStore};
use rollbook::{Options, Store};
use std::sync::Arc;

/// An engine and objects that outlive the store.
#[derive(Clone, Default)]
pub struct Parts {
    pub engine: Arc<MemoryJournal>,
    pub objects: Arc<MemoryObjects>,
}

impl Parts {
    /// Opens the store.
    pub fn open(&self) -> Desk {
        Desk::with(|options| self.store(options))
    }

    /// The same, where it may fail.
    pub fn store(&self, options: Options) -> Result<Store, rollbook::StoreError> {
        let engine = Box::new(Arc::clone(&self.engine));
        Store::on_parts(engine, Box::new(Arc::clone(&self.objects)), options)
    }

    /// The numbers of all objects.
    pub fn numbers(&self) -> Vec<u64> {
        self.objects.numbers().unwrap()
    }

    /// An object, if it exists.
    pub fn object(&self, number: u64) -> Option<Vec<u8>> {
        self.objects.read(number, 0, usize::MAX).ok()
    }

    /// Stores an object.
    pub fn put(&self, number: u64, bytes: &[u8]) {
        self.objects.put(number, bytes).unwrap();
    }

    /// Removes an object.
    pub fn remove(&self, number: u64) {
        self.objects.remove(number).unwrap();
    }

    /// The same log, as it is now, without checkpoints. Nothing of its front may be missing.
    pub fn copied(&self) -> Parts {
        let copy = Parts::default();
        for number in self.numbers() {
            copy.put(number, &self.object(number).unwrap());
        }
        let values = self.engine.read(1).map(|value| value.unwrap().1.to_vec());
        let values: Vec<Vec<u8>> = values.collect();
        let first = self.engine.first();
        let engine = match first {
            1 => holding(&values),
            first => {
                // Positions count from 1: what was trimmed is put before, and trimmed again.
                let gone = (1..first).map(|_| Vec::new());
                let engine = holding(&gone.chain(values).collect::<Vec<_>>());
                engine.trim(first).unwrap();
                engine
            }
        };
        Parts { engine, ..copy }
    }
}
