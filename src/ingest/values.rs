//! Finds the JSON values in a text, wherever its lines break: values one after the other, and the
//! elements of arrays. It looks only at brackets, strings and line breaks. What a value means, and
//! whether it is JSON at all, is `feed`'s business.
//!
//! A bad value must not consume the good values after it. A value with matching brackets ends where they match.
//! Otherwise it ends before the first line after its own first line that begins with a bracket and is indented no
//! deeper than the value, because the next value begins there. It also ends before a `{` in a place where an object
//! can only have a key. Commas between values, and missing commas, are not reported: nothing depends on them.

use memchr::{memchr, memchr3, memrchr};

/// What is at the front of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Front {
    /// This many bytes without content: white space, commas, the brackets of an array.
    Nothing(usize),
    /// A value.
    Value(ValueExtent),
    /// Undecided before more bytes are held.
    More,
}

/// The extent of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ValueExtent {
    /// The length of its text in bytes.
    pub text: usize,
    /// The bytes to skip: a comma and white space may follow the text.
    pub length: usize,
    /// Whether its own end was found.
    pub whole: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    /// Between values.
    Outside,
    /// Between the elements of an array.
    Inside,
    /// Reading resumes here; what came before was not looked at.
    Unknown,
}

/// The state of reading a text value by value.
#[derive(Debug)]
pub(super) struct ValueScanner {
    level: Level,
    /// Bytes of the line before the front.
    column: usize,
    /// The value at the front, as far as it has been scanned.
    value: Option<OpenValue>,
    /// Its extent, once that is known.
    extent: Option<ValueExtent>,
}

impl ValueScanner {
    /// A scanner at the start of a text.
    pub(super) fn new() -> ValueScanner {
        ValueScanner {
            level: Level::Outside,
            column: 0,
            value: None,
            extent: None,
        }
    }

    /// Resumes reading after some value.
    pub(super) fn go_on(&mut self) {
        *self = ValueScanner {
            level: Level::Unknown,
            ..ValueScanner::new()
        };
    }

    /// Whether an array is known to be open.
    pub(super) fn is_inside(&self) -> bool {
        self.level == Level::Inside
    }

    /// What is at the front of `held`. `ended`: nothing follows it. `full`: no more of it can be held.
    pub(super) fn look(&mut self, held: &[u8], ended: bool, full: bool) -> Front {
        if let Some(extent) = self.extent {
            return Front::Value(extent);
        }
        let front = self.find(held, ended, full);
        if let Front::Value(extent) = front {
            self.extent = Some(extent);
        }
        front
    }

    fn find(&mut self, held: &[u8], ended: bool, full: bool) -> Front {
        if self.value.is_none() {
            let nothing = self.nothing(held);
            if nothing > 0 {
                return Front::Nothing(nothing);
            }
        }
        if held.is_empty() {
            return Front::More;
        }
        let (level, column) = (self.level, self.column);
        let value = self.value.get_or_insert_with(|| OpenValue::new(level));
        let whole = |length| ValueExtent {
            text: length,
            length,
            whole: true,
        };
        let next = match value.end(held) {
            Some(ValueEnd::Whole(length)) => return Front::Value(whole(length)),
            Some(ValueEnd::Before(at)) => return Front::Value(cut(held, at)),
            None if !ended && !full => return Front::More,
            // Without its own end in sight, the value may still end where the next one begins.
            None | Some(ValueEnd::Lost) => next_value(held, column, level, ended),
        };
        match next {
            Some(next) => Front::Value(cut(held, next)),
            None if ended => Front::Value(rest(held)),
            None => Front::More,
        }
    }

    /// How many bytes of a value that is too long to hold have been scanned, and can be dropped.
    pub(super) fn gone_through(&self, held: &[u8]) -> usize {
        self.value
            .as_ref()
            .map_or(0, |value| if value.lost { held.len() } else { value.at })
    }

    /// Records that the first `bytes` of the value at the front were dropped.
    pub(super) fn give_up(&mut self, bytes: usize) {
        if let Some(value) = &mut self.value {
            value.at = value.at.saturating_sub(bytes);
        }
    }

    /// Skips the value at the front. `value` is its bytes, or the last ones of them.
    pub(super) fn pass(&mut self, value: &[u8]) {
        (self.value, self.extent) = (None, None);
        self.column = match memrchr(b'\n', value) {
            Some(newline) => value.len() - newline - 1,
            None => self.column + value.len(),
        };
    }

    /// Skips bytes without content, and returns how many.
    fn nothing(&mut self, held: &[u8]) -> usize {
        let mut gone = 0;
        for &byte in held {
            match (byte, self.level) {
                (b'\n', _) => {
                    self.column = 0;
                    gone += 1;
                    continue;
                }
                (b' ' | b'\t' | b'\r', _) => {}
                (b',', Level::Inside | Level::Unknown) => self.level = Level::Inside,
                (b'[', Level::Outside | Level::Unknown) => self.level = Level::Inside,
                (b']', Level::Inside | Level::Unknown) => self.level = Level::Outside,
                _ => break,
            }
            self.column += 1;
            gone += 1;
        }
        gone
    }
}

/// The extent of a value that ends before its own end was found: a comma after it is not part of it.
fn cut(held: &[u8], length: usize) -> ValueExtent {
    let text = held.get(..length).unwrap_or(held);
    let trimmed = text.trim_ascii_end();
    let trimmed = trimmed.strip_suffix(b",").unwrap_or(trimmed);
    ValueExtent {
        text: trimmed.trim_ascii_end().len(),
        length,
        whole: true,
    }
}

