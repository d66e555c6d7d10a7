//! Lines from files and standard input; or values, where a text does not have one event per line (`start` decides
//! that). The text may be packed (`packing`) or UTF-16 (`wide`). What a line means is not looked at here.
//!
//! All offsets are in the text, after decompression, in UTF-8. A line is borrowed from the only buffer: nothing is
//! copied, and nothing is allocated per line.

use super::buffer::{BUFFER_BYTES, Buffer};
pub use super::error::SourceError;
use super::packing::{Allowance, Overpacked, packing, unpacked};
use super::piece::{Digest, HELD_BYTES_MAX};
pub use super::piece::{LineText, SourceLine};
use super::start::{ReadMode, start};
use super::values::{Front, ValueScanner};
use memchr::memchr;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

/// The number of bytes at the start of a text that identify a file.
const FINGERPRINT_BYTES: usize = 64 << 10;
/// Identifies a file: a hash of the first 64 KiB of its text, or of the whole text if that is shorter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint {
    /// BLAKE3 of the first `hashed` bytes.
    pub hash: [u8; 32],
    /// How many bytes were hashed: a file that has grown since is still recognised.
    pub hashed: u64,
}

/// Whether the next line must be waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// No: the next line is held, or the source is a file.
    None,
    /// Perhaps: up to now, the source has sent without a pause.
    Possible,
    /// Probably: the last read took all that the source had.
    Likely,
}

/// A source of lines.
pub struct Source {
    name: String,
    packing: Option<&'static str>,
    /// How much may be unpacked.
    allowance: Arc<Allowance>,
    /// How it is read; known once its start has been read.
    form: Option<SourceForm>,
    input: Buffer,
    /// The head of the last line that was too long.
    long_head: Vec<u8>,
    /// The first bytes of a file's text.
    head: Option<Box<[u8]>>,
}

enum SourceForm {
    Lines,
    Values(ValueScanner),
}

