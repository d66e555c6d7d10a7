//! Rollbook through its library: the frames that it makes of batches, for peers that keep the same frames as values.

use crate::Outcome;
use rollbook::bench::load::parsed;
use rollbook::log::engine::Journal;
use rollbook::log::engine::memory::MemoryJournal;
use rollbook::{Options, Store};
use std::sync::Arc;

/// Makes the values that Rollbook hands to its engine, each batch in frames of its own.
pub struct Framer {
    journal: Arc<MemoryJournal>,
    store: Store,
}

impl Framer {
    /// Begins an empty log.
    pub fn new() -> Outcome<Framer> {
        let journal = Arc::new(MemoryJournal::new());
        let engine = Box::new(Arc::clone(&journal));
        let store = Store::on(engine, Options::default())?;
        Ok(Framer { journal, store })
    }

    /// The values of the next batch.
    pub fn frames(&self, lines: &[String]) -> Outcome<Vec<Vec<u8>>> {
        let from = self.journal.head() + 1;
        let receipt = self.store.submit(parsed(lines)?)?.wait()?;
        if let Some(rejected) = receipt.rejected.first() {
            return Err(format!("a line was rejected: {}", rejected.reason).into());
        }
        let values = self.journal.read(from);
        let values = values.map(|value| Ok(value?.1.to_vec()));
        values.collect()
    }
}