/// The extent of a value that the end of the text cuts off.
fn rest(held: &[u8]) -> ValueExtent {
    ValueExtent {
        text: held.trim_ascii_end().len(),
        length: held.len(),
        whole: false,
    }
}

/// The start of the next line that begins with a bracket and is indented no deeper than `column`.
fn next_value(held: &[u8], column: usize, level: Level, ended: bool) -> Option<usize> {
    let mut line = memchr(b'\n', held)? + 1;
    loop {
        let text = held.get(line..).unwrap_or_default();
        let newline = memchr(b'\n', text);
        if newline.is_none() && !ended && text.len() <= column {
            return None;
        }
        let indent = text
            .iter()
            .take_while(|byte| matches!(byte, b' ' | b'\t'))
            .count();
        let begins = match text.get(indent..).unwrap_or_default() {
            [b'{' | b'[', ..] => true,
            [b']', ..] => level != Level::Outside,
            [b',', behind @ ..] => behind.trim_ascii_start().starts_with(b"{"),
            _ => false,
        };
        if begins && indent <= column {
            return Some(line);
        }
        line += newline? + 1;
    }
}

/// How a value ends.
enum ValueEnd {
    /// It is complete, with this length.
    Whole(usize),
    /// Another value begins at this byte, before this one has its end.
    Before(usize),
    /// A line break cuts off one of its strings, or a bracket is in a place where it cannot be.
    Lost,
}

/// A value that is being scanned.
#[derive(Debug)]
struct OpenValue {
    level: Level,
    /// It is scanned up to here.
    at: usize,
    /// The current line had only white space so far.
    fresh: bool,
    /// Inside a string.
    quoted: bool,
    lost: bool,
    /// It begins with a bracket, and ends with the matching one.
    paired: bool,
    depth: usize,
    /// One bit per level, the innermost last: whether the level is an object. Deeper levels are only counted.
    objects: u128,
    /// The last byte that was not white space.
    last: u8,
}

/// The number of levels for which the kind of bracket is stored.
const LEVELS: usize = u128::BITS as usize;

impl OpenValue {
    fn new(level: Level) -> OpenValue {
        OpenValue {
            level,
            at: 0,
            fresh: false,
            quoted: false,
            lost: false,
            paired: false,
            depth: 0,
            objects: 0,
            last: 0,
        }
    }

    /// Continues the scan through `text`, which begins with the value.
    fn end(&mut self, text: &[u8]) -> Option<ValueEnd> {
        if self.at == 0 && self.last == 0 {
            self.paired = matches!(text.first(), Some(b'{' | b'['));
        }
        while !self.lost {
            if self.quoted {
                self.string(text)?;
                continue;
            }
            let &byte = text.get(self.at)?;
            match byte {
                b'\n' if self.depth == 0 => return Some(ValueEnd::Whole(self.at)),
                b'\n' => {
                    self.fresh = true;
                    self.at += 1;
                    continue;
                }
                b' ' | b'\t' | b'\r' => {
                    self.at += 1;
                    continue;
                }
                b'"' => self.quoted = true,
                b'{' | b'[' if !self.may_open() && self.fresh => self.lost = true,
                b'{' if !self.may_open() && self.last == b',' => {
                    return Some(ValueEnd::Before(self.at));
                }
                b'{' | b'[' => {
                    self.depth += 1;
                    if self.depth <= LEVELS {
                        self.objects = self.objects << 1 | u128::from(byte == b'{');
                    }
                }
                b'}' | b']' => {
                    if let Some(end) = self.close(byte) {
                        return Some(end);
                    }
                }
                b',' if self.depth == 0 && self.level != Level::Outside => {
                    return Some(ValueEnd::Whole(self.at));
                }
                _ => {}
            }
            self.last = byte;
            self.fresh = false;
            self.at += 1;
        }
        Some(ValueEnd::Lost)
    }

    /// Scans a string; `None`: its end is not in `text` yet.
    fn string(&mut self, text: &[u8]) -> Option<()> {
        let rest = text.get(self.at..).unwrap_or_default();
        let Some(stop) = memchr3(b'"', b'\\', b'\n', rest) else {
            self.at = text.len();
            return None;
        };
        self.at += stop;
        match rest.get(stop) {
            Some(b'"') => {
                self.quoted = false;
                self.at += 1;
            }
            Some(b'\\') => match rest.get(stop + 1) {
                Some(b'\n') => self.at += 1,
                Some(_) => self.at += 2,
                None => return None,
            },
            _ => self.lost = true,
        }
        Some(())
    }

    /// Whether a bracket may open here.
    fn may_open(&self) -> bool {
        if self.depth == 0 || self.depth > LEVELS {
            return true;
        }
        let in_object = self.objects & 1 == 1;
        match self.last {
            b':' => in_object,
            b',' => !in_object,
            last => last == b'[',
        }
    }

    /// Closes the innermost open bracket of this kind, and the brackets open inside it.
    fn close(&mut self, bracket: u8) -> Option<ValueEnd> {
        if self.depth > LEVELS {
            self.depth -= 1;
            return None;
        }
        let object = bracket == b'}';
        let mut levels = 0;
        let mut objects = self.objects;
        while levels < self.depth && (objects & 1 == 1) != object {
            objects >>= 1;
            levels += 1;
        }
        if levels < self.depth {
            self.depth -= levels + 1;
            self.objects = objects >> 1;
            return (self.depth == 0 && self.paired).then_some(ValueEnd::Whole(self.at + 1));
        }
        // No bracket of this kind is open: it closes the outer array, or means nothing.
        (!object && self.level != Level::Outside).then_some(ValueEnd::Whole(self.at))
    }
}
