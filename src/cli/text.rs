//! Makes names and metadata safe and short for a terminal, and formats numbers. No layout, no colour.

use super::style::TerminalStyle;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt::Write;
use std::io;

/// A table shows metadata and rejected lines up to this fraction of its width (1/3); machine formats show all of it.
const CELL_SHARE: u16 = 3;

/// A name in a form that is safe for a terminal. A name may be any UTF-8 up to its limit. Characters that move the
/// cursor, change the writing direction or are invisible are escaped; so is the backslash, so that no two names look
/// alike.
#[must_use]
pub fn shown(name: &str) -> Cow<'_, str> {
    let padded = name.is_empty() || name.trim() != name || name.starts_with('"');
    if !padded && !name.chars().any(|c| c == '\\' || is_unsafe(c)) {
        return Cow::Borrowed(name);
    }
    let mut text = String::with_capacity(name.len() + 8);
    if padded {
        text.push('"');
    }
    for c in name.chars() {
        match c {
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\0' => text.push_str("\\0"),
            '\\' => text.push_str("\\\\"),
            '"' if padded => text.push_str("\\\""),
            c if is_unsafe(c) => {
                // Writing to a string cannot fail.
                let _ = write!(text, "\\u{{{:x}}}", u32::from(c));
            }
            c => text.push(c),
        }
    }
    if padded {
        text.push('"');
    }
    Cow::Owned(text)
}

/// Whether it is a control character, line separator, bidirectional control or invisible character. The joiners
/// U+200C and U+200D are allowed: Persian and emoji need them.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0001}')
}

/// A name for a table: as [`shown`], and isolated if it has letters that are written from right to left, so that they do
/// not turn round the times beside it.
#[must_use]
pub fn name(name: &str) -> Cow<'_, str> {
    let name = shown(name);
    if name.contains(is_right_to_left) {
        return Cow::Owned(format!("{ISOLATE}{name}{ISOLATE_END}"));
    }
    name
}

/// Begins an isolate, in the direction of its first letter.
pub const ISOLATE: char = '\u{2068}';
/// Ends it.
pub const ISOLATE_END: char = '\u{2069}';

/// Whether it is a letter of a script that is written from right to left, such as Hebrew or Arabic.
fn is_right_to_left(c: char) -> bool {
    matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}'
        | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
}

/// A member: its user, and its connection if the source reports one.
#[must_use]
pub fn member(user: &str, connection: &str) -> String {
    if connection.is_empty() {
        name(user).into_owned()
    } else {
        format!("{} · {}", name(user), name(connection))
    }
}

/// Metadata as JSON on one line, cut if it is long; empty if none is known, or it is null.
#[must_use]
pub fn meta(view: &TerminalStyle, meta: Option<&RawValue>) -> String {
    let meta = meta.map(RawValue::get).filter(|meta| *meta != "null");
    meta.map_or_else(String::new, |meta| cut(view, meta))
}

/// Any text on one line, cut if it is long.
#[must_use]
pub fn cut(view: &TerminalStyle, text: &str) -> String {
    let chars_max = usize::from(view.width / CELL_SHARE);
    let end = text.char_indices().nth(chars_max).map(|(at, _)| at);
    let head = end.and_then(|end| text.get(..end)).unwrap_or(text);
    let mut line = String::with_capacity(head.len() + 4);
    for c in head.chars() {
        if is_unsafe(c) {
            push_escaped(&mut line, c);
        } else {
            line.push(c);
        }
    }
    if end.is_some() {
        line.truncate(line.trim_end().len());
        line.push('…');
    }
    line
}

/// Escapes as JSON does: a rejected line is usually JSON, but not always.
fn push_escaped(text: &mut String, c: char) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        // Writing to a string cannot fail.
        let _ = write!(text, "\\u{unit:04x}");
    }
}

/// A machine format in a form that is safe for a terminal: characters that move the cursor, change the writing
/// direction or are invisible are escaped as in JSON. Line breaks stay.
#[must_use]
pub fn on_terminal(text: &str) -> Cow<'_, str> {
    let moves = |c: char| c != '\n' && is_unsafe(c);
    if !text.contains(moves) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if moves(c) {
            push_escaped(&mut shown, c);
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// A writer for machine formats on a terminal: it escapes as [`on_terminal`] does.
pub struct Terminal<W> {
    sink: W,
    /// The first bytes of a character that is not complete yet.
    front: Vec<u8>,
}

impl<W: io::Write> Terminal<W> {
    /// A writer in front of `sink`.
    #[must_use]
    pub fn new(sink: W) -> Terminal<W> {
        let front = Vec::new();
        Terminal { sink, front }
    }
}

impl<W: io::Write> io::Write for Terminal<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.front.extend_from_slice(bytes);
        let mut text = std::mem::take(&mut self.front);
        if let Err(error) = std::str::from_utf8(&text)
            && error.error_len().is_none()
        {
            self.front = text.split_off(error.valid_up_to());
        }
        let text = String::from_utf8_lossy(&text);
        self.sink.write_all(on_terminal(&text).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

/// A number with a separator for thousands: `9,990`.
#[must_use]
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + 6);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 gap`, `2 gaps`.
#[must_use]
pub fn many(n: u64, one: &str, more: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { more })
}

/// `1 joined, 2 left`, without zero counts; empty if all are zero.
#[must_use]
pub fn tally(parts: &[(u64, &str, &str)]) -> String {
    let some: Vec<String> = parts
        .iter()
        .filter(|(n, _, _)| *n > 0)
        .map(|(n, one, more)| many(*n, one, more))
        .collect();
    some.join(", ")
}
