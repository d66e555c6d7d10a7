//! What has changed since the last checkpoint, and when the next one is due. How it is made is in `checkpoint`.

use super::retries::Remembered;
use crate::domain::entry::{Entry, Page};
use crate::domain::names::{NameId, Names, NumberMap};
use crate::domain::renumbering::Renumbering;
use crate::domain::state::State;
use crate::limits;

/// The least number of entries between checkpoints. It is less than those of a block, so that a block can end at one.
const ENTRIES_MIN: usize = limits::BLOCK_ENTRIES as usize / 4 * 3;
/// It grows with the state, so that the cost of a checkpoint stays small beside the cost of its entries.
const ENTRIES_PER_MEMBER: usize = 4;

/// The changes since the last checkpoint.
#[derive(Default)]
pub(in crate::store) struct DirtySet {
    /// Channels that have changed.
    pub changed: NumberMap<NameId, ()>,
    /// The channel that was noted last: most entries are about the channel of the entry before.
    last: Option<NameId>,
    /// Ids that are in no chunk among the key values.
    pub ids: Vec<Remembered>,
    /// Entries and pages.
    entries: usize,
}

impl DirtySet {
    /// Notes the channels that an entry has changed: the one that it is about, or all of its observer's.
    pub fn note(&mut self, state: &State, entry: &Entry, channel: Option<NameId>) {
        self.entries += 1;
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
        self.changed = renumbering.by_name(std::mem::take(&mut self.changed));
        self.last = None;
    }

    /// Notes a step of a paged snapshot.
    pub fn note_page(&mut self, page: &Page) {
        self.entries += 1;
        self.changed.insert(page.channel, ());
    }

    /// Whether no entry has come since the last checkpoint.
    pub fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// Whether a checkpoint is due. `last`: the writer ends.
    pub fn is_due(&self, names: &Names, last: bool) -> bool {
        let weight = names.members().saturating_mul(ENTRIES_PER_MEMBER);
        self.entries >= ENTRIES_MIN.max(weight) || (last && self.entries > 0)
    }

    /// Counts entries anew, as a checkpoint was made here, or failed.
    pub fn count_from_here(&mut self) {
        self.entries = 0;
    }

    /// Notes that a checkpoint has what has changed.
    pub fn drafted(&mut self) {
        self.changed = NumberMap::default();
        self.last = None;
    }
}
