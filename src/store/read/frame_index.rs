//! Headers of the last frames of the log, in memory: a query passes over frames that cannot matter to it without
//! reading them. The committer adds what it appends, and queries for a channel add what they read on their way. A frame
//! that is not here is read from the log.
//!
//! **Invariant:** the frames are consecutive, and each was read or written by this process.

use super::LogPosition;
use crate::limits;
use crate::log::frame::{Channels, FrameHeader};
use std::collections::VecDeque;
use std::sync::{PoisonError, RwLock};

/// A frame's header, and where the frame begins.
#[derive(Debug, Clone)]
pub(crate) struct IndexedFrame {
    pub header: FrameHeader,
    /// The engine's position of its first value.
    pub position: u64,
}

impl IndexedFrame {
    /// The place after the frame.
    pub fn behind(&self) -> LogPosition {
        LogPosition {
            next: self.position.saturating_add(u64::from(self.header.parts)),
            frame: self.header.frame,
            link: self.header.link_after,
        }
    }

    fn bytes(&self) -> usize {
        let channels = match &self.header.channels {
            Channels::Any => 0,
            Channels::These(these) => size_of_val(these.as_slice()),
        };
        size_of::<IndexedFrame>() + channels
    }
}

/// Consecutive frames. The oldest go when they need too much memory.
#[derive(Debug, Default)]
struct FrameRun {
    frames: VecDeque<IndexedFrame>,
    bytes: usize,
}

impl FrameRun {
    fn first(&self) -> Option<u64> {
        self.frames.front().map(|frame| frame.header.frame)
    }

    fn last(&self) -> Option<u64> {
        self.frames.back().map(|frame| frame.header.frame)
    }

    fn push(&mut self, frame: IndexedFrame) {
        let continues = |last| last == frame.header.frame.saturating_sub(1);
        if !self.last().is_none_or(continues) {
            *self = FrameRun::default();
        }
        self.bytes += frame.bytes();
        self.frames.push_back(frame);
        while self.bytes > limits::FRAME_INDEX_BYTES_MAX
            && let Some(oldest) = self.frames.pop_front()
        {
            self.bytes -= oldest.bytes();
        }
    }

    fn get(&self, frame: u64) -> Option<&IndexedFrame> {
        let at = usize::try_from(frame.checked_sub(self.first()?)?).ok()?;
        self.frames.get(at)
    }
}

/// The index, shared by the committer and all queries.
#[derive(Debug, Default)]
pub(crate) struct FrameIndex {
    known: RwLock<FrameRun>,
}

/// Frames that a query passes while it holds the lock: the committer must not wait for long.
const PASSED_AT_ONCE: usize = 1_024;

impl FrameIndex {
    /// Adds frames that were appended to the log.
    pub fn push(&self, frames: impl IntoIterator<Item = IndexedFrame>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        frames.into_iter().for_each(|frame| known.push(frame));
    }

    /// Gives `passes` the known frames in order, the one with the number `frame` first, until it returns `false`.
    pub fn pass(&self, mut frame: u64, mut passes: impl FnMut(&IndexedFrame) -> bool) {
        loop {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            for _ in 0..PASSED_AT_ONCE {
                match known.get(frame) {
                    Some(known) if passes(known) => frame += 1,
                    _ => return,
                }
            }
        }
    }

    fn knows(&self, frame: u64) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(frame).is_some()
    }

    /// Adds consecutive frames that were read, if they touch those that are known.
    fn join(&self, run: FrameRun) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let (Some(first), Some(last)) = (run.first(), run.last()) else {
            return;
        };
        let (known_first, known_last) = match (known.first(), known.last()) {
            (Some(first), Some(last)) => (first, last),
            _ => (last.saturating_add(1), last),
        };
        if last.saturating_add(1) == known_first {
            let newer = std::mem::replace(&mut *known, run);
            newer.frames.into_iter().for_each(|frame| known.push(frame));
        } else if first <= known_last.saturating_add(1) {
            let newer = run.frames.into_iter();
            let newer = newer.filter(|frame| frame.header.frame > known_last);
            newer.for_each(|frame| known.push(frame));
        }
    }
}

/// Notes the frames that one query reads, and adds them to the index when it ends, or meets what is known.
pub(crate) struct IndexLearner<'a> {
    index: &'a FrameIndex,
    run: FrameRun,
}

impl<'a> IndexLearner<'a> {
    pub fn new(index: &'a FrameIndex) -> IndexLearner<'a> {
        IndexLearner {
            index,
            run: FrameRun::default(),
        }
    }

    pub fn note(&mut self, header: &FrameHeader, position: u64) {
        let header = header.clone();
        let number = header.frame;
        self.run.push(IndexedFrame { header, position });
        if self.index.knows(number.saturating_add(1)) {
            self.index.join(std::mem::take(&mut self.run));
        }
    }
}

impl Drop for IndexLearner<'_> {
    fn drop(&mut self) {
        self.index.join(std::mem::take(&mut self.run));
    }
}