impl Source {
    /// Opens a file; `-` is standard input.
    ///
    /// # Errors
    ///
    /// [`SourceError::Open`] when the file or its first bytes cannot be read. Damage further on is reported where it
    /// is met.
    pub fn open(path: &Path) -> Result<Source, SourceError> {
        if path == Path::new("-") {
            return Source::stdin();
        }
        let name = path.display().to_string();
        let open = || {
            let file = File::open(path)?;
            let regular = file.metadata()?.is_file();
            let mut source = Source::new(name.clone(), file)?;
            // A pipe is not read ahead: it may be a live feed, and a pipe cannot be resumed.
            if regular {
                source.read_start();
                let held = source.input.held();
                source.head = Some(held.get(..FINGERPRINT_BYTES).unwrap_or(held).into());
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
    /// [`SourceError::Open`] when not even its first bytes can be read.
    pub fn stdin() -> Result<Source, SourceError> {
        Source::from_reader("standard input", io::stdin())
    }

    /// A source that reads from any `reader`.
    ///
    /// # Errors
    ///
    /// [`SourceError::Open`] when not even its first bytes can be read.
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
        let packing = packing(&magic);
        let allowance = Arc::default();
        let input = Buffer::new(unpacked(magic, raw, BUFFER_BYTES, &allowance)?);
        Ok(Source {
            name,
            packing,
            allowance,
            form: None,
            input,
            long_head: Vec::new(),
            head: None,
        })
    }

    /// Reads as much as is needed to recognise the form. Use it for a source that has an end. A live feed may send
    /// nothing for a while; its form is recognised from its first line.
    #[doc(hidden)]
    pub fn read_start(&mut self) {
        while self.input.held().len() < FINGERPRINT_BYTES && !self.input.ended {
            self.input.fill();
        }
    }

    /// Limits a packed source to this many unpacked bytes.
    pub fn unpack_at_most(&self, bytes: u64) {
        self.allowance.at_most(bytes);
    }

    /// Allows a packed source this many unpacked bytes at any compression ratio.
    pub fn unpack_at_any_ratio(&self, bytes: u64) {
        self.allowance.at_any_ratio(bytes);
    }

    /// Its name in messages: the path as given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Identifies the file again; `None` for standard input and pipes, which cannot be resumed.
    #[doc(hidden)]
    #[must_use]
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        let head = self.head.as_deref()?;
        Some(Fingerprint {
            hash: *blake3::hash(head).as_bytes(),
            hashed: head.len() as u64,
        })
    }

    /// Whether it starts like the source with this fingerprint.
    #[doc(hidden)]
    #[must_use]
    pub fn matches(&self, known: &Fingerprint) -> bool {
        usize::try_from(known.hashed)
            .ok()
            .and_then(|hashed| self.head.as_deref()?.get(..hashed))
            .is_some_and(|head| *blake3::hash(head).as_bytes() == known.hash)
    }

    /// Continues at `offset`, before which there are `lines` lines. It never goes back.
    ///
    /// # Errors
    ///
    /// [`SourceError::Short`] when the source ends before `offset`; or the error that reading met before it.
    #[doc(hidden)]
    pub fn skip_to(&mut self, offset: u64, lines: u64) -> Result<(), SourceError> {
        self.find_form()?;
        if offset > 0
            && let Some(SourceForm::Values(values)) = &mut self.form
        {
            values.go_on();
        }
        while self.input.offset < offset {
            let held = self.input.held().len();
            if held == 0 {
                if self.input.ended {
                    let (name, length) = (self.name.clone(), self.input.offset);
                    return Err(self
                        .take_fault(self.input.offset)
                        .unwrap_or(SourceError::Short {
                            name,
                            length,
                            wanted: offset,
                        }));
                }
                self.input.fill();
                continue;
            }
            let wanted = usize::try_from(offset - self.input.offset).unwrap_or(usize::MAX);
            self.input.pass(held.min(wanted));
        }
        self.input.lines = lines;
        Ok(())
    }

    /// Whether the next line may have to be waited for, for any length of time. The caller should
    /// then not hold back the lines that it has.
    #[doc(hidden)]
    #[must_use]
    pub fn wait(&mut self) -> Wait {
        if self.head.is_some() || self.input.ended || self.has_next() {
            Wait::None
        } else if self.input.drained {
            Wait::Likely
        } else {
            Wait::Possible
        }
    }

    /// The next line; `None` at the end.
    ///
    /// # Errors
    ///
    /// Once, after the last whole line, when the rest cannot be read. A line that is cut off by this is not returned.
    #[doc(hidden)]
    pub fn next_line(&mut self) -> Result<Option<SourceLine<'_>>, SourceError> {
        match self.form {
            Some(SourceForm::Lines) => {}
            Some(SourceForm::Values(_)) => return self.next_value(),
            None => {
                self.find_form()?;
                return self.next_line();
            }
        }
        let mut seen = 0;
        let newline = loop {
            let unseen = self.input.held().get(seen..);
            if let Some(at) = memchr(b'\n', unseen.unwrap_or_default()) {
                break Some(seen + at);
            }
            seen = self.input.held().len();
            if seen >= HELD_BYTES_MAX {
                return self.long_line().map(Some);
            }
            if self.input.ended {
                break None;
            }
            self.input.fill();
        };
        if newline.is_none() {
            if let Some(error) = self.take_fault(self.input.offset) {
                return Err(error);
            }
            if seen == 0 {
                return Ok(None);
            }
        }
        let (number, start) = (self.input.lines + 1, self.input.offset);
        let length = newline.unwrap_or(seen);
        let gone = length + usize::from(newline.is_some());
        self.input.pass(gone);
        self.input.lines = number;
        let text = self.input.gone(gone, length);
        let text = LineText::of(text.strip_suffix(b"\r").unwrap_or(text));
        Ok(Some(SourceLine {
            number,
            start,
            end: self.input.offset,
            terminated: newline.is_some(),
            lines: number - u64::from(newline.is_none()),
            text,
        }))
    }

