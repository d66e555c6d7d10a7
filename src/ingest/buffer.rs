//! What has been read of a text and not yet given, and how far that is. Where a line or a value ends is not known here.

use super::piece::HELD_BYTES_MAX;
use super::wide::Utf8Text;
use memchr::memchr_iter;
use std::io::{self, Read};

/// Read at a time.
pub(super) const BUFFER_BYTES: usize = 256 << 10;
/// What a pipe holds at most; a pipe that gives less has no more to give.
const PIPE_BYTES: usize = 64 << 10;

/// The one buffer that there is of a source.
pub(super) struct Buffer {
    reader: Utf8Text<Box<dyn Read + Send>>,
    /// `bytes[from..to]` has been read and not given.
    bytes: Vec<u8>,
    from: usize,
    to: usize,
    /// Why nothing more can be read, to be told behind the last line.
    pub(super) fault: Option<io::Error>,
    pub(super) ended: bool,
    /// There was less to read than there was room for: a live feed has nothing more to say at the moment.
    pub(super) drained: bool,
    /// The offset of what is held in the text, and the lines before it.
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

    /// What has been read and not given.
    pub(super) fn held(&self) -> &[u8] {
        self.bytes.get(self.from..self.to).unwrap_or_default()
    }

    /// The last bytes that were gone over, `length` of them, from `behind` bytes before the end of those.
    pub(super) fn gone(&self, behind: usize, length: usize) -> &[u8] {
        let start = self.from - behind;
        self.bytes.get(start..start + length).unwrap_or_default()
    }

    /// Whether it is UTF-16.
    pub(super) fn is_wide(&self) -> bool {
        self.reader.is_wide()
    }

    /// Reads more behind what is held, or learns that there is no more.
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

    /// Goes over bytes that are held.
    pub(super) fn pass(&mut self, bytes: usize) {
        self.from += bytes;
        self.offset += bytes as u64;
    }

    /// Goes over bytes that are held, and the lines that end there.
    pub(super) fn pass_lines(&mut self, bytes: usize) {
        let gone = self.bytes.get(self.from..self.from + bytes);
        self.lines += memchr_iter(b'\n', gone.unwrap_or_default()).count() as u64;
        self.pass(bytes);
    }

    /// Reads no more, and gives none of what is held.
    pub(super) fn give_up(&mut self) {
        (self.from, self.ended) = (self.to, true);
    }
}
