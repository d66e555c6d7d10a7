//! Names and metadata made safe and short for a terminal, and numbers in words. No layout, no colour.

use super::view::View;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt::Write;

/// What a table shows of metadata, or of a rejected line, as a share of its width; machine formats have all of it.
const CELL_SHARE: u16 = 3;

/// A name as a terminal may show it. A name is any UTF-8 up to its limit: what would move the cursor, turn the
/// writing round or be invisible is written as an escape, and so is the backslash, so that no two names look alike.
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

/// Control characters, line separators, bidirectional controls and what is invisible by itself. The joiners
/// U+200C and U+200D stay: Persian and emoji are written with them.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0001}')
}

/// A member: its user, and its connection where the source has such.
#[must_use]
pub fn member(user: &str, connection: &str) -> String {
    if connection.is_empty() {
        shown(user).into_owned()
    } else {
        format!("{} · {}", shown(user), shown(connection))
    }
}

/// Metadata as JSON on one line, cut where it is long; nothing where none is known, or it is null.
#[must_use]
pub fn meta(view: &View, meta: Option<&RawValue>) -> String {
    let meta = meta.map(RawValue::get).filter(|meta| *meta != "null");
    meta.map_or_else(String::new, |meta| cut(view, meta))
}

/// Text of any kind on one line, cut where it is long.
#[must_use]
pub fn cut(view: &View, text: &str) -> String {
    let chars_max = usize::from(view.width / CELL_SHARE);
    let end = text.char_indices().nth(chars_max).map(|(at, _)| at);
    let head = end.and_then(|end| text.get(..end)).unwrap_or(text);
    let mut line = String::with_capacity(head.len() + 4);
    for c in head.chars() {
        if is_unsafe(c) {
            // As JSON would escape it; a rejected line is not always JSON, but mostly.
            let _ = write!(line, "\\u{:04x}", u32::from(c));
        } else {
            line.push(c);
        }
    }
    if end.is_some() {
        line.push('…');
    }
    line
}

/// A number with its thousands apart: `9,990`.
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

/// `1 joined, 2 left`, leaving out what there is none of; empty where there is nothing at all.
#[must_use]
pub fn tally(parts: &[(u64, &str, &str)]) -> String {
    let some: Vec<String> = parts
        .iter()
        .filter(|(n, _, _)| *n > 0)
        .map(|(n, one, more)| many(*n, one, more))
        .collect();
    some.join(", ")
}
