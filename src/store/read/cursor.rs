//! A place in the log and the state there. A record is applied to it here and nowhere else. What moves the place is in
//! `frames`.

use super::record::ScopedRecord;
use super::scope::ScanScope;
use super::sources::SourceOffsets;
use crate::domain::entry::{Entry, Payload};
use crate::domain::gaps::ChannelGaps;
use crate::domain::names::{NameId, NameTable, Names, NumberMap};
use crate::domain::renumbering::Renumbering;
use crate::domain::state::State;
use crate::domain::stay::OpenStays;
use crate::domain::time::Millis;
use crate::limits;
use crate::log::Reject;
use crate::log::frame::FrameHeader;

/// The state that the log gives, and how far the log was read.
#[derive(Debug, Default)]
pub struct StateCursor {
    /// The state.
    pub state: State,
    /// The dictionary that resolves the state's numbers.
    pub names: Names,
    pub(crate) bookkeeping: Bookkeeping,
    pub(crate) place: LogPosition,
    /// About how many names and members were needed at the last check.
    pub(crate) needed: usize,
    /// Where the log begins behind pruned entries: what was open there, for those who must remember it.
    pub(crate) open: Option<Box<OpenFolds>>,
}

/// What questions must remember of the entries before the place where reading begins.
#[derive(Debug, Default)]
pub(crate) struct OpenFolds {
    /// From this moment on no entry was pruned that took effect then.
    pub retained_from: Millis,
    /// The stays of the present members.
    pub stays: OpenStays,
    /// Open gaps, and changes outside any gap, by channel.
    pub gaps: NumberMap<NameId, ChannelGaps>,
}

impl StateCursor {
    /// The cursor before the first entry.
    pub(crate) fn at_first(scope: &ScanScope<'_>) -> StateCursor {
        let state = if scope.departed {
            State::new()
        } else {
            State::for_questions()
        };
        StateCursor {
            state,
            ..StateCursor::default()
        }
    }

    /// Applies a record.
    pub fn apply(&mut self, record: &ScopedRecord<'_>) {
        match record {
            ScopedRecord::Commit(commit) => {
                for entry in commit.entries {
                    self.apply_entry(entry);
                }
            }
            ScopedRecord::Page { page, .. } => self.state.apply_page(page),
            ScopedRecord::Closed { end, .. } => self.state.apply_closed(end),
            ScopedRecord::Reject(reject) => self.bookkeeping.count_reject(reject),
            ScopedRecord::Settled(_) | ScopedRecord::Forgotten(_) => {}
            ScopedRecord::Progress(progress) => {
                self.bookkeeping.sources.note((*progress).clone());
            }
        }
    }

    /// Applies one entry of a commit, for readers that look at the state before each entry.
    pub fn apply_entry(&mut self, entry: &Entry) {
        self.state.apply(entry, &self.names);
    }

    /// Notes an entry without applying it, for readers that need no state.
    pub fn pass_entry(&mut self, entry: &Entry) {
        self.state.pass(entry);
    }

    /// The same for all entries of a frame.
    pub(super) fn pass_to(&mut self, header: &FrameHeader) {
        if let Some(last) = header.entries.checked_sub(1) {
            let seq = header.first_seq.saturating_add(last);
            self.state.pass_to(seq, header.recorded_at.1);
        }
    }

    /// Forgets the names that nothing needs, once they may be a large part of the dictionary. The reader must then
    /// translate the numbers that it keeps. Only for the time between two frames.
    pub fn forget_absent(&mut self) -> Option<Renumbering> {
        let size = |names: &Names| names.len() + names.members();
        let spare = limits::SPARE_NAMES_MIN.max(self.needed / 2);
        let now = size(&self.names);
        if now <= self.needed.saturating_add(spare) {
            return None;
        }
        // Rebuilding costs as much for what stays as for what goes.
        let absent = self.state.absent(&self.names);
        if absent < spare / 2 {
            self.needed = now.saturating_sub(absent);
            return None;
        }
        let renumbering = self.state.forget_absent(&mut self.names);
        self.needed = size(&self.names);
        Some(renumbering)
    }

    /// Moves the place to the end of a frame that the reader took from elsewhere.
    pub(crate) fn move_to(&mut self, place: LogPosition) {
        self.place = place;
    }

    /// A view of the state.
    #[must_use]
    pub fn view(&self) -> StateView<'_> {
        StateView {
            state: &self.state,
            names: &self.names,
        }
    }
}

/// The state, and the dictionary that resolves its numbers.
#[derive(Clone, Copy)]
pub struct StateView<'a> {
    /// The state; only of the scope's channel, if the scope names one.
    pub state: &'a State,
    /// The dictionary.
    pub names: &'a Names,
}

impl StateView<'_> {
    /// The channel of an entry; `None` for a link or token entry that names none.
    #[must_use]
    pub fn channel_of(&self, entry: &Entry) -> Option<NameId> {
        channel_of(entry, self.names)
    }

    /// Whether an entry that names no channel is shown in this channel: whether its observer has reported on the
    /// channel.
    #[must_use]
    pub fn is_shown_in(&self, entry: &Entry, channel: Option<NameId>) -> bool {
        channel.is_some_and(|channel| self.state.is_channel_of(entry.observer, channel))
    }
}

pub(crate) fn channel_of(entry: &Entry, names: &NameTable) -> Option<NameId> {
    match &entry.payload {
        Payload::Change(change) => Some(names.key(change.member).channel),
        Payload::Snapshot(snapshot) => Some(snapshot.channel),
        Payload::Link(link) => link.channel,
        Payload::Token(token) => token.channel,
    }
}

/// A place between two frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LogPosition {
    /// The engine's position of the next frame.
    pub next: u64,
    /// The number of the last frame.
    pub frame: u64,
    /// The chain link after it.
    pub link: [u8; 32],
}

impl Default for LogPosition {
    fn default() -> Self {
        LogPosition {
            next: 1,
            frame: 0,
            link: [0; 32],
        }
    }
}

/// What the log records besides presence: how far sources were read, and how much was rejected.
#[derive(Debug, Default)]
pub(crate) struct Bookkeeping {
    pub sources: SourceOffsets,
    pub rejects: u64,
    /// Bytes of rejected lines that are kept.
    pub reject_bytes: u64,
}

impl Bookkeeping {
    pub fn count_reject(&mut self, reject: &Reject) {
        self.rejects += 1;
        self.reject_bytes += reject.text.as_ref().map_or(0, |text| text.len() as u64);
    }
}
