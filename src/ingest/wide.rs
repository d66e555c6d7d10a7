//! Converts UTF-16 with a byte-order mark to UTF-8 while reading; any other text passes unchanged. What the text
//! means is not looked at here.
//!
//! A lone surrogate becomes the three bytes that it would have as a character. They are not UTF-8, so the line with
//! them is rejected with that reason, and kept.

use std::io::{self, Read};

/// How many bytes are read at a time.
const PIECE_BYTES: usize = 64 << 10;

/// A text, in UTF-8.
pub(super) struct Utf8Text<R> {
    raw: R,
    form: Width,
}

enum Width {
    /// Nothing has been read yet.
    Unknown,
    /// Not UTF-16.
    Narrow,
    /// UTF-16.
    Wide(Box<Wide>),
}

impl<R: Read> Utf8Text<R> {
    pub(super) fn new(raw: R) -> Utf8Text<R> {
        let form = Width::Unknown;
        Utf8Text { raw, form }
    }

    /// Whether it is UTF-16; not known before the first read.
    pub(super) fn is_wide(&self) -> bool {
        matches!(self.form, Width::Wide(_))
    }

    /// Reads the first bytes, and recognises the encoding from them.
    fn first(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut read = 0;
        while read < 2 {
            let room = buffer.get_mut(read..).unwrap_or_default();
            match self.raw.read(room) {
                Ok(0) => break,
                Ok(more) => read += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The error comes again with the next read.
                Err(_) if read > 0 => break,
                Err(error) => return Err(error),
            }
        }
        let little = match buffer.get(..2) {
            Some([0xff, 0xfe]) if read >= 2 => true,
            Some([0xfe, 0xff]) if read >= 2 => false,
            _ => {
                self.form = Width::Narrow;
                return Ok(read);
            }
        };
        let mut wide = Box::new(Wide {
            little,
            ..Wide::default()
        });
        wide.units(buffer.get(2..read).unwrap_or_default());
        let given = wide.give(buffer);
        self.form = Width::Wide(wide);
        if given > 0 {
            Ok(given)
        } else {
            self.read(buffer)
        }
    }
}

impl<R: Read> Read for Utf8Text<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.form {
            Width::Narrow => self.raw.read(buffer),
            Width::Wide(wide) => wide.read(&mut self.raw, buffer),
            Width::Unknown if buffer.len() < 2 => Err(io::ErrorKind::InvalidInput.into()),
            Width::Unknown => self.first(buffer),
        }
    }
}

#[derive(Default)]
struct Wide {
    little: bool,
    /// The first byte of a unit whose second byte has not come yet.
    odd: Option<u8>,
    /// The first half of a pair whose second half has not come yet.
    high: Option<u16>,
    /// Converted text. The bytes from `given` on have not been returned yet.
    made: Vec<u8>,
    given: usize,
    piece: Vec<u8>,
    ended: bool,
}

impl Wide {
    fn read(&mut self, raw: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let given = self.give(buffer);
            if given > 0 || self.ended || buffer.is_empty() {
                return Ok(given);
            }
            let mut piece = std::mem::take(&mut self.piece);
            piece.resize(PIECE_BYTES, 0);
            let read = raw.read(&mut piece);
            if let Ok(read) = read {
                self.units(piece.get(..read).unwrap_or_default());
            }
            self.piece = piece;
            if read? == 0 {
                self.end()?;
            }
        }
    }

    fn units(&mut self, bytes: &[u8]) {
        let mut bytes = bytes.iter().copied();
        while let Some(first) = self.odd.take().or_else(|| bytes.next()) {
            let Some(second) = bytes.next() else {
                self.odd = Some(first);
                return;
            };
            let pair = [first, second];
            self.unit(if self.little {
                u16::from_le_bytes(pair)
            } else {
                u16::from_be_bytes(pair)
            });
        }
    }

    fn unit(&mut self, unit: u16) {
        if let Ok(ascii @ ..0x80) = u8::try_from(unit)
            && self.high.is_none()
        {
            self.made.push(ascii);
            return;
        }
        if let Some(high) = self.high.take() {
            if (0xdc00..0xe000).contains(&unit) {
                let pair = (u32::from(high) - 0xd800) << 10 | (u32::from(unit) - 0xdc00);
                self.character(0x10000 + pair);
                return;
            }
            self.character(u32::from(high));
        }
        if (0xd800..0xdc00).contains(&unit) {
            self.high = Some(unit);
        } else {
            self.character(u32::from(unit));
        }
    }

    /// Adds the UTF-8 of a character; a lone surrogate is encoded in the same way.
    fn character(&mut self, code: u32) {
        if let Some(character) = char::from_u32(code) {
            let mut utf8 = [0; 4];
            let utf8 = character.encode_utf8(&mut utf8).as_bytes();
            self.made.extend_from_slice(utf8);
        } else {
            let low = |bits: u32| u8::try_from(bits & 0x3f).unwrap_or_default() | 0x80;
            self.made.extend([0xed, low(code >> 6), low(code)]);
        }
    }

    /// Handles the end of the input.
    fn end(&mut self) -> io::Result<()> {
        if let Some(high) = self.high.take() {
            self.character(u32::from(high));
        }
        if self.odd.is_some() {
            // What was converted before it is returned first.
            if self.given == self.made.len() {
                let what = "it ends in the middle of a unit of two bytes";
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, what));
            }
        } else {
            self.ended = self.given == self.made.len();
        }
        Ok(())
    }

    fn give(&mut self, buffer: &mut [u8]) -> usize {
        let rest = self.made.get(self.given..).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        let (Some(into), Some(from)) = (buffer.get_mut(..length), rest.get(..length)) else {
            return 0;
        };
        into.copy_from_slice(from);
        self.given += length;
        if self.given == self.made.len() {
            self.made.clear();
            self.given = 0;
        }
        length
    }
}
