//! A place in the log and the state there, and which part of the log to read. Reading itself is in `scan`; where a state
//! is found without reading all of the log, in `checkpoint`.

use crate::domain::entry::{Entry, Payload};
use crate::domain::names::{NameId, Names, Renumbering};
use crate::domain::state::State;
use crate::domain::time::Millis;
use crate::limits;
use crate::log::{Progress, Reject};

/// The state that the log gives, and how far the log was read.
#[derive(Debug, Default)]
pub struct StateCursor {
    /// The state.
    pub state: State,
    /// The dictionary that resolves the state's numbers.
    pub names: Names,
    pub(crate) bookkeeping: Bookkeeping,
    pub(crate) place: LogPosition,
    /// The number of names and members at the last check that found none too many.
    pub(crate) needed: usize,
}

impl StateCursor {
    /// Forgets the names that nothing needs, once they may be a large part of the dictionary.
    pub(crate) fn forget_absent(&mut self) -> Option<Renumbering> {
        let size = |names: &Names| names.len() + names.members();
        let spare = limits::SPARE_NAMES_MIN.max(self.needed / 2);
        if size(&self.names) <= self.needed.saturating_add(spare) {
            return None;
        }
        let renumbering = self.state.forget_absent(&mut self.names);
        self.needed = size(&self.names);
        Some(renumbering)
    }

    /// A view of the state that was read.
    #[must_use]
    pub fn at(&self) -> StateView<'_> {
        StateView {
            state: &self.state,
            names: &self.names,
        }
    }
}

/// The state just before the visited entry.
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

pub(crate) fn channel_of(entry: &Entry, names: &Names) -> Option<NameId> {
    match &entry.payload {
        Payload::Change(change) => Some(names.key(change.member).channel),
        Payload::Snapshot(snapshot) => Some(snapshot.channel),
        Payload::Link(link) => link.channel,
        Payload::Token(token) => token.channel,
    }
}

/// Where to begin reading. Reading begins earlier if only an earlier checkpoint is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ScanStart {
    /// At the first entry.
    #[default]
    First,
    /// After this entry.
    Behind(u64),
    /// At the frame with this entry, without state: for readers that need none.
    Seq(u64),
    /// At a point where no entry with a later effective time has been applied to the channel (needs a channel).
    InEffectAt(Millis),
}

/// The part of the log to read.
#[derive(Debug, Clone, Copy, Default)]
pub struct ScanScope<'a> {
    /// Frames that do not touch this channel are skipped.
    pub channel: Option<&'a str>,
    /// Where to begin.
    pub start: ScanStart,
    /// The last entry to read.
    pub last: Option<u64>,
    /// Only what was recorded at or before this time, Unix ms.
    pub known_at: Option<Millis>,
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
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Bookkeeping {
    /// The latest source is last.
    pub sources: Vec<Progress>,
    pub rejects: u64,
    /// Bytes of rejected lines that are kept.
    pub reject_bytes: u64,
}

impl Bookkeeping {
    pub fn count_reject(&mut self, reject: &Reject) {
        self.rejects += 1;
        self.reject_bytes += reject.text.as_ref().map_or(0, |text| text.len() as u64);
    }

    pub fn note_progress(&mut self, progress: Progress) {
        self.sources.retain(|known| known.source != progress.source);
        // There are thousands of short-lived feeds: they must not push out a file's progress.
        let of_kind = |known: &&Progress| known.is_of_feed() == progress.is_of_feed();
        if self.sources.iter().filter(of_kind).count() >= limits::SOURCES_MAX {
            let oldest = self.sources.iter().position(|known| of_kind(&known));
            oldest.map(|oldest| self.sources.remove(oldest));
        }
        self.sources.push(progress);
    }
}
