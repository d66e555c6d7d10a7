//! JSON text, read in place: a scanner that checks the syntax and returns values as
//! slices of the text. It knows no field names.
//!
//! Why not `serde_json`: the feed needs the digits of numbers (it gives `f64`), the last of repeated keys
//! (derived types refuse them), a depth limit for skipped values, too, and errors that name the field. Tests compare
//! what this scanner accepts with what `serde_json` accepts.

use super::line_error::LineError;
use crate::limits::JSON_DEPTH_MAX;
use std::borrow::Cow;

/// One JSON value with checked syntax, as written in the line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Raw<'a> {
    text: &'a str,
    /// It is a string with a backslash in it. Meaningless for other values.
    escaped: bool,
}

impl<'a> Raw<'a> {
    /// The text of the value.
    pub(super) fn text(self) -> &'a str {
        self.text
    }

    /// Whether it is a string with escapes.
    pub(super) fn is_escaped(self) -> bool {
        self.escaped
    }

    /// Its first byte, which shows its type.
    pub(super) fn first(self) -> u8 {
        self.text.bytes().next().unwrap_or_default()
    }

    /// A scanner at the start of the value.
    pub(super) fn scan(self) -> Scanner<'a> {
        Scanner::new(self.text, 0)
    }

    /// The text between the quotes, if it has no escapes. Only for strings.
    pub(super) fn plain(self) -> Option<&'a str> {
        let last = self.text.len().saturating_sub(1);
        self.text.get(1..last).filter(|_| !self.escaped)
    }

    /// The decoded text of a string; `None` if it has a lone surrogate. Only for strings.
    pub(super) fn decode(self) -> Option<Cow<'a, str>> {
        if let Some(plain) = self.plain() {
            return Some(Cow::Borrowed(plain));
        }
        let last = self.text.len().saturating_sub(1);
        let inner = self.text.get(1..last).unwrap_or_default();
        unescape(inner).map(Cow::Owned)
    }
}

/// A position in a JSON text.
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Scanner<'a> {
    /// A scanner at byte `at` of `text`.
    pub(super) fn new(text: &'a str, at: usize) -> Scanner<'a> {
        Scanner { text, at, depth: 0 }
    }

    /// The next byte.
    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Skips white space.
    pub(super) fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// The position of the next byte.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// What was read since a position, as a value. Only for values that are not strings.
    pub(super) fn since(&self, start: usize) -> Raw<'a> {
        Raw {
            text: self.text.get(start..self.at).unwrap_or_default(),
            escaped: false,
        }
    }

    /// Checks that only white space follows.
    pub(super) fn end(&mut self) -> Result<(), LineError> {
        self.space();
        match self.peek() {
            None => Ok(()),
            Some(_) => self.broken("something follows the value"),
        }
    }

    /// Skips one value and checks it.
    pub(super) fn value(&mut self) -> Result<Raw<'a>, LineError> {
        let start = self.at;
        match self.peek() {
            Some(b'"') => return self.string(),
            Some(b'{' | b'[') => self.nested()?,
            _ => self.simple()?,
        }
        Ok(self.since(start))
    }

    /// Skips a value that is not an object, array or string.
    fn simple(&mut self) -> Result<(), LineError> {
        match self.peek() {
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            Some(b'n') => self.word("null"),
            Some(_) => self.broken("a value is expected"),
            None => self.broken("the line ends"),
        }
    }

    /// Skips the object or array that begins here. Most of a line is skipped here, so it uses no recursion.
    fn nested(&mut self) -> Result<(), LineError> {
        const { assert!(JSON_DEPTH_MAX <= u128::BITS as usize) };
        let outside = self.depth;
        // One bit per level, the innermost last: whether the level is an object.
        let mut objects = 0_u128;
        let mut behind_value = false;
        loop {
            if !behind_value {
                match self.peek() {
                    Some(bracket @ (b'{' | b'[')) => {
                        self.enter()?;
                        let object = bracket == b'{';
                        objects = objects << 1 | u128::from(object);
                        behind_value = self.peek() == Some(if object { b'}' } else { b']' });
                        if object && !behind_value {
                            self.key()?;
                        }
                        continue;
                    }
                    Some(b'"') => drop(self.string()?),
                    _ => self.simple()?,
                }
                self.space();
            }
            let object = objects & 1 == 1;
            match self.peek() {
                Some(b',') => {
                    self.at += 1;
                    self.space();
                    if object {
                        self.key()?;
                    }
                    behind_value = false;
                }
                Some(bracket) if bracket == if object { b'}' } else { b']' } => {
                    self.leave();
                    if self.depth == outside {
                        return Ok(());
                    }
                    objects >>= 1;
                    self.space();
                    behind_value = true;
                }
                _ => return self.unclosed(object),
            }
        }
    }

    /// Skips a key and its colon.
    fn key(&mut self) -> Result<Raw<'a>, LineError> {
        let key = match self.peek() {
            Some(b'"') => self.string()?,
            Some(_) => return self.broken("a key is expected"),
            None => return self.broken("the line ends"),
        };
        self.space();
        if self.peek() != Some(b':') {
            return self.broken("a colon is expected");
        }
        self.at += 1;
        self.space();
        Ok(key)
    }

    /// The error when neither a comma nor the closing bracket follows.
    fn unclosed<T>(&self, object: bool) -> Result<T, LineError> {
        self.broken(match (self.peek(), object) {
            (None, _) => "the line ends",
            (_, true) => "a comma or } is expected",
            (_, false) => "a comma or ] is expected",
        })
    }

    /// Reads the object that begins here. `each` gets a key and must skip its value.
    pub(super) fn entries(
        &mut self,
        mut each: impl FnMut(Raw<'a>, &mut Self) -> Result<(), LineError>,
    ) -> Result<(), LineError> {
        self.enter()?;
        if self.peek() == Some(b'}') {
            self.leave();
            return Ok(());
        }
        loop {
            let key = self.key()?;
            each(key, self)?;
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.leave();
                    return Ok(());
                }
                _ => return self.unclosed(true),
            }
            self.space();
        }
    }

    /// Reads the array that begins here. `each` must skip one element.
    pub(super) fn items(
        &mut self,
        mut each: impl FnMut(&mut Self) -> Result<(), LineError>,
    ) -> Result<(), LineError> {
        self.enter()?;
        if self.peek() == Some(b']') {
            self.leave();
            return Ok(());
        }
        loop {
            each(self)?;
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.leave();
                    return Ok(());
                }
                _ => return self.unclosed(false),
            }
            self.space();
        }
    }

    /// Skips an opening bracket and the white space after it.
    fn enter(&mut self) -> Result<(), LineError> {
        if self.depth == JSON_DEPTH_MAX {
            let column = self.at + 1;
            return Err(LineError::TooDeep { column });
        }
        self.depth += 1;
        self.at += 1;
        self.space();
        Ok(())
    }

    /// Skips a closing bracket.
    fn leave(&mut self) {
        self.depth -= 1;
        self.at += 1;
    }

    /// Skips a string. Most have no escapes.
    #[inline]
    fn string(&mut self) -> Result<Raw<'a>, LineError> {
        let start = self.at;
        self.at += 1;
        self.skip_plain();
        if self.peek() != Some(b'"') {
            return self.escaped_string(start);
        }
        self.at += 1;
        Ok(self.since(start))
    }

    /// Skips the rest of a string, from the first byte that may not stand for itself.
    #[cold]
    fn escaped_string(&mut self, start: usize) -> Result<Raw<'a>, LineError> {
        let mut escaped = false;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    let raw = self.since(start);
                    return Ok(Raw { escaped, ..raw });
                }
                Some(b'\\') => self.escape()?,
                Some(_) => return self.broken("a control character is not escaped"),
                None => return self.broken("a string has no end"),
            }
            escaped = true;
            self.skip_plain();
        }
    }

    /// Skips the bytes of a string that stand for themselves.
    #[inline]
    fn skip_plain(&mut self) {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        self.at += plain_length(rest);
    }

    fn escape(&mut self) -> Result<(), LineError> {
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                self.at += 1;
                for _ in 0..4 {
                    if !self.peek().is_some_and(|byte| byte.is_ascii_hexdigit()) {
                        return self.broken("four hexadecimal digits are expected");
                    }
                    self.at += 1;
                }
            }
            _ => return self.broken("an unknown escape"),
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), LineError> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), LineError> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == start {
            return self.broken("a digit is expected");
        }
        Ok(())
    }

    fn word(&mut self, word: &'static str) -> Result<(), LineError> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        if !rest.starts_with(word.as_bytes()) {
            return self.broken("a value is expected");
        }
        self.at += word.len();
        Ok(())
    }

    fn broken<T>(&self, what: &'static str) -> Result<T, LineError> {
        let column = self.at + 1;
        Err(LineError::NotJson { what, column })
    }
}

