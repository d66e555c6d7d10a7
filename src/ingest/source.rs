//! Lines from files and standard input: plain, gzip (of any number of members) or zstd (of any number of frames),
//! recognised by their first bytes, whatever the name says. What a line says is not looked at here.
//!
//! All offsets are in the text, after decompression. A line is borrowed from the one buffer there is: nothing is copied,
//! and nothing allocated per line.

use crate::limits::{LINE_BYTES_MAX, REJECT_TEXT_BYTES_MAX};
use memchr::memchr;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::Path;

/// The start of a text by which a file is known again.
const FINGERPRINT_BYTES: usize = 64 << 10;
/// Read at a time.
const BUFFER_BYTES: usize = 256 << 10;
/// What a pipe holds at most; whoever gives less at once has no more to give.
const PIPE_BYTES: usize = 64 << 10;
/// The longest line, and `\r\n`.
const HELD_BYTES_MAX: usize = LINE_BYTES_MAX + 2;

/// Why a source gives no (more) lines. The lines before the fault have been given by then.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It cannot be opened.
    #[error("cannot open {name}: {cause}")]
    Open {
        /// The source.
        name: String,
        /// What the system says.
        cause: io::Error,
    },
    /// It cannot be read any further.
    #[error("cannot read {name} beyond byte {offset}: {cause}")]
    Read {
        /// The source.
        name: String,
        /// How much of the text was read.
        offset: u64,
        /// How much of that is whole lines.
        whole: u64,
        /// What the system says.
        cause: io::Error,
    },
    /// Its compressed data is damaged or cut short.
    #[error(
        "{name} is damaged or cut short: its {packing} data gives no more than {offset} bytes of text ({cause})"
    )]
    Corrupt {
        /// The source.
        name: String,
        /// How it is compressed.
        packing: &'static str,
        /// How much of the text could be read.
        offset: u64,
        /// What the decoder says.
        cause: io::Error,
    },
    /// It is shorter than the offset at which to go on.
    #[error("{name} ends at byte {length}, before byte {wanted}, where reading was to go on")]
    Short {
        /// The source.
        name: String,
        /// Where it ends.
        length: u64,
        /// Where reading was to go on.
        wanted: u64,
    },
}

/// By what a file is known again: a hash of its text's first 64 KiB, or of all of it where it was shorter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint {
    /// BLAKE3 of the first `hashed` bytes.
    pub hash: [u8; 32],
    /// How many bytes were hashed: a file that has grown since is still known.
    pub hashed: u64,
}

/// One line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'s> {
    /// Its number, from 1.
    pub number: u64,
    /// Where it starts.
    pub start: u64,
    /// The offset behind it and its newline.
    pub end: u64,
    /// Whether a newline ended it. Only the last line may lack it: it may still be being written.
    pub terminated: bool,
    /// What it says.
    pub text: LineText<'s>,
}

/// The text of a line, without `\n` or `\r\n`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineText<'s> {
    /// All of it; perhaps blank.
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

/// Whether the next line is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// It is, or the source is a file.
    None,
    /// Perhaps not: but the source spoke fast up to now.
    Possible,
    /// Not a moment ago.
    Likely,
}

/// Something that lines come from.
pub struct Source {
    name: String,
    packing: Option<&'static str>,
    reader: Box<dyn Read + Send>,
    /// What has been read and not yet given: `buffer[from..to]`.
    buffer: Vec<u8>,
    from: usize,
    to: usize,
    /// Why nothing more can be read, to be told behind the last line.
    fault: Option<io::Error>,
    ended: bool,
    /// There was less to read than there was room for: a live feed has nothing more to say at the moment.
    drained: bool,
    /// The offset of `buffer[from]`, and the lines before it.
    offset: u64,
    lines: u64,
    /// The head of the last line that was too long.
    long_head: Vec<u8>,
    /// The first bytes of a file's text.
    head: Option<Box<[u8]>>,
}

impl Source {
    /// Opens a file; `-` is standard input.
    ///
    /// # Errors
    ///
    /// [`SourceError::Open`]. Damage further on is told where it is met.
    pub fn open(path: &Path) -> Result<Source, SourceError> {
        if path == Path::new("-") {
            return Source::stdin();
        }
        let name = path.display().to_string();
        let open = || {
            let file = File::open(path)?;
            let regular = file.metadata()?.is_file();
            let mut source = Source::new(name.clone(), file)?;
            // A pipe is not read ahead: it may be a live feed, and there is nothing to resume.
            if regular {
                while source.to < FINGERPRINT_BYTES && !source.ended {
                    source.fill();
                }
                let end = source.to.min(FINGERPRINT_BYTES);
                source.head = source.buffer.get(..end).map(Into::into);
            }
            Ok(source)
        };
        open().map_err(|cause| SourceError::Open {
            name: name.clone(),
            cause,
        })
    }

