//! Reads the log: frames in order, folded by `apply` and shown to a visitor on the way.
//!
//! This is the only way to get state from the log: for the writer when it starts, for every query, for replay and for
//! verification.

use super::checkpoint::{self, Bookkeeping, LogPosition};
use super::error::StoreError;
use crate::domain::entry::{ConnectionEnd, Entry, Page, Payload, Rules};
use crate::domain::names::{NameId, Names, Renumbering};
use crate::domain::state::State;
use crate::domain::time::Millis;
use crate::limits;
use crate::log::engine::Engine;
use crate::log::frame::{Check, FrameHeader, channel_hash};
use crate::log::read::Frames;
use crate::log::{Record, Reject};

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

/// What to do after a visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScanFlow {
    /// Apply it, and go on.
    Apply,
    /// Leave the state as it is, and go on.
    Skip,
    /// Leave the state as it is, and stop.
    Stop,
}

/// Visits records while the log is read. By default a visitor lets everything be applied.
pub trait Visitor {
    /// Whether a frame is of interest. If not, it is not even decoded.
    fn wants(&mut self, header: &FrameHeader) -> bool {
        let _ = header;
        true
    }

    /// Whether to read on after a frame.
    fn goes_on(&self) -> bool {
        true
    }

    /// Whether names that nothing needs may be forgotten after a frame. The visitor must then translate the numbers
    /// it keeps.
    fn renumbers(&self) -> bool {
        false
    }

    /// Names were forgotten, and the numbers of the other names have changed.
    fn renumbered(&mut self, renumbering: &Renumbering) {
        let _ = renumbering;
    }

    /// How much of a frame is checked as it is read.
    fn check(&self) -> Check {
        Check::Form
    }

    /// A commit before its entries are visited, with the state before it.
    ///
    /// # Errors
    /// Any error ends the scan.
    fn commit(
        &mut self,
        state: &State,
        names: &mut Names,
        rules: &Rules,
        entries: &[Entry],
    ) -> Result<(), StoreError> {
        let _ = (state, names, rules, entries);
        Ok(())
    }

    /// An entry.
    ///
    /// # Errors
    /// Any error ends the scan.
    fn entry(&mut self, at: StateView<'_>, entry: &Entry) -> Result<ScanFlow, StoreError> {
        let _ = (at, entry);
        Ok(ScanFlow::Apply)
    }

    /// A commit after its entries were visited; `at` is the state after them.
    ///
    /// # Errors
    /// Any error ends the scan.
    fn committed(&mut self, at: StateView<'_>, entries: &[Entry]) -> Result<(), StoreError> {
        let _ = (at, entries);
        Ok(())
    }

    /// A step of a paged snapshot, with the state before it.
    ///
    /// # Errors
    /// Any error ends the scan.
    fn page(
        &mut self,
        at: StateView<'_>,
        rules: &Rules,
        page: &Page,
    ) -> Result<ScanFlow, StoreError> {
        let _ = (at, rules, page);
        Ok(ScanFlow::Apply)
    }

    /// A connection that was closed normally.
    ///
    /// # Errors
    /// Any error ends the scan.
    fn closed(&mut self, at: StateView<'_>, closed: &ConnectionEnd) -> Result<(), StoreError> {
        let _ = (at, closed);
        Ok(())
    }

    /// A rejected line.
    fn reject(&mut self, reject: &Reject) -> ScanFlow {
        let _ = reject;
        ScanFlow::Apply
    }

    /// A rejected line, by its ordinal from 1, was accepted by a later retry.
    fn settled(&mut self, reject: u64) {
        let _ = reject;
    }
}

/// Visits nothing.
pub(crate) struct NoVisitor;