/// How many bytes come before the first one that a string must escape: a quote, a backslash, a control character. It
/// checks eight bytes at a time, because most reading time is spent here.
#[inline]
fn plain_length(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGHS: u64 = ONES << 7;
    // The high bit of each byte that is less than `n`; perhaps also of some bytes above the first of these.
    let below = |word: u64, n: u64| word.wrapping_sub(ONES * n) & !word & HIGHS;
    let (words, tail) = bytes.as_chunks::<8>();
    let mut length = 0;
    for word in words {
        let word = u64::from_le_bytes(*word);
        let quote = below(word ^ (ONES * u64::from(b'"')), 1);
        let backslash = below(word ^ (ONES * u64::from(b'\\')), 1);
        let stops = quote | backslash | below(word, 0x20);
        if stops != 0 {
            return length + stops.trailing_zeros() as usize / 8;
        }
        length += 8;
    }
    let stop = |&byte: &u8| byte == b'"' || byte == b'\\' || byte < 0x20;
    length + tail.iter().position(stop).unwrap_or(tail.len())
}

/// Decodes checked escapes; `None` at a lone surrogate.
fn unescape(inner: &str) -> Option<String> {
    let mut out = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some((plain, escape)) = rest.split_once('\\') {
        out.push_str(plain);
        let mut chars = escape.chars();
        let (meant, behind) = match chars.next()? {
            'b' => ('\u{8}', chars.as_str()),
            'f' => ('\u{c}', chars.as_str()),
            'n' => ('\n', chars.as_str()),
            'r' => ('\r', chars.as_str()),
            't' => ('\t', chars.as_str()),
            'u' => unicode(chars.as_str())?,
            itself => (itself, chars.as_str()),
        };
        out.push(meant);
        rest = behind;
    }
    out.push_str(rest);
    Some(out)
}

/// The character of a `\u` escape, which may need a second one, and the text after it.
fn unicode(text: &str) -> Option<(char, &str)> {
    let (first, behind) = four_digits(text)?;
    if !(0xd800..0xdc00).contains(&first) {
        return Some((char::from_u32(first)?, behind));
    }
    let (second, behind) = four_digits(behind.strip_prefix("\\u")?)?;
    let low = second.checked_sub(0xdc00).filter(|&low| low < 0x400)?;
    let meant = char::from_u32(0x10000 + ((first - 0xd800) << 10) + low)?;
    Some((meant, behind))
}

fn four_digits(text: &str) -> Option<(u32, &str)> {
    let (digits, behind) = text.split_at_checked(4)?;
    Some((u32::from_str_radix(digits, 16).ok()?, behind))
}
