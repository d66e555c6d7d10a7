//! Writes events of another log into this one: each is decided as the writer's threads decide, but in the caller's thread,
//! which sees the state between two of them. For a repair, which has to know what is known before it records what comes next.

use super::committer::Committer;
use super::decider::Decider;
use super::recovery::recover;
use crate::domain::decide::decide;
use crate::domain::entry::{Commit, Entry, Rules};
use crate::domain::event::{Connection, Event};
use crate::domain::names::Names;
use crate::domain::resolve::resolve;
use crate::domain::time::Millis;
use crate::log::Record;
use crate::store::Store;
use crate::store::batch::Receipt;
use crate::store::error::StoreError;
use crate::store::read::{StateCursor, StateView};
use crate::store::shared::StoreShared;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

/// Writes to a store that has no writer. What was recorded is durable once [`finish`](Rewriter::finish) has returned.
pub struct Rewriter {
    shared: Arc<StoreShared>,
    decider: Decider,
    committer: Committer,
}

impl Store {
    /// Begins to write to the store behind its last entry. Nothing else may write to it meanwhile.
    ///
    /// # Errors
    /// The log cannot be read.
    #[doc(hidden)]
    pub fn rewriter(&self) -> Result<Rewriter, StoreError> {
        let shared = Arc::clone(&self.shared);
        let mut recovered = recover(&shared.log)?;
        let cursor = &recovered.cursor;
        // Nothing is sealed meanwhile.
        let (sealer, _) = sync_channel(1);
        let committer = Committer::new(
            Arc::clone(&shared),
            cursor.names.table().clone(),
            cursor.place,
            cursor.state.head(),
            std::mem::take(&mut recovered.parts),
            sealer,
        )?;
        Ok(Rewriter {
            decider: Decider::new(Arc::clone(&shared), recovered),
            committer,
            shared,
        })
    }
}

impl Rewriter {
    /// The state behind what was recorded, and its dictionary.
    #[must_use]
    pub fn view(&self) -> StateView<'_> {
        self.decider.cursor.view()
    }

    /// The dictionary, in which the caller may put the names of what it reads. Its numbers hold until the next
    /// [`flush`](Rewriter::flush).
    pub fn names(&mut self) -> &mut Names {
        &mut self.decider.cursor.names
    }

    /// The key of the rosters' digests.
    #[must_use]
    pub fn digest_key(&self) -> &[u8; 32] {
        &self.shared.digest_key
    }

    /// Rejected lines so far.
    #[must_use]
    pub fn rejects(&self) -> u64 {
        self.decider.cursor.bookkeeping.rejects
    }

    /// Records an event as of a moment; not before what was recorded last. Returns its first entry.
    ///
    /// # Errors
    /// Why the rules refuse it.
    pub fn record(
        &mut self,
        event: &Event<'_>,
        rules: &Rules,
        recorded_at: Millis,
    ) -> Result<Option<u64>, String> {
        let receipt = &mut Receipt::default();
        self.decider
            .decided(event, None, rules, recorded_at, receipt)
    }

    /// The entries that an event would make, if it makes any. Nothing is recorded.
    pub fn foresee(
        &mut self,
        event: &Event<'_>,
        rules: &Rules,
        recorded_at: Millis,
    ) -> Option<Vec<Entry>> {
        let StateCursor { state, names, .. } = &mut self.decider.cursor;
        let resolved = resolve(event, names);
        match decide(state, names, &resolved, rules, recorded_at) {
            Ok(Commit::Entries(entries)) => Some(entries),
            _ => None,
        }
    }

    /// Records what became of an ingest connection.
    pub fn connection(
        &mut self,
        observer: &str,
        what: Connection,
        at: Option<Millis>,
        (rules, recorded_at): (&Rules, Millis),
    ) {
        let receipt = &mut Receipt::default();
        self.decider
            .connection(observer, what, at, rules, recorded_at, receipt);
    }

    /// Takes over a record that is no event: a reject, a settlement, progress.
    pub fn keep(&mut self, record: &Record) {
        let decider = &mut self.decider;
        match record {
            Record::Reject(reject) => decider.keep(Some(reject.clone())),
            Record::Progress(progress) => {
                decider.cursor.bookkeeping.sources.note(progress.clone());
                decider.records.push(record.clone());
            }
            Record::Settled(_) | Record::Forgotten(_) => decider.records.push(record.clone()),
            Record::Commit { .. } | Record::Page { .. } | Record::Closed(_) => {}
        }
    }

    /// Appends what was recorded.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn flush(&mut self) -> Result<(), StoreError> {
        self.committer
            .write(&mut [self.decider.send_decided(Vec::new(), false)])
    }

    /// Appends what was recorded, and makes everything durable.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(mut self) -> Result<(), StoreError> {
        self.flush()?;
        self.committer
            .write(&mut [self.decider.send_decided(Vec::new(), true)])?;
        self.shared.log.engine().close()?;
        self.shared.note_head()
    }
}
