//! What the writer knows before its first line: the last checkpoint, and the log after it.

use super::dirty_set::DirtySet;
use super::retries::{Remembered, Retries};
use crate::domain::entry::Entry;
use crate::log::read::Log;
use crate::store::checkpoint::{self, PartFrames};
use crate::store::error::StoreError;
use crate::store::read::{
    ScanScope, ScanStart, ScopedFrames, ScopedRecord, StateCursor, StateView,
};

/// The state at the end of the log, and the changes since the last checkpoint.
#[derive(Default)]
pub(in crate::store) struct Recovered {
    pub cursor: StateCursor,
    pub retries: Retries,
    pub parts: PartFrames,
    pub retry_chunks: Vec<u64>,
    pub since: DirtySet,
}

/// Reads the state that the writer starts from.
pub(in crate::store) fn recover(log: &Log) -> Result<Recovered, StoreError> {
    let engine = log.engine();
    checkpoint::rekey(engine)?;
    let end = engine.head() + 1;
    let scope = ScanScope {
        start: ScanStart::Behind(u64::MAX),
        departed: true,
        ..ScanScope::default()
    };
    let mut recovered = Recovered {
        cursor: checkpoint::load(log, end, &scope)?,
        ..Recovered::default()
    };
    if recovered.cursor.open.is_none() {
        (recovered.parts, recovered.retry_chunks) =
            checkpoint::pointers(engine, &mut recovered.cursor)?;
    }
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
            cursor: checkpoint::beginning(log, &scope)?,
            ..Recovered::default()
        };
    }
    if recovered.retry_chunks.is_empty() {
        recovered.remember_base(log)?;
    }
    recovered.read_tail(log, end)?;
    Ok(recovered)
}

impl Recovered {
    /// Takes over the ids that the base of a pruned log remembers. If the state is that of the base, nothing of it is in
    /// a checkpoint.
    fn remember_base(&mut self, log: &Log) -> Result<(), StoreError> {
        for id in checkpoint::base_ids(log)? {
            let id = Remembered {
                key: id.key,
                observer: id.observer,
                seq: id.seq,
                said: None,
            };
            self.retries.remember(id);
            self.since.ids.push(id);
        }
        if self.cursor.open.take().is_some() {
            let channels = self.cursor.state.channels();
            let changed = channels.map(|(name, _)| (name, ()));
            self.since.changed.extend(changed);
        }
        Ok(())
    }

    /// Reads the log after the checkpoint.
    fn read_tail(&mut self, log: &Log, end: u64) -> Result<(), StoreError> {
        let cursor = &mut self.cursor;
        let mut frames = ScopedFrames::new(log, cursor, end, &ScanScope::default());
        while let Some(mut frame) = frames.next(cursor)? {
            while let Some(record) = frame.next(cursor)? {
                cursor.apply(&record);
                match &record {
                    ScopedRecord::Commit(commit) => {
                        let at = cursor.view();
                        if let Some(id) = commit.all.first().and_then(|first| id_of(first, at)) {
                            self.retries.remember(id);
                            self.since.ids.push(id);
                        }
                        for entry in commit.entries {
                            self.since.note(at.state, entry, at.channel_of(entry));
                        }
                    }
                    ScopedRecord::Page { page, .. } => self.since.note_page(page),
                    _ => {}
                }
            }
            if let Some(renumbering) = cursor.forget_absent() {
                self.since.renumber(&renumbering);
                self.parts = renumbering.by_name(std::mem::take(&mut self.parts));
            }
        }
        Ok(())
    }
}

/// The id of the line that made this entry and those after it.
fn id_of(entry: &Entry, at: StateView<'_>) -> Option<Remembered> {
    let id = entry.id.as_ref()?;
    let (key, observer) = Retries::key(at.names.text(entry.observer), id);
    Some(Remembered {
        key,
        observer,
        seq: entry.seq,
        said: None,
    })
}
