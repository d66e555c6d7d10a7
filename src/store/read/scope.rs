//! Which part of the log to read. Reading it is in `frames`.

use crate::domain::entry::Entry;
use crate::domain::time::Millis;
use crate::log::Record;
use crate::log::frame::{DecodedRecord, FrameHeader};

/// Where to begin reading. Reading begins earlier if only an earlier state is stored, in a checkpoint or a block.
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
    /// Whether the state also remembers members that have left. Only to decide events.
    pub departed: bool,
    /// Whether the texts of entries are left out, for readers that do not look at them: metadata, ids and reasons.
    pub textless: bool,
}

/// Where a scope ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct ScopeEnd {
    last: Option<u64>,
    known_at: Option<Millis>,
}

impl ScopeEnd {
    pub fn of(scope: &ScanScope<'_>) -> ScopeEnd {
        ScopeEnd {
            last: scope.last,
            known_at: scope.known_at,
        }
    }

    /// Whether it is the end of the log.
    pub fn is_open(&self) -> bool {
        self.last.is_none() && self.known_at.is_none()
    }

    /// Whether an entry with this number, recorded at this time, comes after the end.
    pub fn is_before(&self, seq: u64, recorded_at: Millis) -> bool {
        self.last.is_some_and(|last| seq > last)
            || self.known_at.is_some_and(|known_at| recorded_at > known_at)
    }

    /// Whether a whole frame comes after the end. Where pages stand before its first entry, they may have been recorded earlier.
    pub fn is_before_frame(&self, header: &FrameHeader) -> bool {
        let (first, recorded_at) = (header.first_seq, header.recorded_at.0);
        let late = match header.pages {
            0 => self.is_before(first, recorded_at),
            _ => self.last.is_some_and(|last| first > last),
        };
        header.entries > 0 && late
    }

    /// Whether all records of a frame come before the end. When its pages were recorded is not known.
    pub fn is_behind_frame(&self, header: &FrameHeader) -> bool {
        let end = header.first_seq.saturating_add(header.entries);
        let last = end.saturating_sub(1);
        self.is_open() || header.pages == 0 && !self.is_before(last, header.recorded_at.1)
    }

    /// The entries that come before the end.
    #[inline]
    pub fn cut<'a>(&self, entries: &'a [Entry]) -> &'a [Entry] {
        if self.is_open() {
            return entries;
        }
        let late = |entry: &Entry| self.is_before(entry.seq, entry.recorded_at);
        let count = entries.iter().position(late).unwrap_or(entries.len());
        entries.get(..count).unwrap_or(entries)
    }

    /// Whether a record is left out. One without entries of its own belongs to the next entry.
    #[inline]
    pub fn leaves_out(&self, record: DecodedRecord<'_>) -> bool {
        let (recorded_at, next_seq) = match record {
            DecodedRecord::Other(Record::Page { page, .. }, next) => (page.recorded_at, next),
            DecodedRecord::Other(Record::Closed(closed), next) => (closed.recorded_at, next),
            // A commit is cut; the others have no place among the entries.
            DecodedRecord::Commit(..) | DecodedRecord::Other(..) => return false,
        };
        self.is_before(next_seq, recorded_at)
    }
}
