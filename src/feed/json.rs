//! JSON text, read in place: a scanner that checks the syntax and returns values as
//! slices of the text. It knows no field names.
//!
//! Why not `serde_json`: the feed needs the digits of numbers (it gives `f64`), the last of repeated keys
//! (derived types refuse them), a depth limit for skipped values, too, and errors that name the field. Tests compare
//! what this scanner accepts with what `serde_json` accepts.

use super::line_error::LineError;
use super::word;
use crate::decimal::PLAIN_DIGITS_MAX;
use crate::limits::JSON_DEPTH_MAX;
use std::borrow::Cow;
use std::cmp::Ordering;

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    True,
    False,
    Number,
    String,
    List,
    Object,
}

/// One JSON value with checked syntax, as written in the line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Raw<'a> {
    text: &'a str,
    kind: Kind,
    plain: bool,
}

impl<'a> Raw<'a> {
    /// The text of the value.
    pub(super) fn text(self) -> &'a str {
        self.text
    }

    /// Its type.
    pub(super) fn kind(self) -> Kind {
        self.kind
    }

    /// Whether its text is obviously the only one for its value, as `meta` writes it: no white space, no escapes,
    /// numbers of digits only, and keys in order.
    pub(super) fn is_plain(self) -> bool {
        self.plain
    }

    /// A scanner at the start of the value.
    pub(super) fn scan(self) -> Scanner<'a> {
        Scanner::new(self.text, 0)
    }

    /// The decoded text of a string; `None` if it has a lone surrogate. Only for strings.
    #[inline]
    pub(super) fn decode(self) -> Option<Cow<'a, str>> {
        let last = self.text.len().saturating_sub(1);
        decode(self.text.get(1..last).unwrap_or_default(), self.plain)
    }
}

/// The key of an entry of an object.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key<'a> {
    /// What is between the quotes.
    text: &'a [u8],
    plain: bool,
    head: u64,
}

impl<'a> Key<'a> {
    /// Its first eight bytes as a [number](word::of), unless it has escapes.
    pub(super) fn head(self) -> u64 {
        self.head
    }

    /// Its text, unless it has escapes.
    pub(super) fn plain(self) -> Option<&'a [u8]> {
        Some(self.text).filter(|_| self.plain)
    }

    /// Its decoded text; `None` if it has a lone surrogate.
    pub(super) fn decode(self) -> Option<Cow<'a, str>> {
        decode(str::from_utf8(self.text).ok()?, self.plain)
    }

    /// Whether it comes after another one in the order of their bytes. Only for keys without escapes.
    fn is_after(self, other: Key<'_>) -> bool {
        // Most keys differ in their heads.
        match self.head.swap_bytes().cmp(&other.head.swap_bytes()) {
            Ordering::Equal => self.text > other.text,
            order => order.is_gt(),
        }
    }
}

/// The text of a string, by what is between its quotes.
#[inline]
fn decode(inner: &str, plain: bool) -> Option<Cow<'_, str>> {
    if plain {
        return Some(Cow::Borrowed(inner));
    }
    unescape(inner).map(Cow::Owned)
}

/// A position in a JSON text.
pub(super) struct Scanner<'a> {
    text: &'a str,
    /// What of it was not read yet.
    rest: &'a [u8],
    depth: usize,
    /// How many bytes of white space were skipped.
    spaces: usize,
}

