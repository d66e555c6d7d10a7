//! The frames of a scope, in order, and their records. A reader pulls them: it can skip a frame by its header, and stop
//! at any record. What the records mean is the reader's business.

use super::cursor::{LogPosition, StateCursor};
use super::record::{ScopedCommit, ScopedRecord};
use super::scope::{ScanScope, ScanStart, ScopeEnd};
use crate::domain::entry::Entry;
use crate::domain::time::Millis;
use crate::limits::ROSTERS_AHEAD_BYTES_MIN;
use crate::log::block::{Block, Blocks};
use crate::log::frame::{
    Check, DecodedRecord, FrameError, FrameHeader, ReadScope, RosterStreams, channel_hash,
};
use crate::log::opened::{HAS_CORES, LogRecords, rosters};
use crate::log::read::{FrameBytes, Frames, Log, ReadError};
use crate::store::error::StoreError;
use crate::store::read::frame_index::{FrameIndex, IndexLearner, IndexedFrame};
use std::sync::Arc;

/// The frames of a scope.
pub struct ScopedFrames<'a> {
    frames: Frames<'a>,
    /// The hash of the only channel, if the scope names one.
    channel: Option<u64>,
    /// The only channel whose records are wanted: most others are not given.
    only: Option<Arc<str>>,
    end: ScopeEnd,
    check: Check,
    texts: bool,
    ahead: bool,
    /// The number of the last frame that was given or skipped.
    frame: u64,
    ended: bool,
    index: Option<&'a FrameIndex>,
    learner: Option<IndexLearner<'a>>,
}

impl<'a> ScopedFrames<'a> {
    /// The frames from the cursor's place up to, but not including, the engine's position `end`.
    pub(crate) fn new(log: &'a Log, cursor: &StateCursor, end: u64, scope: &ScanScope<'_>) -> Self {
        ScopedFrames {
            frames: log.frames(cursor.place.next, end),
            channel: scope.channel.map(channel_hash),
            only: scope.channel.map(Arc::from),
            end: ScopeEnd::of(scope),
            check: Check::Form,
            texts: !scope.textless,
            // Of most blocks a question about a moment reads a small part.
            ahead: !matches!(scope.start, ScanStart::InEffectAt(_)),
            frame: cursor.place.frame,
            ended: false,
            index: None,
            learner: None,
        }
    }

    /// The same, but frames that the index knows and that do not matter are not read.
    #[must_use]
    pub(crate) fn with_index(self, index: &'a FrameIndex) -> Self {
        ScopedFrames {
            index: Some(index),
            // A reader of all frames has no use for the index, and need not fill it.
            learner: self.channel.map(|_| IndexLearner::new(index)),
            ..self
        }
    }

    /// Whether so much is read that a second thread is worth while.
    pub(super) fn is_much(&self) -> bool {
        let (_, bytes) = self.frames.log().blocks().size();
        self.only.is_none() && bytes >= ROSTERS_AHEAD_BYTES_MIN && *HAS_CORES
    }

    /// The same, but each frame is checked as far as `check` says.
    #[must_use]
    pub fn with_check(self, check: Check) -> Self {
        ScopedFrames { check, ..self }
    }

