//! What the writer knows before its first line: the last checkpoint, and the log after it.

use super::checkpoint::{self, PartFrames};
use super::error::StoreError;
use super::retries::{Remembered, Retries};
use super::scan::{ScanFlow, Visitor, advance};
use super::state_cursor::{ScanScope, ScanStart, StateCursor, StateView};
use crate::domain::entry::{Entry, Page, Rules};
use crate::domain::names::{NameId, NumberMap, Renumbering};
use crate::log::engine::Engine;

/// The state at the end of the log, and the changes since the last checkpoint.
#[derive(Default)]
pub(super) struct Recovered {
    pub fold: StateCursor,
    pub retries: Retries,
    pub parts: PartFrames,
    pub retry_chunks: Vec<u64>,
    pub since: DirtySet,
}

/// The changes since the last checkpoint.
#[derive(Default)]
pub(super) struct DirtySet {
    /// Channels that have changed.
    pub changed: NumberMap<NameId, ()>,
    /// Ids that are in no chunk among the key values.
    pub ids: Vec<Remembered>,
    pub entries: usize,
}

impl DirtySet {
    /// Notes the channels that an entry has changed.
    pub fn note(&mut self, at: StateView<'_>, entry: &Entry) {
        self.entries += 1;
        match at.channel_of(entry) {
            Some(channel) => {
                self.changed.insert(channel, ());
            }
            None => {
                let channels = at.state.channels_of(entry.observer);
                self.changed.extend(channels.map(|name| (name, ())));
            }
        }
    }

    /// Replaces the numbers of names after the dictionary was renumbered.
    pub fn renumber(&mut self, renumbering: &Renumbering) {
        self.changed = renumbering.by_name(std::mem::take(&mut self.changed));
    }

    /// Notes a step of a paged snapshot.
    pub fn note_page(&mut self, page: &Page) {
        self.entries += 1;
        self.changed.insert(page.channel, ());
    }
}

/// Reads the state that the writer starts from.
pub(super) fn recover(engine: &dyn Engine) -> Result<Recovered, StoreError> {
    let end = engine.head() + 1;
    let scope = ScanScope {
        start: ScanStart::Behind(u64::MAX),
        ..ScanScope::default()
    };
    let mut recovered = Recovered {
        fold: checkpoint::load(engine, end, &scope)?,
        ..Recovered::default()
    };
    (recovered.parts, recovered.retry_chunks) = checkpoint::pointers(engine, &mut recovered.fold)?;
    let mut whole = true;
    for &chunk in &recovered.retry_chunks {
        match checkpoint::load_retries(engine, chunk)? {
            Some(ids) => ids
                .into_iter()
                .for_each(|id| recovered.retries.remember(id)),
            None => whole = false,
        }
    }
    if !whole {
        // A chunk is missing: read the whole log, so that no line is recorded twice.
        recovered = Recovered {
            parts: recovered.parts,
            ..Recovered::default()
        };
    }
    let mut tail = TailReader {
        parts: &mut recovered.parts,
        retries: &mut recovered.retries,
        since: &mut recovered.since,
    };
    advance(
        engine,
        &mut recovered.fold,
        end,
        &ScanScope::default(),
        &mut tail,
    )?;
    Ok(recovered)
}

struct TailReader<'a> {
    parts: &'a mut PartFrames,
    retries: &'a mut Retries,
    since: &'a mut DirtySet,
}

impl Visitor for TailReader<'_> {
    fn renumbers(&self) -> bool {
        true
    }

    fn renumbered(&mut self, renumbering: &Renumbering) {
        self.since.renumber(renumbering);
        *self.parts = renumbering.by_name(std::mem::take(self.parts));
    }

    fn committed(&mut self, at: StateView<'_>, entries: &[Entry]) -> Result<(), StoreError> {
        let identified = |entry: &Entry| entry.id.clone().map(|id| (id, entry.observer, entry.seq));
        if let Some((id, observer, seq)) = entries.first().and_then(identified) {
            let (key, observer) = Retries::key(at.names.text(observer), &id);
            let id = Remembered {
                key,
                observer,
                seq,
                said: None,
            };
            self.retries.remember(id);
            self.since.ids.push(id);
        }
        entries.iter().for_each(|entry| self.since.note(at, entry));
        Ok(())
    }

    fn page(
        &mut self,
        _at: StateView<'_>,
        _rules: &Rules,
        page: &Page,
    ) -> Result<ScanFlow, StoreError> {
        self.since.note_page(page);
        Ok(ScanFlow::Apply)
    }
}