impl<'a> Scanner<'a> {
    /// A scanner at byte `at` of `text`.
    pub(super) fn new(text: &'a str, at: usize) -> Scanner<'a> {
        Scanner {
            text,
            rest: text.as_bytes().get(at..).unwrap_or_default(),
            depth: 0,
            spaces: 0,
        }
    }

    /// The next byte.
    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Skips this many bytes.
    #[inline]
    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    /// The position of the next byte.
    #[inline]
    fn at(&self) -> usize {
        self.text.len() - self.rest.len()
    }

    /// Skips white space. Most lines have none.
    #[inline]
    pub(super) fn space(&mut self) {
        if let Some(b'\0'..=b' ') = self.peek() {
            self.skip_spaces();
        }
    }

    #[cold]
    fn skip_spaces(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.skip(1);
            self.spaces += 1;
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
    #[inline]
    pub(super) fn value(&mut self) -> Result<Raw<'a>, LineError> {
        let [b'"', from @ ..] = self.rest else {
            return self.other();
        };
        let start = self.at();
        let length = word::plain_run(from);
        let mut plain = true;
        if let Some([b'"', behind @ ..]) = from.get(length..) {
            self.rest = behind;
        } else {
            self.skip(1 + length);
            plain = self.string_end()?;
        }
        Ok(self.since(start, Kind::String, plain))
    }

    /// Skips a value that is no string.
    fn other(&mut self) -> Result<Raw<'a>, LineError> {
        let start = self.at();
        let (kind, plain) = match self.peek() {
            Some(b'-' | b'0'..=b'9') => (Kind::Number, self.number()?),
            Some(b'{') => (Kind::Object, self.object()?),
            Some(b'[') => return self.list(|scanner| Ok(scanner.value()?.plain)),
            Some(b't') => (Kind::True, self.word("true")?),
            Some(b'f') => (Kind::False, self.word("false")?),
            Some(b'n') => (Kind::Null, self.word("null")?),
            Some(_) => return self.broken("a value is expected"),
            None => return self.broken("the line ends"),
        };
        Ok(self.since(start, kind, plain))
    }

