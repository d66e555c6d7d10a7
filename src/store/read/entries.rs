//! The entries of a scope, one after another, with the state before each. A reader pulls them, and can stop at any.

use super::cursor::StateCursor;
use super::frames::{ScopedFrame, ScopedFrames};
use crate::domain::entry::Entry;
use crate::domain::renumbering::Renumbering;
use crate::store::error::StoreError;

/// What [`EntryReader::advance`] led to.
pub(crate) enum EntryStep {
    /// An entry.
    Entry,
    /// Names were forgotten: the reader must translate the numbers that it keeps.
    Renumbered(Renumbering),
    /// No more entries.
    End,
}

/// Reads the entries of a scope.
pub(crate) struct EntryReader<'a> {
    /// The state before the current entry; behind the last entry, the state after it.
    pub cursor: StateCursor,
    frames: ScopedFrames<'a>,
    frame: Option<ScopedFrame<'a>>,
    /// How many entries of the current commit are in the scope.
    entries: usize,
    /// How many of these were reached; the last of them is the current one.
    reached: usize,
    /// The reader needs the state, so entries are applied.
    folds: bool,
}

impl<'a> EntryReader<'a> {
    /// A reader of what a scan gives.
    pub fn new((cursor, frames): (StateCursor, ScopedFrames<'a>)) -> Self {
        EntryReader {
            cursor,
            frames,
            frame: None,
            entries: 0,
            reached: 0,
            folds: true,
        }
    }

    /// The same, but entries are not applied: for readers that need no state.
    pub fn without_state(self) -> Self {
        EntryReader {
            folds: false,
            ..self
        }
    }

    /// Applies the current entry and moves to the next one.
    ///
    /// # Errors
    /// The log is damaged. Then there are no more entries.
    pub fn advance(&mut self) -> Result<EntryStep, StoreError> {
        loop {
            let Some(frame) = &mut self.frame else {
                self.frame = self.frames.next(&mut self.cursor)?;
                if self.frame.is_none() {
                    return Ok(EntryStep::End);
                }
                continue;
            };
            let current = self.reached.checked_sub(1);
            if let Some(entry) = current.and_then(|at| frame.entry(at))
                && self.folds
            {
                self.cursor.apply_entry(entry);
            }
            if self.reached < self.entries {
                self.reached += 1;
                return Ok(EntryStep::Entry);
            }
            self.reached = 0;
            match frame.next_commit(&mut self.cursor)? {
                Some(commit) => self.entries = commit.entries.len(),
                None => {
                    (self.frame, self.entries) = (None, 0);
                    if let Some(renumbering) = self.cursor.forget_absent() {
                        return Ok(EntryStep::Renumbered(renumbering));
                    }
                }
            }
        }
    }

    /// The current entry.
    pub fn entry(&self) -> Option<&Entry> {
        let at = self.reached.checked_sub(1)?;
        self.frame.as_ref()?.entry(at)
    }
}
