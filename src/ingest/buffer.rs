//! The bytes of a text that were read but not returned, and their position. It does not know where a line or value
//! ends.

use super::piece::HELD_BYTES_MAX;
use super::wide::Utf8Text;
use memchr::memchr_iter;
use std::io::{self, Read};

/// How many bytes are read at a time.
pub(super) const BUFFER_BYTES: usize = 256 << 10;
/// The maximum that a pipe holds. A pipe that returns less is empty.
const PIPE_BYTES: usize = 64 << 10;

/// The only buffer of a source.
pub(super) struct Buffer {
    reader: Utf8Text<Box<dyn Read + Send>>,
    /// `bytes[from..to]` has been read, but not returned.
    bytes: Vec<u8>,
    from: usize,
    to: usize,
    /// Why nothing more can be read; reported after the last line.
    pub(super) fault: Option<io::Error>,
    pub(super) ended: bool,
    /// The last read returned less than a full pipe: a live feed has nothing more to send at the moment.
    pub(super) drained: bool,
    /// The offset of the held bytes in the text, and the number of lines before them.
    pub(super) offset: u64,
    pub(super) lines: u64,
}

impl Buffer {
    pub(super) fn new(reader: Box<dyn Read + Send>) -> Buffer {
        Buffer {
            reader: Utf8Text::new(reader),
            bytes: vec![0; BUFFER_BYTES],
            from: 0,
            to: 0,
            fault: None,
            ended: false,
            drained: false,
            offset: 0,
            lines: 0,
        }
    }

    /// The bytes that were read, but not returned.
    pub(super) fn held(&self) -> &[u8] {
        self.bytes.get(self.from..self.to).unwrap_or_default()
    }

    /// `length` bytes of those already passed, starting `behind` bytes before the front.
    pub(super) fn gone(&self, behind: usize, length: usize) -> &[u8] {
        let start = self.from - behind;
        self.bytes.get(start..start + length).unwrap_or_default()
    }

    /// Whether it is UTF-16.
    pub(super) fn is_wide(&self) -> bool {
        self.reader.is_wide()
    }

    /// Reads more bytes behind the held ones, or finds that there are no more.
    pub(super) fn fill(&mut self) {
        if self.from == self.to {
            (self.from, self.to) = (0, 0);
        }
        if self.to == self.bytes.len() {
            if self.from > 0 {
                self.bytes.copy_within(self.from..self.to, 0);
                (self.from, self.to) = (0, self.to - self.from);
            } else {
                let more = (self.bytes.len() * 2).min(HELD_BYTES_MAX);
                self.bytes.resize(more, 0);
            }
        }
        let room = self.bytes.get_mut(self.to..).unwrap_or_default();
        match self.reader.read(room) {
            Ok(0) => self.ended = true,
            Ok(read) => {
                self.to += read;
                self.drained = read < PIPE_BYTES;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                self.ended = true;
                self.fault = Some(error);
            }
        }
    }

    /// Passes over held bytes.
    pub(super) fn pass(&mut self, bytes: usize) {
        self.from += bytes;
        self.offset += bytes as u64;
    }

    /// Passes over held bytes, and counts the lines that end in them.
    pub(super) fn pass_lines(&mut self, bytes: usize) {
        let gone = self.bytes.get(self.from..self.from + bytes);
        self.lines += memchr_iter(b'\n', gone.unwrap_or_default()).count() as u64;
        self.pass(bytes);
    }

    /// Ends the reading, and discards the held bytes.
    pub(super) fn give_up(&mut self) {
        (self.from, self.ended) = (self.to, true);
    }
}
