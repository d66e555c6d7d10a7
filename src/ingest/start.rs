//! The start of a text -> how it is read: line by line, value by value ([`super::values`]), or not at all, because it is
//! something else ([`super::foreign`]).
//!
//! | it begins with | it is read |
//! | --- | --- |
//! | `[`, and in the same line an object follows before the bracket is closed, or the line ends, or `]` follows at once | as an array: value by value |
//! | `{`, and that object goes on in the next line, or another value follows it in the same line | value by value |
//! | `{` | line by line; value by value if of the objects in the first 64 KiB a quarter or more are spread over lines |
//! | anything else | the same, if a line in the first 64 KiB is an object; if none is, by what it looks like: not at all; and if it looks like nothing known, line by line |
//!
//! So a line that is merely bad decides nothing: that takes a text of which no line is an event.

use super::foreign::{Looks, looks};
use super::values::{Front, ValueScanner};
use memchr::memchr;
use serde::de::IgnoredAny;

/// As much of a text is looked at.
pub(super) const LOOK_BYTES: usize = 64 << 10;

/// How a text is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadMode {
    Lines,
    Values,
    Foreign(Looks),
}

/// How a text is read that begins with `held`; `None`: that does not tell yet. `ended`: it is all of it.
pub(super) fn start(held: &[u8], ended: bool) -> Option<ReadMode> {
    let enough = ended || held.len() >= LOOK_BYTES;
    let window = held.get(..LOOK_BYTES).unwrap_or(held);
    let text = window.strip_prefix("\u{feff}".as_bytes()).unwrap_or(window);
    let text = text.trim_ascii_start();
    match text.first() {
        None => return enough.then_some(ReadMode::Lines),
        Some(b'[') => match is_array(text) {
            Some(true) => return Some(ReadMode::Values),
            Some(false) => {}
            None => return enough.then_some(ReadMode::Values),
        },
        Some(_) => {}
    }
    match (objects(text, enough), enough) {
        (Objects::Spread, _) => Some(ReadMode::Values),
        (Objects::InLines, _) => Some(ReadMode::Lines),
        (Objects::Open, false) | (Objects::None, false) => None,
        (Objects::Open, true) => Some(ReadMode::Lines),
        (Objects::None, true) => Some(match looks(window, ended) {
            Some(looks) => ReadMode::Foreign(looks),
            None => ReadMode::Lines,
        }),
    }
}

/// Whether a text that begins with `[` is an array of events. It is not where the first line closes the bracket again
/// before any object: that is a value of its own, or the head of a log's line.
fn is_array(text: &[u8]) -> Option<bool> {
    let (mut depth, mut quoted, mut escaped, mut last) = (0_usize, false, false, 0);
    let mut said = false;
    for &byte in text {
        if quoted {
            match byte {
                b'\n' => return Some(false),
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => quoted = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b' ' | b'\t' | b'\r' => continue,
            b'\n' => return Some(matches!(last, b'[' | b',')),
            b'{' => return Some(matches!(last, b'[' | b',')),
            b'"' => quoted = true,
            b'[' => depth += 1,
            b']' if depth == 1 && !said => return Some(true),
            b']' => {
                depth -= 1;
                if depth == 0 {
                    return Some(false);
                }
            }
            _ => {}
        }
        said |= depth > 1 || !matches!(byte, b'[' | b',');
        last = byte;
    }
    None
}

/// What objects a text has.
enum Objects {
    /// Mostly such that have a line of their own.
    InLines,
    /// Such that go on in the next line, or share one.
    Spread,
    /// The first is not over yet.
    Open,
    None,
}

/// Looks at every line that begins with a brace, or only at the first, unless there is `enough` of the text to judge by.
fn objects(text: &[u8], enough: bool) -> Objects {
    let (mut in_lines, mut spread, mut first) = (0, 0, None);
    let mut rest = text;
    while !rest.is_empty() && (enough || first.is_none()) {
        let line = rest.trim_ascii_start();
        let mut gone = 0;
        // A zero is half of a character of UTF-16 without a mark.
        if line.first() == Some(&b'{') && line.get(1) != Some(&0) {
            match ValueScanner::new().look(line, false, false) {
                Front::Value(object) => {
                    gone = object.length;
                    let (one, behind) = line.split_at_checked(gone).unwrap_or_default();
                    let end = memchr(b'\n', behind).unwrap_or(behind.len());
                    let same_line = behind.get(..end).unwrap_or_default().trim_ascii_start();
                    if !enough && end == behind.len() && same_line.is_empty() {
                        return Objects::Open;
                    }
                    let shares = matches!(same_line.first(), Some(b'{' | b'['));
                    if is_json(one) {
                        let is_spread = shares || memchr(b'\n', one).is_some();
                        first.get_or_insert(is_spread);
                        *(if is_spread {
                            &mut spread
                        } else {
                            &mut in_lines
                        }) += 1;
                    }
                }
                Front::More if enough && memchr(b'\n', line).is_some() => {
                    first.get_or_insert(true);
                    spread += 1;
                    break;
                }
                // Nothing else is known of a line that is longer than what is looked at.
                Front::More if first.is_none() => return Objects::Open,
                Front::More => break,
                Front::Nothing(_) => {}
            }
        }
        let behind = rest
            .get(rest.len() - line.len() + gone..)
            .unwrap_or_default();
        let next = memchr(b'\n', behind).map_or(behind.len(), |newline| newline + 1);
        rest = behind.get(next..).unwrap_or_default();
    }
    match first {
        None => Objects::None,
        Some(true) => Objects::Spread,
        Some(false) if spread > 0 && spread * 3 >= in_lines => Objects::Spread,
        Some(false) => Objects::InLines,
    }
}

fn is_json(object: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(object).is_ok()
}
