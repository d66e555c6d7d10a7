//! What a source returns: a line or a value with its position; and what is kept if it is too long to hold.

use crate::limits::{LINE_BYTES_MAX, REJECT_TEXT_BYTES_MAX};
use crate::store::LongLine;

/// The longest line, with its `\r\n`.
pub(super) const HELD_BYTES_MAX: usize = LINE_BYTES_MAX + 2;

/// One line, or one value of a text that is read value by value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceLine<'s> {
    /// The number of the line, from 1; for a value, of the line in which it begins.
    pub number: u64,
    /// The offset at which it starts.
    pub start: u64,
    /// The offset after it and its newline.
    pub end: u64,
    /// Whether a newline ended the line, or a value its own end. Only the last may lack it: it may still be being
    /// written.
    pub terminated: bool,
    /// The lines that end before `end`.
    pub lines: u64,
    /// Its text.
    pub text: LineText<'s>,
}

/// The text of a line, without `\n` or `\r\n`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineText<'s> {
    /// The whole text; it may be blank.
    Whole(&'s [u8]),
    /// It is longer than [`LINE_BYTES_MAX`].
    TooLong {
        /// Its first [`REJECT_TEXT_BYTES_MAX`] bytes.
        head: &'s [u8],
        /// Its length in bytes.
        length: u64,
        /// BLAKE3 of all of it.
        blake3: [u8; 32],
    },
}

impl<'s> LineText<'s> {
    /// The text of a line that is held whole, however long it is.
    #[must_use]
    pub fn of(text: &'s [u8]) -> LineText<'s> {
        if text.len() <= LINE_BYTES_MAX {
            return LineText::Whole(text);
        }
        LineText::TooLong {
            head: text.get(..REJECT_TEXT_BYTES_MAX).unwrap_or_default(),
            length: text.len() as u64,
            blake3: *blake3::hash(text).as_bytes(),
        }
    }

    /// What there is of the text, and what is known of the rest of a line that is too long.
    pub(super) fn parts(self) -> (&'s [u8], Option<LongLine>) {
        match self {
            LineText::Whole(text) => (text, None),
            LineText::TooLong {
                head,
                length,
                blake3,
            } => (head, Some(LongLine { length, blake3 })),
        }
    }
}

/// What is kept of a line that is too long. A `\r` counts only if something follows it: the
/// last one belongs to the end of the line.
#[derive(Default)]
pub(super) struct Digest {
    pub(super) hasher: blake3::Hasher,
    pub(super) head: Vec<u8>,
    pub(super) length: u64,
    held_back: bool,
}

impl Digest {
    pub(super) fn add(&mut self, piece: &[u8]) {
        if piece.is_empty() {
            return;
        }
        if self.held_back {
            self.count(b"\r");
        }
        let text = piece.strip_suffix(b"\r");
        self.held_back = text.is_some();
        self.count(text.unwrap_or(piece));
    }

    fn count(&mut self, text: &[u8]) {
        self.hasher.update(text);
        self.length += text.len() as u64;
        let room = REJECT_TEXT_BYTES_MAX - self.head.len();
        self.head
            .extend_from_slice(text.get(..room).unwrap_or(text));
    }
}
