//! UTF-16 with a byte-order mark -> UTF-8, as it is read; any other text goes through as it is. What the text means is
//! not looked at here.
//!
//! Half a pair alone becomes the three bytes that it would have if it were a character: no UTF-8, so that the line with
//! it is rejected by name, and kept.

use std::io::{self, Read};

/// Read at a time.
const PIECE_BYTES: usize = 64 << 10;

/// A text, in UTF-8.
pub(super) struct Utf8Text<R> {
    raw: R,
    form: Width,
}

enum Width {
    /// Nothing has been read.
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

    /// Whether it is UTF-16; not known before something has been read.
    pub(super) fn is_wide(&self) -> bool {
        matches!(self.form, Width::Wide(_))
    }

    /// Reads the first bytes, and learns by them what it is.
    fn first(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut read = 0;
        while read < 2 {
            let room = buffer.get_mut(read..).unwrap_or_default();
            match self.raw.read(room) {
                Ok(0) => break,
                Ok(more) => read += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // It fails again when it is asked again.
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
    /// The first byte of a unit whose second has not come.
    odd: Option<u8>,
    /// The first half of a pair whose second has not come.
    high: Option<u16>,
    /// What has been made and not yet given: from `given` on.
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

    /// The UTF-8 of a character, or what would be that of half a pair.
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

    /// Nothing follows.
    fn end(&mut self) -> io::Result<()> {
        if let Some(high) = self.high.take() {
            self.character(u32::from(high));
        }
        if self.odd.is_some() {
            // What was made before it is given first.
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
