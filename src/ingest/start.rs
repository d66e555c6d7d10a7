//! Decides by the start of a text how it is read: line by line, value by value ([`super::values`]), or not at all,
//! because it is something else ([`super::foreign`]). It depends on what the text begins with:
//!
//! - `[`, and in the same line an object follows before the bracket is closed, or the line ends, or `]` follows at
//!   once: it is read as an array, value by value.
//! - `{`, and that object continues in the next line, or another value follows it in the same line: value by value.
//! - `{` otherwise: line by line. But value by value if at least a quarter of the objects in the first 64 KiB are
//!   spread over lines.
//! - Anything else, if a line in the first 64 KiB is an object: as for `{`. If no line is one, the text is not read
//!   if it looks like a known kind of file, else it is read line by line.
//!
//! So a single bad line decides nothing: a text is refused only if no line of it is an event.

use super::foreign::{Looks, looks};
use super::values::{Front, ValueScanner};
use memchr::memchr;
use serde::de::IgnoredAny;

/// How much of a text is looked at.
pub(super) const LOOK_BYTES: usize = 64 << 10;

/// How a text is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadMode {
    Lines,
    Values,
    Foreign(Looks),
}

/// How to read a text that begins with `held`; `None`: undecided before more is
/// held. `ended`: `held` is the whole text.
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

/// Whether a text that begins with `[` is an array of events. It is not if the first line closes the bracket before
/// any object: then that is a value of its own, or the head of a log line.
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

/// How the objects of a text are laid out.
enum Objects {
    /// Most of them have a line of their own.
    InLines,
    /// They continue on the next line, or share a line.
    Spread,
    /// The first object has not ended yet.
    Open,
    None,
}

/// Looks at every line that begins with a brace; without `enough` text to judge by, only at the first one.
fn objects(text: &[u8], enough: bool) -> Objects {
    let (mut in_lines, mut spread, mut first) = (0, 0, None);
    let mut rest = text;
    while !rest.is_empty() && (enough || first.is_none()) {
        let line = rest.trim_ascii_start();
        let mut gone = 0;
        // A zero byte is half of a UTF-16 character in a text without a mark.
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
                // Nothing else is known of a line that is longer than the part looked at.
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
