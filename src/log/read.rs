//! Reads the log in order, from any place: sealed blocks, and behind them the frames that the engine holds.

use super::block::{Block, Blocks};
use super::codec::base::BaseHeader;
use super::engine::{Engine, JournalError, StoredValue, Values};
use super::frame::{self, FrameError, FrameHeader};
use crate::domain::time::Millis;
use std::sync::Arc;

/// Why the next frame cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The engine failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A value is not part of a valid frame.
    #[error("at position {position}: {error}")]
    Frame {
        /// The value's position.
        position: u64,
        /// What is wrong with it.
        error: FrameError,
    },
    /// What is to be read was pruned.
    #[error("entries up to {} were pruned", .0.seq)]
    Pruned(Arc<BaseHeader>),
}

/// A log: what an engine holds, and the sealed blocks before it. Where a block and frames stand for the same positions,
/// the block counts.
pub struct Log {
    engine: Box<dyn Engine>,
    blocks: Arc<Blocks>,
}

impl Log {
    /// The log of an engine and blocks. Removes the parts of an unfinished frame that a crash left at its end, and the
    /// frames that are sealed or pruned.
    ///
    /// # Errors
    /// The engine failed, or something is missing between the base, the blocks and what the engine holds.
    pub fn open(engine: Box<dyn Engine>, blocks: Blocks) -> Result<Log, ReadError> {
        Log::open_as(engine, blocks, true)
    }

    /// The same for a log that is being repaired: it may end with the last block, or with the base.
    ///
    /// # Errors
    /// Those of [`open`](Log::open).
    pub(crate) fn open_to_continue(
        engine: Box<dyn Engine>,
        blocks: Blocks,
    ) -> Result<Log, ReadError> {
        Log::open_as(engine, blocks, false)
    }

    /// `ended`: it has the last frame, which is never sealed.
    fn open_as(engine: Box<dyn Engine>, blocks: Blocks, ended: bool) -> Result<Log, ReadError> {
        drop_unfinished(&*engine)?;
        let blocks = Arc::new(blocks);
        let log = Log { engine, blocks };
        let begin = log.blocks.begin();
        let first = log.blocks.first().unwrap_or_else(|| log.engine.first());
        if first > begin {
            let what = "it is missing, and what it says is nowhere else".to_owned();
            return Err(JournalError::Block {
                number: begin,
                what,
            }
            .into());
        }
        let (number, next, link) = match (log.blocks.last(), log.blocks.base()) {
            (Some(last), _) => (last.position, last.next(), last.header.link_after),
            (None, Some(base)) => (0, base.next, base.link),
            (None, None) => return Ok(log),
        };
        log.engine.trim(next)?;
        let position = log.engine.first();
        let missing = |what: &str| {
            let what = what.to_owned();
            match number {
                0 => JournalError::Base(what),
                number => JournalError::Block { number, what },
            }
        };
        if position != next {
            return Err(missing("entries behind it are missing").into());
        }
        let Some(first) = log.engine.get(position)? else {
            if !ended && log.engine.head() < position {
                return Ok(log);
            }
            return Err(missing("the frame behind it is missing").into());
        };
        // A damaged frame is found when it is read.
        match frame::header(&first) {
            Ok(header) if header.link_before != link => {
                Err(missing("the frames behind it are of another history").into())
            }
            _ => Ok(log),
        }
    }

    /// The engine.
    #[must_use]
    pub fn engine(&self) -> &dyn Engine {
        &*self.engine
    }

    /// The sealed blocks.
    #[must_use]
    pub fn blocks(&self) -> &Arc<Blocks> {
        &self.blocks
    }