    /// Standard input.
    ///
    /// # Errors
    ///
    /// [`SourceError::Open`], if not even its first bytes can be read.
    pub fn stdin() -> Result<Source, SourceError> {
        Source::from_reader("standard input", io::stdin())
    }

    /// Anything else that gives bytes.
    ///
    /// # Errors
    ///
    /// [`SourceError::Open`], if not even its first bytes can be read.
    pub fn from_reader(
        name: &str,
        reader: impl Read + Send + 'static,
    ) -> Result<Source, SourceError> {
        Source::new(name.to_owned(), reader).map_err(|cause| SourceError::Open {
            name: name.to_owned(),
            cause,
        })
    }

    fn new(name: String, mut raw: impl Read + Send + 'static) -> io::Result<Source> {
        let mut magic = Vec::with_capacity(4);
        raw.by_ref().take(4).read_to_end(&mut magic)?;
        let packing = match magic.as_slice() {
            [0x1f, 0x8b, ..] => Some("gzip"),
            // A frame, or one to be skipped, as some packers put before the first.
            [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18] => Some("zstd"),
            _ => None,
        };
        let raw = Cursor::new(magic).chain(raw);
        let packed = |raw| BufReader::with_capacity(BUFFER_BYTES, raw);
        let reader: Box<dyn Read + Send> = match packing {
            Some("gzip") => Box::new(flate2::bufread::MultiGzDecoder::new(packed(raw))),
            Some(_) => Box::new(zstd::stream::read::Decoder::with_buffer(packed(raw))?),
            None => Box::new(raw),
        };
        Ok(Source {
            name,
            packing,
            reader,
            buffer: vec![0; BUFFER_BYTES],
            from: 0,
            to: 0,
            fault: None,
            ended: false,
            drained: false,
            offset: 0,
            lines: 0,
            long_head: Vec::new(),
            head: None,
        })
    }

