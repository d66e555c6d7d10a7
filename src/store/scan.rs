//! Reads the log: frames in order, folded by `apply` and shown to a visitor on the way.
//!
//! This is the only way to get state from the log: for the writer when it starts, for every query, for replay and for
//! verification.

use super::error::StoreError;
use super::state_cursor::{Bookkeeping, LogPosition, ScanScope, StateCursor, StateView};
use crate::domain::entry::{ConnectionEnd, Entry, Page, Rules};
use crate::domain::names::{Names, Renumbering};
use crate::domain::state::State;
use crate::domain::time::Millis;
use crate::log::engine::Engine;
use crate::log::frame::{Check, FrameHeader, channel_hash};
use crate::log::read::Frames;
use crate::log::{Record, Reject};

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