    /// What was read since a position, as a value.
    #[inline]
    fn since(&self, start: usize, kind: Kind, plain: bool) -> Raw<'a> {
        Raw {
            text: self.text.get(start..self.at()).unwrap_or_default(),
            kind,
            plain,
        }
    }

    /// Skips the object that begins here; returns whether it is plain.
    fn object(&mut self) -> Result<bool, LineError> {
        let spaces = self.spaces;
        let mut last: Option<Key<'a>> = None;
        let mut plain = true;
        self.entries(|key, scanner| {
            plain &= key.plain && last.is_none_or(|last| key.is_after(last));
            last = Some(key);
            plain &= scanner.value()?.plain;
            Ok(())
        })?;
        Ok(plain && self.spaces == spaces)
    }

    /// Reads the array that begins here. `each` must skip one element, and returns whether it is plain.
    pub(super) fn list(
        &mut self,
        mut each: impl FnMut(&mut Self) -> Result<bool, LineError>,
    ) -> Result<Raw<'a>, LineError> {
        let (start, spaces) = (self.at(), self.spaces);
        let mut plain = true;
        self.items(|scanner| {
            plain &= each(scanner)?;
            Ok(())
        })?;
        plain &= self.spaces == spaces;
        Ok(self.since(start, Kind::List, plain))
    }

    /// Reads the object that begins here. `each` gets a key and must skip its value.
    #[inline]
    pub(super) fn entries(
        &mut self,
        mut each: impl FnMut(Key<'a>, &mut Self) -> Result<(), LineError>,
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
                Some(b',') => self.skip(1),
                Some(b'}') => {
                    self.leave();
                    return Ok(());
                }
                None => return self.broken("the line ends"),
                Some(_) => return self.broken("a comma or } is expected"),
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
                Some(b',') => self.skip(1),
                Some(b']') => {
                    self.leave();
                    return Ok(());
                }
                None => return self.broken("the line ends"),
                Some(_) => return self.broken("a comma or ] is expected"),
            }
            self.space();
        }
    }

    /// Skips an opening bracket and the white space after it.
    fn enter(&mut self) -> Result<(), LineError> {
        if self.depth == JSON_DEPTH_MAX {
            let column = self.at() + 1;
            return Err(LineError::TooDeep { column });
        }
        self.depth += 1;
        self.skip(1);
        self.space();
        Ok(())
    }

    /// Skips a closing bracket.
    fn leave(&mut self) {
        self.depth -= 1;
        self.skip(1);
    }

    /// Skips a key and its colon.
    #[inline(always)]
    fn key(&mut self) -> Result<Key<'a>, LineError> {
        let [b'"', from @ ..] = self.rest else {
            return self.no_key();
        };
        let word = word::ahead(from);
        let stops = word::stops(word);
        let mut length = word::before(stops);
        if length == word::BYTES {
            length += word::plain_run(from.get(length..).unwrap_or_default());
        }
        let mut plain = true;
        if let Some([b'"', b':', behind @ ..]) = from.get(length..) {
            self.rest = behind;
        } else {
            self.skip(1 + length);
            plain = self.string_end()?;
            length = from.len() - self.rest.len() - 1;
            self.colon()?;
        }
        self.space();
        Ok(Key {
            text: from.get(..length).unwrap_or_default(),
            plain,
            head: word::cut(word, stops),
        })
    }

    #[cold]
    fn no_key<T>(&self) -> Result<T, LineError> {
        self.broken(match self.peek() {
            Some(_) => "a key is expected",
            None => "the line ends",
        })
    }

    /// Skips a colon, and white space before it.
    #[cold]
    fn colon(&mut self) -> Result<(), LineError> {
        self.space();
        if self.peek() != Some(b':') {
            return self.broken("a colon is expected");
        }
        self.skip(1);
        Ok(())
    }

    /// Skips the rest of a string, from the first byte that may not stand for itself; returns whether it has no escapes.
    #[cold]
    fn string_end(&mut self) -> Result<bool, LineError> {
        let mut plain = true;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.skip(1);
                    return Ok(plain);
                }
                Some(b'\\') => self.escape()?,
                Some(_) => return self.broken("a control character is not escaped"),
                None => return self.broken("a string has no end"),
            }
            plain = false;
            self.skip(word::plain_run(self.rest));
        }
    }

    fn escape(&mut self) -> Result<(), LineError> {
        self.skip(1);
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.skip(1),
            Some(b'u') => {
                self.skip(1);
                for _ in 0..4 {
                    if !self.peek().is_some_and(|byte| byte.is_ascii_hexdigit()) {
                        return self.broken("four hexadecimal digits are expected");
                    }
                    self.skip(1);
                }
            }
            _ => return self.broken("an unknown escape"),
        }
        Ok(())
    }

    /// Skips a number; returns whether it is plain: `-0` is not, and neither is one that would be written shorter.
    fn number(&mut self) -> Result<bool, LineError> {
        let negative = self.peek() == Some(b'-');
        self.skip(usize::from(negative));
        let start = self.at();
        let zero = self.peek() == Some(b'0');
        if zero {
            self.skip(1);
        } else {
            self.digits()?;
        }
        let mut plain = self.at() - start <= PLAIN_DIGITS_MAX && !(zero && negative);
        if self.peek() == Some(b'.') {
            plain = false;
            self.skip(1);
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            plain = false;
            self.skip(1);
            if let Some(b'+' | b'-') = self.peek() {
                self.skip(1);
            }
            self.digits()?;
        }
        Ok(plain)
    }

    fn digits(&mut self) -> Result<(), LineError> {
        let before = self.rest.len();
        loop {
            let digits = word::digits(word::ahead(self.rest));
            self.skip(digits);
            if digits < word::BYTES {
                break;
            }
        }
        if self.rest.len() == before {
            return self.broken("a digit is expected");
        }
        Ok(())
    }

    /// Skips a word, which is always plain.
    fn word(&mut self, word: &'static str) -> Result<bool, LineError> {
        if !self.rest.starts_with(word.as_bytes()) {
            return self.broken("a value is expected");
        }
        self.skip(word.len());
        Ok(true)
    }

    #[cold]
    fn broken<T>(&self, what: &'static str) -> Result<T, LineError> {
        let column = self.at() + 1;
        Err(LineError::NotJson { what, column })
    }
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
