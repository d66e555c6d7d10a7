//! What has changed since the last checkpoint, and when the next one is due. How it is made is in `checkpoint`.

use super::retries::Remembered;
use crate::domain::entry::{Entry, Page};
use crate::domain::names::{NameId, NumberMap, Renumbering};
use crate::domain::state::State;
use crate::limits;
use crate::store::checkpoint::CheckpointKind;
use crate::store::read::StateCursor;

/// The least number of entries between checkpoints. It is less than those of a block, so that each block can begin and end
/// at one.
const CHECKPOINT_ENTRIES_MIN: usize = limits::BLOCK_ENTRIES as usize / 4 * 3;
/// Between checkpoints with tombstones it grows with the state, so that the cost of a checkpoint stays small beside the cost
/// of its entries.
const WHOLE_ENTRIES_PER_MEMBER: usize = 4;
/// The same between all checkpoints, for each present member of a channel that has changed.
const ENTRIES_PER_PRESENT: usize = 4;
/// The changes since the last checkpoint.
#[derive(Default)]
pub(in crate::store) struct DirtySet {
    /// Channels that have changed.
    pub changed: NumberMap<NameId, ()>,
    /// Channels that had changed at a checkpoint since the last whole one: it has their parts, but not their tombstones.
    pub departed: NumberMap<NameId, ()>,
    /// The channel that was noted last: most entries are about the channel of the entry before.
    last: Option<NameId>,
    /// Ids that are in no chunk among the key values.
    pub ids: Vec<Remembered>,
    /// Entries and pages since the last checkpoint.
    entries: usize,
    /// The same since the last whole checkpoint.
    entries_since_whole: usize,
    /// Before there are so many entries, no checkpoint for questions is due: what has changed is not walked for each batch.
    for_questions_from: usize,
}

impl DirtySet {
    /// Notes the channels that an entry has changed: the one that it is about, or all of its observer's.
    pub fn note(&mut self, state: &State, entry: &Entry, channel: Option<NameId>) {
        self.count();
        match channel {
            Some(channel) if self.last == Some(channel) => {}
            Some(channel) => {
                self.changed.insert(channel, ());
                self.last = Some(channel);
            }
            None => {
                let channels = state.channels_of(entry.observer);
                self.changed.extend(channels.map(|name| (name, ())));
            }
        }
    }

    /// Replaces the numbers of names after the dictionary was renumbered.
    pub fn renumber(&mut self, renumbering: &Renumbering) {
        for names in [&mut self.changed, &mut self.departed] {
            *names = renumbering.by_name(std::mem::take(names));
        }
        self.last = None;
    }

    fn count(&mut self) {
        self.entries += 1;
        self.entries_since_whole += 1;
    }

    /// Notes a step of a paged snapshot.
    pub fn note_page(&mut self, page: &Page) {
        self.count();
        self.changed.insert(page.channel, ());
    }

    /// Whether no entry has come since the last whole checkpoint.
    pub fn is_empty(&self) -> bool {
        self.entries_since_whole == 0
    }

    /// The kind of checkpoint that is due, if any. `last`: the writer ends.
    pub fn due(&mut self, cursor: &StateCursor, last: bool) -> Option<CheckpointKind> {
        let members = cursor.names.members();
        let weight = members.saturating_mul(WHOLE_ENTRIES_PER_MEMBER);
        if self.entries_since_whole >= CHECKPOINT_ENTRIES_MIN.max(weight)
            || (last && self.entries_since_whole > 0)
        {
            return Some(CheckpointKind::Whole);
        }
        if self.entries < CHECKPOINT_ENTRIES_MIN.max(self.for_questions_from) {
            return None;
        }
        let rosters = self.changed.keys().filter_map(|&name| {
            let channel = cursor.state.channel(name)?;
            Some(channel.roster().len() + 1)
        });
        self.for_questions_from = rosters.sum::<usize>().saturating_mul(ENTRIES_PER_PRESENT);
        (self.for_questions_from <= self.entries).then_some(CheckpointKind::ForQuestions)
    }

    /// Counts entries anew, as a checkpoint was made here, or failed.
    pub fn count_from_here(&mut self, kind: CheckpointKind) {
        (self.entries, self.for_questions_from) = (0, 0);
        if kind == CheckpointKind::Whole {
            self.entries_since_whole = 0;
        }
    }

    /// Notes that a checkpoint has what has changed.
    pub fn drafted(&mut self, kind: CheckpointKind) {
        let changed = std::mem::take(&mut self.changed);
        match kind {
            CheckpointKind::Whole => self.departed = NumberMap::default(),
            CheckpointKind::ForQuestions => self.departed.extend(changed),
        }
        self.last = None;
    }
}