    /// The next frame. The reader must read it to its end or skip it: otherwise the cursor stays before it, and no
    /// frame follows. Frames that cannot touch the scope's channel are skipped here.
    ///
    /// # Errors
    /// The log is damaged, or this frame does not continue the chain.
    pub fn next(
        &mut self,
        cursor: &mut StateCursor,
    ) -> Result<Option<ScopedFrame<'a>>, StoreError> {
        self.next_if(cursor, |_, _| true)
    }

    /// The same, but frames that the reader does not want are skipped. It is asked with the header, and the earliest moment
    /// in any entry that it would read.
    ///
    /// # Errors
    /// Those of [`next`](Self::next).
    pub fn next_if(
        &mut self,
        cursor: &mut StateCursor,
        wants: impl Fn(&FrameHeader, Millis) -> bool,
    ) -> Result<Option<ScopedFrame<'a>>, StoreError> {
        if self.ended || cursor.place.frame != self.frame {
            return Ok(None);
        }
        let channel = self.channel;
        // Few of the frames behind a moment speak of it, so that is asked first: a channel is found in a list.
        let wants = |header: &FrameHeader, back_to: Millis| {
            wants(header, back_to) && channel.is_none_or(|channel| header.may_touch(channel))
        };
        self.pass(cursor, &wants);
        while let Some(frame) = self
            .frames
            .next_frame()
            .map_err(|error| pruned(&error).unwrap_or_else(|| damaged(cursor, error.to_string())))?
        {
            let (position, next) = (frame.position(), frame.next());
            if !frame.continues(cursor.place.frame, &cursor.place.link) {
                let number = frame.header().frame;
                let detail = format!("frame {number} does not continue the chain");
                return Err(damaged(cursor, detail));
            }
            let back_to = frame.reaches_back_to(channel);
            let (header, bytes) = frame.into_parts();
            if self.end.is_before_frame(&header) {
                break;
            }
            self.frame = header.last_frame();
            if let Some(learner) = self.learner.as_mut().filter(|_| header.frames == 1) {
                learner.note(&header, position);
            }
            let wanted = wants(&header, back_to);
            let frame = ScopedFrame {
                position,
                behind: LogPosition {
                    next,
                    frame: header.last_frame(),
                    link: header.link_after,
                },
                header,
                bytes: Some(bytes),
                blocks: self.frames.log().blocks(),
                records: None,
                end: self.end,
                check: self.check,
                texts: self.texts,
                ahead: self.ahead,
                only: self.only.clone(),
                ended: false,
            };
            if wanted {
                return Ok(Some(frame));
            }
            frame.skip(cursor);
            self.pass(cursor, &wants);
        }
        self.ended = true;
        Ok(None)
    }

    /// Moves the cursor over blocks and frames that are not wanted, and whose headers are in memory.
    fn pass(&mut self, cursor: &mut StateCursor, wants: &impl Fn(&FrameHeader, Millis) -> bool) {
        if self.frames.is_sealed() {
            self.pass_blocks(cursor, wants);
        }
        let Some(index) = self.index.filter(|_| !self.frames.is_sealed()) else {
            return;
        };
        let (end, frames) = (self.end, &self.frames);
        index.pass(cursor.place.frame + 1, |known: &IndexedFrame| {
            let header = &known.header;
            let ends = frames.ends_before(known.position) || end.is_before_frame(header);
            let continues = header.link_before == cursor.place.link;
            let passes = !ends && continues && !wants(header, header.reaches_back_to);
            if passes {
                cursor.place = known.behind();
            }
            passes
        });
        self.skip_to(&cursor.place);
    }

    fn pass_blocks(
        &mut self,
        cursor: &mut StateCursor,
        wants: impl Fn(&FrameHeader, Millis) -> bool,
    ) {
        let Self {
            end,
            frames,
            channel,
            ..
        } = self;
        let mut place = cursor.place;
        frames
            .log()
            .blocks()
            .pass_from(place.next, |block: &Block| {
                let header = &block.header;
                let ends = frames.ends_before(block.position) || end.is_before_frame(header);
                let continues = block.position == place.next && header.link_before == place.link;
                let wanted = wants(header, block.reaches_back_to(*channel))
                    && channel.is_none_or(|channel| block.may_touch(channel));
                let passes = !ends && continues && !wanted;
                if passes {
                    place = LogPosition {
                        next: block.next(),
                        frame: header.last_frame(),
                        link: header.link_after,
                    };
                }
                passes
            });
        cursor.place = place;
        self.skip_to(&place);
    }

    fn skip_to(&mut self, place: &LogPosition) {
        if self.frame != place.frame {
            self.frame = place.frame;
            self.frames.skip_to(place.next);
        }
    }

    /// Applies all frames that are left, for readers that only want the state.
    ///
    /// # Errors
    /// The log is damaged.
    pub fn apply_rest(&mut self, cursor: &mut StateCursor) -> Result<(), StoreError> {
        while let Some(mut frame) = self.next(cursor)? {
            while let Some(record) = frame.next(cursor)? {
                cursor.apply(&record);
            }
            cursor.forget_absent();
        }
        Ok(())
    }
}

/// A frame of a scope.
pub struct ScopedFrame<'a> {
    header: FrameHeader,
    /// Until the first record is read.
    bytes: Option<FrameBytes>,
    blocks: &'a Arc<Blocks>,
    /// The engine's position of the first value.
    position: u64,
    /// The place after the frame.
    behind: LogPosition,
    records: Option<LogRecords>,
    end: ScopeEnd,
    check: Check,
    texts: bool,
    ahead: bool,
    /// The only channel of the reader's state; `None`: it is that of all channels.
    only: Option<Arc<str>>,
    ended: bool,
}

impl<'a> ScopedFrame<'a> {
    /// A block that readers do not see yet. Each of its records is checked against the chain.
    pub(in crate::store) fn of_block(log: &'a Log, block: Block) -> ScopedFrame<'a> {
        let header = block.header.clone();
        ScopedFrame {
            position: block.position,
            behind: LogPosition {
                next: block.next(),
                frame: header.last_frame(),
                link: header.link_after,
            },
            header,
            bytes: Some(FrameBytes::Block(Arc::new(block), 0)),
            blocks: log.blocks(),
            records: None,
            end: ScopeEnd::of(&ScanScope::default()),
            check: Check::Chain,
            texts: true,
            ahead: true,
            only: None,
            ended: false,
        }
    }

    /// The frame's header.
    #[must_use]
    pub fn header(&self) -> &FrameHeader {
        &self.header
    }

    /// Moves the cursor behind the frame without reading it.
    pub fn skip(self, cursor: &mut StateCursor) {
        cursor.place = self.behind;
    }

    /// Begins to read what the block means for rosters, and says which place is behind it; `None` if it is no block, or not all
    /// of it is in the scope.
    pub(super) fn rosters(
        &self,
        cursor: &StateCursor,
    ) -> Result<Option<(RosterStreams, LogPosition)>, StoreError> {
        match &self.bytes {
            Some(FrameBytes::Block(block, 0))
                if self.only.is_none() && self.end.is_behind_frame(&self.header) =>
            {
                let streams = rosters(self.blocks, block);
                let streams = streams.map_err(|error| unreadable(cursor, error))?;
                Ok(Some((streams, self.behind)))
            }
            _ => Ok(None),
        }
    }

    /// The next record of the scope. After the last one the cursor is moved behind the frame; but where the scope ends
    /// inside the frame, the cursor stays before it.
    ///
    /// # Errors
    /// The frame is damaged.
    pub fn next(
        &mut self,
        cursor: &mut StateCursor,
    ) -> Result<Option<ScopedRecord<'_>>, StoreError> {
        Ok(if self.step(cursor)? {
            self.current()
        } else {
            None
        })
    }