    /// Reads through a line that is too long to hold, and keeps its head.
    fn long_line(&mut self) -> Result<SourceLine<'_>, SourceError> {
        let (number, start) = (self.input.lines + 1, self.input.offset);
        let mut digest = Digest::default();
        let terminated = loop {
            let held = self.input.held();
            let newline = memchr(b'\n', held);
            let length = newline.unwrap_or(held.len());
            digest.add(held.get(..length).unwrap_or_default());
            self.input.pass(length + usize::from(newline.is_some()));
            if newline.is_some() || self.input.ended {
                break newline.is_some();
            }
            self.input.fill();
        };
        if !terminated && let Some(error) = self.take_fault(start) {
            return Err(error);
        }
        self.input.lines += 1;
        self.long_head = digest.head;
        Ok(SourceLine {
            number,
            start,
            end: self.input.offset,
            terminated,
            lines: number - u64::from(!terminated),
            text: LineText::TooLong {
                head: &self.long_head,
                length: digest.length,
                blake3: *digest.hasher.finalize().as_bytes(),
            },
        })
    }

    /// Recognises from the start of the text how to read it.
    fn find_form(&mut self) -> Result<(), SourceError> {
        while self.form.is_none() {
            let held = self.input.held();
            match start(held, self.input.ended) {
                None => self.input.fill(),
                Some(ReadMode::Values) => {
                    let mark = "\u{feff}".as_bytes();
                    let marked = held.starts_with(mark);
                    self.input.pass(if marked { mark.len() } else { 0 });
                    self.form = Some(SourceForm::Values(ValueScanner::new()));
                }
                // A read error matters more than what the text looks like.
                Some(ReadMode::Foreign(looks)) if self.input.fault.is_none() => {
                    self.form = Some(SourceForm::Lines);
                    self.input.give_up();
                    let name = self.name.clone();
                    return Err(SourceError::Foreign { name, looks });
                }
                Some(ReadMode::Lines | ReadMode::Foreign(_)) => self.form = Some(SourceForm::Lines),
            }
        }
        Ok(())
    }

    /// Whether the next line, or value, is held completely.
    fn has_next(&mut self) -> bool {
        loop {
            let held = self.input.held();
            let Some(SourceForm::Values(values)) = &mut self.form else {
                return memchr(b'\n', held).is_some();
            };
            match values.look(held, false, false) {
                Front::Nothing(bytes) => self.input.pass_lines(bytes),
                front => return matches!(front, Front::Value(_)),
            }
        }
    }

    /// The next value; `None` at the end.
    fn next_value(&mut self) -> Result<Option<SourceLine<'_>>, SourceError> {
        let extent = loop {
            let held = self.input.held();
            let Some(SourceForm::Values(values)) = &mut self.form else {
                return Ok(None);
            };
            let full = held.len() >= HELD_BYTES_MAX;
            match values.look(held, self.input.ended, full) {
                Front::Nothing(bytes) => self.input.pass_lines(bytes),
                Front::Value(extent) => break extent,
                Front::More if self.input.ended => {
                    let open = values.is_inside();
                    values.go_on();
                    let (name, offset) = (self.name.clone(), self.input.offset);
                    return match self.take_fault(offset) {
                        Some(error) => Err(error),
                        None if open => Err(SourceError::Unclosed { name, offset }),
                        None => Ok(None),
                    };
                }
                Front::More if full => return self.long_value().map(Some),
                Front::More => self.input.fill(),
            }
        };
        if !extent.whole
            && let Some(error) = self.take_fault(self.input.offset)
        {
            return Err(error);
        }
        let (number, start) = (self.input.lines + 1, self.input.offset);
        self.pass_value(extent.length);
        let text = self.input.gone(extent.length, extent.text);
        Ok(Some(SourceLine {
            number,
            start,
            end: self.input.offset,
            terminated: extent.whole,
            lines: self.input.lines,
            text: LineText::of(text),
        }))
    }

    /// Reads through a value that is too long to hold, and keeps its head.
    fn long_value(&mut self) -> Result<SourceLine<'_>, SourceError> {
        let (number, start) = (self.input.lines + 1, self.input.offset);
        let mut digest = Digest::default();
        let whole = loop {
            let held = self.input.held();
            let Some(SourceForm::Values(values)) = &mut self.form else {
                break false;
            };
            match values.look(held, self.input.ended, false) {
                Front::Value(extent) => {
                    digest.add(held.get(..extent.text).unwrap_or_default());
                    self.pass_value(extent.length);
                    break extent.whole;
                }
                _ if self.input.ended => break false,
                _ => {
                    let gone = values.gone_through(held);
                    values.give_up(gone);
                    digest.add(held.get(..gone).unwrap_or_default());
                    self.input.pass_lines(gone);
                    self.input.fill();
                }
            }
        };
        if !whole && let Some(error) = self.take_fault(start) {
            return Err(error);
        }
        self.long_head = digest.head;
        Ok(SourceLine {
            number,
            start,
            end: self.input.offset,
            terminated: whole,
            lines: self.input.lines,
            text: LineText::TooLong {
                head: &self.long_head,
                length: digest.length,
                blake3: *digest.hasher.finalize().as_bytes(),
            },
        })
    }

    fn pass_value(&mut self, bytes: usize) {
        if let Some(SourceForm::Values(values)) = &mut self.form {
            values.pass(self.input.held().get(..bytes).unwrap_or_default());
        }
        self.input.pass_lines(bytes);
    }

    /// The read error, if it was not reported yet. Its `offset` counts all that
    /// could be read; `whole` counts the lines.
    fn take_fault(&mut self, whole: u64) -> Option<SourceError> {
        let cause = self.input.fault.take()?;
        self.input.pass(self.input.held().len());
        let (name, offset) = (self.name.clone(), self.input.offset);
        let overpacked = cause.get_ref().and_then(|cause| cause.downcast_ref());
        if let Some(&Overpacked { packed, unpacked }) = overpacked {
            return Some(SourceError::Overpacked {
                name,
                packed,
                unpacked,
            });
        }
        let wide = self.input.is_wide().then_some("UTF-16");
        Some(match self.packing.or(wide) {
            Some(packing) if is_damage(&cause) => SourceError::Corrupt {
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

/// Whether the error comes from a decoder. A failing disk is no damage of the file, and
/// neither is a body that stalls or is too large.
fn is_damage(cause: &io::Error) -> bool {
    let of_body = [io::ErrorKind::TimedOut, io::ErrorKind::FileTooLarge];
    cause.raw_os_error().is_none() && !of_body.contains(&cause.kind())
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source")
            .field("name", &self.name)
            .field("packing", &self.packing)
            .field("offset", &self.input.offset)
            .field("lines", &self.input.lines)
            .finish_non_exhaustive()
    }
}