    /// The frames from the one at `from` to the last one that begins before `end`.
    #[must_use]
    pub fn frames(&self, from: u64, end: u64) -> Frames<'_> {
        Frames {
            log: self,
            values: (from >= self.blocks.end()).then(|| self.engine.read(from)),
            next: from,
            end,
        }
    }

    /// The header of the frame or block that ends just before the position `next`; `None` if there is none.
    ///
    /// # Errors
    /// The engine failed.
    pub fn header_ending_before(&self, next: u64) -> Result<Option<FrameHeader>, JournalError> {
        let Some(last) = next.checked_sub(1).filter(|&last| last > 0) else {
            return Ok(None);
        };
        if let Some(block) = self.blocks.at(last) {
            return Ok((block.next() == next).then(|| block.header.clone()));
        }
        let Some(bytes) = self.engine.get(last)? else {
            return Ok(None);
        };
        let Ok(value) = frame::value(&bytes) else {
            return Ok(None);
        };
        let first = last.saturating_sub(u64::from(value.part));
        if !value.is_last() || value.part == 0 {
            return Ok(frame::header(&bytes).ok().filter(|_| value.is_last()));
        }
        let first = self.engine.get(first)?;
        Ok(first
            .and_then(|first| frame::header(&first).ok())
            .filter(|header| header.frame == value.frame))
    }

    /// The position of the first frame or block that may hold the entry `seq` or a later one; `end` if none does.
    ///
    /// # Errors
    /// The engine failed, or a value on the way is damaged.
    pub fn find_seq(&self, seq: u64, end: u64) -> Result<u64, ReadError> {
        if let Some(block) = self.blocks.with_seq(seq) {
            return Ok(block.position);
        }
        let (mut low, mut high) = (self.engine.first(), end);
        while low < high {
            let middle = low + (high - low) / 2;
            let (position, header) = self.frame_around(middle)?;
            // The `max` ensures progress: in a damaged log a frame may not reach as far as the part that was found.
            if header.first_seq.saturating_add(header.entries) <= seq {
                low = position
                    .saturating_add(u64::from(header.parts))
                    .max(middle + 1);
            } else {
                high = position.min(middle);
            }
        }
        Ok(low)
    }

    /// The error for a place before the log's begin.
    fn pruned(&self) -> ReadError {
        match self.blocks.base() {
            Some(base) => ReadError::Pruned(base),
            // A log is not pruned without a base.
            None => JournalError::Base("it is missing".to_owned()).into(),
        }
    }

    /// Finds the frame that contains the value at a position. Returns the frame's position and header.
    fn frame_around(&self, at: u64) -> Result<(u64, FrameHeader), ReadError> {
        let engine = &*self.engine;
        let get = |position: u64| -> Result<Vec<u8>, ReadError> {
            let missing = || JournalError::NotKept {
                position,
                first: engine.first(),
                head: engine.head(),
            };
            Ok(engine.get(position)?.ok_or_else(missing)?)
        };
        let bytes = get(at)?;
        let value = frame::value(&bytes).map_err(|error| ReadError::Frame {
            position: at,
            error,
        })?;
        let position = at.saturating_sub(u64::from(value.part));
        let first = if value.part == 0 {
            bytes
        } else {
            get(position)?
        };
        let header = frame::header(&first).map_err(|error| ReadError::Frame { position, error })?;
        Ok((position, header))
    }
}

/// Removes the parts of an unfinished frame that a crash left at the end of the log.
fn drop_unfinished(engine: &dyn Engine) -> Result<(), JournalError> {
    let head = engine.head();
    let Some(bytes) = engine.get(head)? else {
        return Ok(());
    };
    // A damaged value is not unfinished: reading will report it.
    let Ok(value) = frame::value(&bytes) else {
        return Ok(());
    };
    if value.is_last() {
        return Ok(());
    }
    engine.cut(head.saturating_sub(u64::from(value.part) + 1))
}

/// A frame in the log, or a sealed block: its header is decoded, its payload is not.
#[derive(Debug)]
pub struct Frame {
    header: FrameHeader,
    bytes: FrameBytes,
    position: u64,
}

/// Where the payload of a frame or block is.
#[derive(Debug)]
pub enum FrameBytes {
    /// In these values.
    Values(Vec<StoredValue>),
    /// In a block, of which so many values are passed over.
    Block(Arc<Block>, u64),
}

impl Frame {
    /// The frame's header.
    #[must_use]
    pub fn header(&self) -> &FrameHeader {
        &self.header
    }