    /// Moves to the next record of the scope. Returns `false` after the last one.
    fn step(&mut self, cursor: &mut StateCursor) -> Result<bool, StoreError> {
        if self.ended || !self.advance(cursor)? {
            self.ended = true;
            return Ok(false);
        }
        // Nothing follows a commit in which the scope ends.
        if !self.end.is_open()
            && let Some(ScopedRecord::Commit(commit)) = self.current()
        {
            self.ended = !commit.is_whole();
        }
        Ok(true)
    }

    /// The next commit of the scope, for readers that look at entries alone. Records before it are applied; the commit
    /// is not.
    ///
    /// # Errors
    /// The frame is damaged.
    pub fn next_commit(
        &mut self,
        cursor: &mut StateCursor,
    ) -> Result<Option<ScopedCommit<'_>>, StoreError> {
        loop {
            if !self.step(cursor)? {
                return Ok(None);
            }
            match self.current() {
                Some(ScopedRecord::Commit(_)) => break,
                Some(record) => cursor.apply(&record),
                None => return Ok(None),
            }
        }
        Ok(match self.current() {
            Some(ScopedRecord::Commit(commit)) => Some(commit),
            _ => None,
        })
    }

    /// The record to which [`next`](Self::next) led.
    #[inline]
    fn current(&self) -> Option<ScopedRecord<'_>> {
        let record = self.records.as_ref().and_then(LogRecords::current)?;
        Some(ScopedRecord::of(record, &self.end))
    }

    /// An entry of the commit to which [`next_commit`](Self::next_commit) led, by its place among all entries of it.
    pub(super) fn entry(&self, at: usize) -> Option<&Entry> {
        match self.records.as_ref()?.current()? {
            DecodedRecord::Commit(_, entries) => entries.get(at),
            DecodedRecord::Other(..) => None,
        }
    }

    /// Decodes the next record of the scope. Returns `false` after the last one.
    fn advance(&mut self, cursor: &mut StateCursor) -> Result<bool, StoreError> {
        let (position, head) = (self.position, cursor.state.head());
        let corrupt = |error: FrameError| StoreError::Corrupt {
            seq: head,
            detail: format!("at position {position}: {error}"),
        };
        let records = match &mut self.records {
            Some(records) => records,
            none => {
                let Some(bytes) = self.bytes.take() else {
                    return Ok(false);
                };
                let scope = ReadScope {
                    check: self.check,
                    channel: self.only.as_deref(),
                    texts: self.texts,
                    ahead: self.ahead,
                };
                let opened = bytes.open(self.blocks, position, scope);
                none.insert(opened.map_err(|error| unreadable(cursor, error))?)
            }
        };
        while let Some(record) = records.next(&mut cursor.names).map_err(corrupt)? {
            if !self.end.leaves_out(record) {
                return Ok(true);
            }
        }
        cursor.place = self.behind;
        self.check_connected(cursor)?;
        Ok(false)
    }

    /// Checks that the header does not hide a connection: what opens the store relies on it.
    fn check_connected(&self, cursor: &StateCursor) -> Result<(), StoreError> {
        let checked = self.only.is_none() && self.check == Check::Chain;
        if checked && cursor.state.connected() > 0 && !self.header.connected {
            let detail = format!("frame {} hides that a connection is up", self.header.frame);
            return Err(damaged(cursor, detail));
        }
        Ok(())
    }
}

/// The error where what is read was pruned meanwhile.
fn pruned(error: &ReadError) -> Option<StoreError> {
    match error {
        ReadError::Pruned(base) => Some(StoreError::PastRetention {
            seq: base.seq,
            retained_from: base.retained_from(),
        }),
        _ => None,
    }
}

fn unreadable(cursor: &StateCursor, error: ReadError) -> StoreError {
    match error {
        ReadError::Journal(error) if !error.is_damage() => error.into(),
        error => pruned(&error).unwrap_or_else(|| damaged(cursor, error.to_string())),
    }
}

fn damaged(cursor: &StateCursor, detail: String) -> StoreError {
    StoreError::Corrupt {
        seq: cursor.state.head(),
        detail,
    }
}
