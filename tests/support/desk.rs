//! Stores for the laws: on an engine that outlives them, with a clock that the test sets.

use super::feeds::{Heard, NOW, Tape};
use rollbook::log::engine::Engine;
use rollbook::log::engine::memory::MemoryJournal;
use rollbook::query::HistoryFilter;
use rollbook::query::answer::HistoryEntry;
use rollbook::store::{Receipt, RecordError, ScanScope, StoreError};
use rollbook::{Options, Store};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// A store with its clock.
pub struct Desk {
    pub store: Store,
    clock: Arc<AtomicI64>,
}

impl Desk {
    /// A new store in memory.
    pub fn new() -> Desk {
        Desk::on(&Arc::new(MemoryJournal::new()))
    }

    /// A store on an engine that may have been used before.
    pub fn on<E: Engine + 'static>(engine: &Arc<E>) -> Desk {
        Desk::with(|options| Store::on(Box::new(Arc::clone(engine)), options))
    }

    /// A store that `open` opens in any other way.
    pub fn with(open: impl FnOnce(Options) -> Result<Store, StoreError>) -> Desk {
        let clock = Arc::new(AtomicI64::new(NOW));
        let of_store = Arc::clone(&clock);
        let options = Options::default().clock(move || of_store.load(Ordering::SeqCst));
        let store = open(options).unwrap();
        Desk { store, clock }
    }

    /// A new store that has recorded a tape, line by line.
    pub fn of(tape: &Tape) -> Desk {
        let desk = Desk::new();
        desk.hear(tape, &tape.lines);
        desk
    }

    /// Records lines one by one, each at its time.
    pub fn hear(&self, tape: &Tape, lines: &[Heard]) {
        for heard in lines {
            self.hear_one(tape, heard).unwrap();
        }
    }

    /// Records one line.
    pub fn hear_one(&self, tape: &Tape, heard: &Heard) -> Result<Receipt, RecordError> {
        self.clock.store(heard.now, Ordering::SeqCst);
        let lines = std::slice::from_ref(heard);
        self.store.submit(tape.batch(lines))?.wait()
    }

    /// Records lines in one batch, at one time.
    pub fn hear_together(&self, tape: &Tape, lines: &[Heard]) -> Result<Receipt, RecordError> {
        self.clock.store(NOW, Ordering::SeqCst);
        self.store.submit(tape.batch(lines))?.wait()
    }

    /// The state as text, as a query finds it.
    pub fn described(&self) -> String {
        self.store.described().unwrap()
    }

    /// The state as text, folded from the first entry, up to the entry `last`.
    pub fn folded(&self, last: Option<u64>) -> String {
        let scope = ScanScope {
            last,
            departed: true,
            ..ScanScope::default()
        };
        let (mut cursor, mut frames) = self.store.scan(&scope).unwrap();
        frames.apply_rest(&mut cursor).unwrap();
        cursor.state.describe(&cursor.names)
    }

    /// All entries.
    pub fn history(&self) -> Vec<HistoryEntry> {
        let entries = self.store.history(&HistoryFilter::default()).unwrap();
        entries.collect::<Result<_, _>>().unwrap()
    }

    /// All entries, as lines of JSON.
    pub fn history_json(&self) -> Vec<String> {
        let json = |entry| serde_json::to_string(&entry).unwrap();
        self.history().into_iter().map(json).collect()
    }
}
