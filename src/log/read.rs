//! Reads frames from an engine, in order, from any place.

use super::engine::{Engine, JournalError, StoredValue, Values};
use super::frame::{self, FrameError, FrameHeader};

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
}

/// A frame in the log: its header is decoded, its payload is not.
#[derive(Debug)]
pub struct Frame {
    header: FrameHeader,
    values: Vec<StoredValue>,
    position: u64,
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
        self.position + self.values.len() as u64
    }

    /// Its header and its values.
    #[must_use]
    pub fn into_parts(self) -> (FrameHeader, Vec<StoredValue>) {
        (self.header, self.values)
    }
}

/// The frames between two positions.
pub struct Frames<'a> {
    engine: &'a dyn Engine,
    values: Values<'a>,
    /// The position of the next value.
    next: u64,
    end: u64,
}

/// Values that are rather read and dropped than jumped over: a jump looks its place up in the engine.
const JUMP_MIN: u64 = 8;

impl<'a> Frames<'a> {
    /// The frames from the one at `from` to the last one that begins before `end`.
    #[must_use]
    pub fn new(engine: &'a dyn Engine, from: u64, end: u64) -> Self {
        Frames {
            engine,
            values: engine.read(from),
            next: from,
            end,
        }
    }

    /// Whether a position is behind the last frame.
    #[must_use]
    pub fn ends_before(&self, position: u64) -> bool {
        position >= self.end
    }

    /// Goes on at the frame at a position, which is the next one or a later one.
    pub fn skip_to(&mut self, position: u64) {
        let is_near = position.saturating_sub(self.next) < JUMP_MIN;
        let mut between = self.next..position;
        if !is_near || !between.all(|_| matches!(self.values.next(), Some(Ok(_)))) {
            self.values = self.engine.read(position);
        }
        self.next = position;
    }

    /// The next frame.
    ///
    /// # Errors
    /// The engine failed, or the value there is damaged or not the beginning of a frame.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, ReadError> {
        let Some((position, first)) = self.values.next().transpose()? else {
            return Ok(None);
        };
        if position >= self.end {
            return Ok(None);
        }
        let header = frame::header(&first).map_err(|error| ReadError::Frame { position, error })?;
        let mut values = vec![first];
        while values.len() < header.parts as usize {
            match self.values.next().transpose()? {
                Some((_, value)) => values.push(value),
                None => {
                    let error = FrameError::Part {
                        frame: header.frame,
                        part: values.len() as u32,
                    };
                    return Err(ReadError::Frame { position, error });
                }
            }
        }
        self.next = position + values.len() as u64;
        Ok(Some(Frame {
            header,
            values,
            position,
        }))
    }
}

/// The header of the frame whose last value is just before `next`; `None` if there is no such frame.
///
/// # Errors
/// The engine failed.
pub fn header_ending_before(
    engine: &dyn Engine,
    next: u64,
) -> Result<Option<FrameHeader>, JournalError> {
    let Some(last) = next.checked_sub(1).filter(|&last| last > 0) else {
        return Ok(None);
    };
    let Some(bytes) = engine.get(last)? else {
        return Ok(None);
    };
    let Ok(value) = frame::value(&bytes) else {
        return Ok(None);
    };
    let first = last.saturating_sub(u64::from(value.part));
    if !value.is_last() || value.part == 0 {
        return Ok(frame::header(&bytes).ok().filter(|_| value.is_last()));
    }
    let first = engine.get(first)?;
    Ok(first
        .and_then(|first| frame::header(&first).ok())
        .filter(|header| header.frame == value.frame))
}

/// Removes the parts of an unfinished frame that a crash left at the end of the log.
///
/// # Errors
/// The engine failed.
pub fn drop_unfinished(engine: &dyn Engine) -> Result<(), JournalError> {
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

/// The position of the first frame that may hold the entry `seq` or a later one; `end` if no frame does.
///
/// # Errors
/// The engine failed, or a value on the way is damaged.
pub fn find_seq(engine: &dyn Engine, seq: u64, end: u64) -> Result<u64, ReadError> {
    let (mut low, mut high) = (engine.first(), end);
    while low < high {
        let middle = low + (high - low) / 2;
        let (position, header) = frame_around(engine, middle)?;
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

/// Finds the frame that contains the value at a position. Returns the frame's position and header.
fn frame_around(engine: &dyn Engine, at: u64) -> Result<(u64, FrameHeader), ReadError> {
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
