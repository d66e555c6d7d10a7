//! Rollbook through its library: parsed batches, and the frames that it makes of them, for peers that keep the same
//! frames as values.

use crate::Outcome;
use rollbook::domain::entry::Rules;
use rollbook::feed::{self, Defaults};
use rollbook::log::engine::Journal;
use rollbook::log::engine::memory::MemoryJournal;
use rollbook::store::{Batch, BatchLine, BatchText};
use rollbook::{Options, Store};
use std::sync::Arc;

/// Parses lines into a batch for the writer.
pub fn parsed(lines: &[String]) -> Outcome<Batch> {
    let text = BatchText {
        bytes: lines.join("\n").into_bytes(),
        ..BatchText::default()
    };
    let defaults = Defaults::of("default");
    let mut failure = None;
    let batch = Batch::read(text, Rules::default(), |text| {
        let lines = text.bytes.split(|&byte| byte == b'\n');
        let events = lines.map(|line| feed::parse(line, &defaults));
        let events = events.map(|event| Ok(BatchLine::Event(event?.into())));
        let events = events.collect::<Result<Vec<_>, feed::LineError>>();
        events.unwrap_or_else(|error| {
            failure = Some(error);
            Vec::new()
        })
    });
    match failure {
        Some(error) => Err(error.into()),
        None => Ok(batch),
    }
}

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