    /// The engine's position of the frame's first value.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The engine's position after the frame.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.position.saturating_add(u64::from(self.header.parts))
    }

    /// Whether it comes after the frame with this number and chain link.
    #[must_use]
    pub fn continues(&self, frame: u64, link: &[u8; 32]) -> bool {
        let header = &self.header;
        match self.bytes {
            // The link there is not known.
            FrameBytes::Block(_, passed) if passed > 0 => {
                header.frame <= frame && frame < header.last_frame()
            }
            _ => header.frame == frame.saturating_add(1) && header.link_before == *link,
        }
    }

    /// The earliest moment in any entry that a reader of the channel with this hash, or of all channels, reads.
    #[must_use]
    pub fn reaches_back_to(&self, channel: Option<u64>) -> Millis {
        match &self.bytes {
            FrameBytes::Block(block, _) => block.reaches_back_to(channel),
            FrameBytes::Values(_) => self.header.reaches_back_to,
        }
    }

    /// Where its payload is.
    #[must_use]
    pub fn bytes(&self) -> &FrameBytes {
        &self.bytes
    }

    /// Its header, and where its payload is.
    #[must_use]
    pub fn into_parts(self) -> (FrameHeader, FrameBytes) {
        (self.header, self.bytes)
    }
}

/// The frames and blocks between two positions.
pub struct Frames<'a> {
    log: &'a Log,
    /// The engine's values from the next position on; `None` where that is in a block, and after a jump.
    values: Option<Values<'a>>,
    /// The position of the next value.
    next: u64,
    end: u64,
}

/// Values that are rather read and dropped than jumped over: a jump looks its place up in the engine.
const JUMP_MIN: u64 = 8;

impl<'a> Frames<'a> {
    /// The log.
    #[must_use]
    pub fn log(&self) -> &'a Log {
        self.log
    }

    /// Whether a position is behind the last frame.
    #[must_use]
    pub fn ends_before(&self, position: u64) -> bool {
        position >= self.end
    }

    /// Whether the next frame is in a block.
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        self.next < self.log.blocks.end()
    }

    /// Goes on at the frame at a position, which is the next one or a later one.
    pub fn skip_to(&mut self, position: u64) {
        let is_near = position.saturating_sub(self.next) < JUMP_MIN;
        let mut between = self.next..position;
        let passes = match &mut self.values {
            Some(values) if is_near => between.all(|_| matches!(values.next(), Some(Ok(_)))),
            _ => false,
        };
        if !passes {
            self.values = None;
        }
        self.next = position;
    }

    /// The next frame or block.
    ///
    /// # Errors
    /// The engine failed, or the value there is damaged or not the beginning of a frame.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, ReadError> {
        if self.next >= self.end {
            return Ok(None);
        }
        if let Some(block) = self.log.blocks.at(self.next) {
            return Ok(Some(self.block(block)));
        }
        match self.frame() {
            // What was read up to here may have been pruned since.
            _ if self.next < self.log.blocks.begin() => Err(self.log.pruned()),
            // Frames that were sealed since reading began may be gone.
            Err(_) | Ok(None) if self.is_sealed() => match self.log.blocks.at(self.next) {
                Some(block) => Ok(Some(self.block(block))),
                None => self.frame(),
            },
            read => read,
        }
    }

    fn block(&mut self, block: Arc<Block>) -> Frame {
        let passed = self.next - block.position;
        self.values = None;
        self.next = block.next();
        Frame {
            header: block.header.clone(),
            position: block.position,
            bytes: FrameBytes::Block(block, passed),
        }
    }

    /// The next frame that the engine holds.
    fn frame(&mut self) -> Result<Option<Frame>, ReadError> {
        let expected = self.next;
        let log = self.log;
        let values = self.values.get_or_insert_with(|| log.engine.read(expected));
        let Some((position, first)) = values.next().transpose()? else {
            return Ok(None);
        };
        if position != expected {
            let found = position;
            return Err(JournalError::Hole { expected, found }.into());
        }
        let header = frame::header(&first).map_err(|error| ReadError::Frame { position, error })?;
        let mut parts = vec![first];
        while parts.len() < header.parts as usize {
            match values.next().transpose()? {
                // Where values in between were trimmed meanwhile, the next one is another's.
                Some((at, value)) if at == position + parts.len() as u64 => parts.push(value),
                _ => {
                    let error = FrameError::Part {
                        frame: header.frame,
                        part: parts.len() as u32,
                    };
                    return Err(ReadError::Frame { position, error });
                }
            }
        }
        self.next = position + parts.len() as u64;
        Ok(Some(Frame {
            header,
            position,
            bytes: FrameBytes::Values(parts),
        }))
    }
}