impl Visitor for NoVisitor {
    fn renumbers(&self) -> bool {
        true
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

/// Reads on from `fold` up to, but not including, the engine's position `end`.
pub(crate) fn advance(
    engine: &dyn Engine,
    fold: &mut StateCursor,
    end: u64,
    scope: &ScanScope<'_>,
    visitor: &mut dyn Visitor,
) -> Result<(), StoreError> {
    let channel = scope.channel.map(channel_hash);
    let mut frames = Frames::new(engine, fold.place.next, end);
    while let Some(frame) = frames.next_frame().map_err(|error| damaged(fold, &error))? {
        let header = frame.header();
        if header.frame != fold.place.frame + 1 || header.link_before != fold.place.link {
            let detail = format!("frame {} does not continue the chain", header.frame);
            return Err(StoreError::Corrupt {
                seq: fold.state.head(),
                detail,
            });
        }
        let too_late = scope
            .known_at
            .is_some_and(|known_at| header.recorded_at.0 > known_at)
            || scope.last.is_some_and(|last| header.first_seq > last);
        if too_late && header.entries > 0 {
            break;
        }
        let touches = channel.is_none_or(|channel| header.may_touch(channel));
        if touches && visitor.wants(header) {
            let StateCursor {
                state,
                names,
                bookkeeping,
                ..
            } = &mut *fold;
            let mut stopped = false;
            let read = frame.read(names, visitor.check(), |names, record| {
                let go_on = take(state, names, bookkeeping, record, scope, visitor)?;
                stopped = !go_on;
                Ok(go_on)
            });
            match read {
                Err(StoreError::Frame(error)) => {
                    let detail = format!("at position {}: {error}", frame.position());
                    return Err(StoreError::Corrupt {
                        seq: fold.state.head(),
                        detail,
                    });
                }
                other => other?,
            }
            if stopped {
                return Ok(());
            }
        }
        let header = frame.header();
        fold.place = LogPosition {
            next: frame.next(),
            frame: header.frame,
            link: header.link_after,
        };
        let verifies = scope.channel.is_none() && visitor.check() == Check::Chain;
        if verifies && fold.state.connected() > 0 && !header.connected {
            let detail = format!("frame {} hides that a connection is up", header.frame);
            return Err(StoreError::Corrupt {
                seq: fold.state.head(),
                detail,
            });
        }
        if visitor.renumbers()
            && let Some(renumbering) = fold.forget_absent()
        {
            visitor.renumbered(&renumbering);
        }
        if !visitor.goes_on() {
            break;
        }
    }
    Ok(())
}

fn damaged(fold: &StateCursor, error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Corrupt {
        seq: fold.state.head(),
        detail: error.to_string(),
    }
}

/// Applies one record. Returns `false` when reading must stop.
fn take(
    state: &mut State,
    names: &mut Names,
    bookkeeping: &mut Bookkeeping,
    record: &Record,
    scope: &ScanScope<'_>,
    visitor: &mut dyn Visitor,
) -> Result<bool, StoreError> {
    // A record without entries belongs to the entry before it.
    let before = |recorded_at: Millis, state: &State| {
        scope
            .known_at
            .is_none_or(|known_at| recorded_at <= known_at)
            && scope.last.is_none_or(|last| state.head() < last)
    };
    match record {
        Record::Commit { rules, entries } => {
            let within = |entry: &Entry| {
                scope.last.is_none_or(|last| entry.seq <= last)
                    && scope
                        .known_at
                        .is_none_or(|known_at| entry.recorded_at <= known_at)
            };
            visitor.commit(state, names, rules, entries)?;
            for entry in entries {
                if !within(entry) {
                    return Ok(false);
                }
                match visitor.entry(StateView { state, names }, entry)? {
                    ScanFlow::Apply => state.apply(entry, names),
                    ScanFlow::Skip => {}
                    ScanFlow::Stop => return Ok(false),
                }
            }
            visitor.committed(StateView { state, names }, entries)?;
        }
        Record::Page { rules, page } => {
            if before(page.recorded_at, state)
                && visitor.page(StateView { state, names }, rules, page)? == ScanFlow::Apply
            {
                state.apply_page(page);
            }
        }
        Record::Closed(closed) => {
            if before(closed.recorded_at, state) {
                visitor.closed(StateView { state, names }, closed)?;
                state.apply_closed(closed);
            }
        }
        Record::Reject(reject) => {
            if visitor.reject(reject) == ScanFlow::Stop {
                return Ok(false);
            }
            bookkeeping.count_reject(reject);
        }
        Record::Settled(reject) => visitor.settled(*reject),
        Record::Progress(progress) => bookkeeping.note_progress(progress.clone()),
    }
    Ok(true)
}

/// The cursor at the last checkpoint at which `scope` may begin.
pub(crate) fn start(
    engine: &dyn Engine,
    end: u64,
    scope: &ScanScope<'_>,
) -> Result<StateCursor, StoreError> {
    checkpoint::load(engine, end, scope)
}