    /// What it is called in messages: the path as given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// By what it is known again; `None` for standard input and pipes, which cannot be gone on with.
    #[must_use]
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        let head = self.head.as_deref()?;
        Some(Fingerprint {
            hash: *blake3::hash(head).as_bytes(),
            hashed: head.len() as u64,
        })
    }

    /// Whether it starts as the one whose fingerprint this is.
    #[must_use]
    pub fn matches(&self, known: &Fingerprint) -> bool {
        usize::try_from(known.hashed)
            .ok()
            .and_then(|hashed| self.head.as_deref()?.get(..hashed))
            .is_some_and(|head| *blake3::hash(head).as_bytes() == known.hash)
    }

    /// Goes on at `offset`, before which there are `lines` lines. Never back.
    ///
    /// # Errors
    ///
    /// [`SourceError::Short`], or what reading met on the way.
    pub fn skip_to(&mut self, offset: u64, lines: u64) -> Result<(), SourceError> {
        while self.offset < offset {
            let held = self.to - self.from;
            if held == 0 {
                if self.ended {
                    let (name, length) = (self.name.clone(), self.offset);
                    return Err(self.take_fault(self.offset).unwrap_or(SourceError::Short {
                        name,
                        length,
                        wanted: offset,
                    }));
                }
                self.fill();
                continue;
            }
            let wanted = usize::try_from(offset - self.offset).unwrap_or(usize::MAX);
            self.pass(held.min(wanted));
        }
        self.lines = lines;
        Ok(())
    }

    /// Whether the next line may have to be waited for, for any length of time: who takes the lines should not sit on
    /// those that he has.
    #[must_use]
    pub fn wait(&self) -> Wait {
        let held = self.buffer.get(self.from..self.to).unwrap_or_default();
        if self.head.is_some() || self.ended || memchr(b'\n', held).is_some() {
            Wait::None
        } else if self.drained {
            Wait::Likely
        } else {
            Wait::Possible
        }
    }

    /// The next line; `None` at the end.
    ///
    /// # Errors
    ///
    /// Once, behind the last whole line, if the rest cannot be read; a line that is cut off by that is not given.
    pub fn next_line(&mut self) -> Result<Option<Line<'_>>, SourceError> {
        let mut seen = 0;
        let newline = loop {
            let unseen = self.buffer.get(self.from + seen..self.to);
            if let Some(at) = memchr(b'\n', unseen.unwrap_or_default()) {
                break Some(seen + at);
            }
            seen = self.to - self.from;
            if seen >= HELD_BYTES_MAX {
                return self.long_line().map(Some);
            }
            if self.ended {
                break None;
            }
            self.fill();
        };
        if newline.is_none() {
            if let Some(error) = self.take_fault(self.offset) {
                return Err(error);
            }
            if seen == 0 {
                return Ok(None);
            }
        }
        let (number, start) = (self.lines + 1, self.offset);
        let (begin, length) = (self.from, newline.unwrap_or(seen));
        self.pass(length + usize::from(newline.is_some()));
        self.lines = number;
        let text = self.buffer.get(begin..begin + length).unwrap_or_default();
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        let text = if text.len() > LINE_BYTES_MAX {
            LineText::TooLong {
                head: text.get(..REJECT_TEXT_BYTES_MAX).unwrap_or_default(),
                length: text.len() as u64,
                blake3: *blake3::hash(text).as_bytes(),
            }
        } else {
            LineText::Whole(text)
        };
        Ok(Some(Line {
            number,
            start,
            end: self.offset,
            terminated: newline.is_some(),
            text,
        }))
    }

    /// Goes through a line that is longer than may be held, and keeps its head.
    fn long_line(&mut self) -> Result<Line<'_>, SourceError> {
        let (number, start) = (self.lines + 1, self.offset);
        let mut digest = Digest::default();
        let terminated = loop {
            let held = self.buffer.get(self.from..self.to).unwrap_or_default();
            let newline = memchr(b'\n', held);
            let length = newline.unwrap_or(held.len());
            digest.add(held.get(..length).unwrap_or_default());
            self.pass(length + usize::from(newline.is_some()));
            if newline.is_some() || self.ended {
                break newline.is_some();
            }
            self.fill();
        };
        if !terminated && let Some(error) = self.take_fault(start) {
            return Err(error);
        }
        self.lines += 1;
        self.long_head = digest.head;
        Ok(Line {
            number,
            start,
            end: self.offset,
            terminated,
            text: LineText::TooLong {
                head: &self.long_head,
                length: digest.length,
                blake3: *digest.hasher.finalize().as_bytes(),
            },
        })
    }

    /// Reads more behind what is held, or learns that there is no more.
    fn fill(&mut self) {
        if self.from == self.to {
            (self.from, self.to) = (0, 0);
        }
        if self.to == self.buffer.len() {
            if self.from > 0 {
                self.buffer.copy_within(self.from..self.to, 0);
                (self.from, self.to) = (0, self.to - self.from);
            } else {
                let more = (self.buffer.len() * 2).min(HELD_BYTES_MAX);
                self.buffer.resize(more, 0);
            }
        }
        let room = self.buffer.get_mut(self.to..).unwrap_or_default();
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
    fn pass(&mut self, bytes: usize) {
        self.from += bytes;
        self.offset += bytes as u64;
    }

    /// What went wrong, if it has not been told yet. `offset` counts all that could be read, `whole` the lines.
    fn take_fault(&mut self, whole: u64) -> Option<SourceError> {
        let cause = self.fault.take()?;
        self.pass(self.to - self.from);
        let (name, offset) = (self.name.clone(), self.offset);
        // The decoders have their own words for damage, but a failing disk is no damage of the file.
        Some(match self.packing {
            Some(packing) if cause.raw_os_error().is_none() => SourceError::Corrupt {
                name,
                packing,
                offset,
                cause,
            },
            _ => SourceError::Read {
                name,
                offset,
                whole,
                cause,
            },
        })
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source")
            .field("name", &self.name)
            .field("packing", &self.packing)
            .field("offset", &self.offset)
            .field("lines", &self.lines)
            .finish_non_exhaustive()
    }
}

/// What is kept of a line that is too long. A `\r` counts only when something follows it: the last one belongs to the
/// line's end.
#[derive(Default)]
struct Digest {
    hasher: blake3::Hasher,
    head: Vec<u8>,
    length: u64,
    held_back: bool,
}

impl Digest {
    fn add(&mut self, piece: &[u8]) {
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
