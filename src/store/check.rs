//! The rules that an event must meet to be recorded: names, texts and times within their limits, metadata in its
//! canonical form. A feed produces only events that meet them; events from elsewhere are checked here. What follows
//! from an event is decided by `decide`.

use crate::decimal;
use crate::domain::event::{Event, EventPayload, ReportedListing, ReportedMember, Str};
use crate::domain::order::Stamp;
use crate::domain::time::Millis;
use crate::limits::{
    ID_BYTES_MAX, JSON_DEPTH_MAX, META_BYTES_MAX, NAME_BYTES_MAX, REASON_BYTES_MAX, TIME_MS_MAX,
    TIME_MS_MIN,
};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Why an event cannot be recorded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidEvent {
    /// A name is empty.
    #[error("{field} is empty")]
    Empty {
        /// The field.
        field: &'static str,
    },
    /// A text is longer than its limit.
    #[error("{field} is {length} bytes long; at most {most} are allowed")]
    TooLong {
        /// The field.
        field: &'static str,
        /// Its length in bytes.
        length: usize,
        /// The limit.
        most: usize,
    },
    /// A time is outside the range that can be printed.
    #[error("{field} is outside the years 1 to 9999")]
    TimeOutOfRange {
        /// The field.
        field: &'static str,
    },
    /// A lateness is negative, or longer than the whole range of times.
    #[error("{field} is {value}: it must be from 0 to {TIME_MS_MAX}")]
    Lateness {
        /// The field.
        field: &'static str,
        /// Its value.
        value: Millis,
    },
    /// Metadata is not JSON.
    #[error("{field} is no JSON")]
    NotJson {
        /// The field.
        field: &'static str,
    },
    /// Metadata is JSON, but not in the canonical form by which the log compares it.
    #[error(
        "{field} is not in its canonical form: no white space, keys sorted and each once, numbers and strings written in the one way"
    )]
    NotCanonical {
        /// The field.
        field: &'static str,
    },
}

/// Checks that an event can be recorded.
///
/// ```
/// use rollbook::Event;
/// use rollbook::store::{InvalidEvent, check};
/// let event = Event::join("room", "", "lily");
/// assert_eq!(check(&event), Err(InvalidEvent::Empty { field: "topic" }));
/// ```
///
/// # Errors
/// The first rule that the event breaks.
pub fn check(event: &Event<'_>) -> Result<(), InvalidEvent> {
    whose(event)?;
    at_most("id", event.id.as_ref(), ID_BYTES_MAX)?;
    stamp(event.stamp)?;
    match &event.payload {
        EventPayload::Changes {
            channel, changes, ..
        } => {
            name("channel", channel)?;
            changes.iter().try_for_each(|change| {
                name("topic", &change.topic)?;
                member(&change.who)
            })
        }
        EventPayload::Snapshot { channel, shown } => {
            name("channel", channel)?;
            listed(shown)
        }
        EventPayload::SnapshotBegin { channel, sync, .. }
        | EventPayload::SnapshotEnd { channel, sync, .. } => {
            name("channel", channel)?;
            name("sync", sync)
        }
        EventPayload::SnapshotPage {
            channel,
            sync,
            shown,
        } => {
            name("channel", channel)?;
            name("sync", sync)?;
            listed(shown)
        }
        EventPayload::Link(link) => {
            let names =
                |field, names: &[Str<'_>]| names.iter().try_for_each(|one| name(field, one));
            names("channels", &link.channels)?;
            names("unrestored", &link.unrestored)?;
            at_most("reason", link.reason.as_ref(), REASON_BYTES_MAX)
        }
        EventPayload::Token(token) => {
            maybe_name("channel", token.channel.as_ref())?;
            at_most("reason", token.reason.as_ref(), REASON_BYTES_MAX)
        }
        EventPayload::Connection(said) => time("ts", said.at),
        EventPayload::Occupancy { channel, .. } => name("channel", channel),
        EventPayload::Resync { channel, at } => {
            name("channel", channel)?;
            time("ts", Some(*at))
        }
        EventPayload::Nothing => Ok(()),
    }
}

/// Checks the names that a line may omit: the observer, and its own user (`self`).
pub(super) fn whose(event: &Event<'_>) -> Result<(), InvalidEvent> {
    name("observer", &event.observer)?;
    maybe_name("self", event.self_user.as_ref())
}

fn listed(shown: &ReportedListing<'_>) -> Result<(), InvalidEvent> {
    shown.topics.iter().try_for_each(|topic| {
        name("topic", &topic.topic)?;
        topic.members.iter().try_for_each(member)
    })
}

fn member(who: &ReportedMember<'_>) -> Result<(), InvalidEvent> {
    name("user", &who.user)?;
    at_most("conn", Some(&who.conn), NAME_BYTES_MAX)?;
    at_most("reason", who.reason.as_ref(), REASON_BYTES_MAX)?;
    stamp(who.stamp)?;
    if !(0..=TIME_MS_MAX).contains(&who.late_ms) {
        return Err(InvalidEvent::Lateness {
            field: "late_ms",
            value: who.late_ms,
        });
    }
    who.meta.as_ref().map_or(Ok(()), |text| meta(text))
}

/// Checks that a channel, topic, user or observer can have this name.
pub(super) fn name(field: &'static str, name: &str) -> Result<(), InvalidEvent> {
    if name.is_empty() {
        return Err(InvalidEvent::Empty { field });
    }
    length(field, name, NAME_BYTES_MAX)
}

fn maybe_name(field: &'static str, text: Option<&Str<'_>>) -> Result<(), InvalidEvent> {
    text.map_or(Ok(()), |text| name(field, text))
}

fn at_most(field: &'static str, text: Option<&Str<'_>>, most: usize) -> Result<(), InvalidEvent> {
    text.map_or(Ok(()), |text| length(field, text, most))
}

fn length(field: &'static str, text: &str, most: usize) -> Result<(), InvalidEvent> {
    let length = text.len();
    if length > most {
        return Err(InvalidEvent::TooLong {
            field,
            length,
            most,
        });
    }
    Ok(())
}

fn stamp(stamp: Stamp) -> Result<(), InvalidEvent> {
    time("ts", stamp.ts)
}

/// Checks that a time can be printed.
pub(super) fn time(field: &'static str, ms: Option<Millis>) -> Result<(), InvalidEvent> {
    match ms {
        Some(ms) if !(TIME_MS_MIN..=TIME_MS_MAX).contains(&ms) => {
            Err(InvalidEvent::TimeOutOfRange { field })
        }
        _ => Ok(()),
    }
}

fn meta(text: &str) -> Result<(), InvalidEvent> {
    let field = "meta";
    length(field, text, META_BYTES_MAX)?;
    if is_plain(text) {
        return Ok(());
    }
    if serde_json::from_str::<&RawValue>(text).is_err() {
        return Err(InvalidEvent::NotJson { field });
    }
    let mut canonical = String::with_capacity(text.len());
    match write(text, &mut canonical, JSON_DEPTH_MAX) {
        Some(()) if canonical == text => Ok(()),
        _ => Err(InvalidEvent::NotCanonical { field }),
    }
}

/// Whether JSON is obviously in its canonical form, as most metadata is: no white space, no escapes, numbers of digits
/// alone, and keys in order.
fn is_plain(text: &str) -> bool {
    let behind = behind_plain(text.as_bytes(), JSON_DEPTH_MAX);
    behind.is_some_and(<[u8]>::is_empty)
}

/// What follows a plain value; `None` if it may not be plain.
fn behind_plain(text: &[u8], deeper: usize) -> Option<&[u8]> {
    let deeper = deeper.checked_sub(1)?;
    match text {
        [b'{', b'}', rest @ ..] | [b'[', b']', rest @ ..] => Some(rest),
        [b'{', inner @ ..] => {
            let (mut rest, mut last) = (inner, None);
            loop {
                let (key, behind) = plain_string(rest)?;
                if last.replace(key).is_some_and(|last| last >= key) {
                    return None;
                }
                rest = behind_plain(behind.strip_prefix(b":")?, deeper)?;
                match rest {
                    [b',', more @ ..] => rest = more,
                    _ => return rest.strip_prefix(b"}"),
                }
            }
        }
        [b'[', inner @ ..] => {
            let mut rest = inner;
            loop {
                rest = behind_plain(rest, deeper)?;
                match rest {
                    [b',', more @ ..] => rest = more,
                    _ => return rest.strip_prefix(b"]"),
                }
            }
        }
        [b'"', ..] => Some(plain_string(text)?.1),
        // What makes a number longer than these digits is nothing that may follow a value.
        [b'0', rest @ ..] => Some(rest),
        [b'1'..=b'9', ..] => {
            let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let rest = text.get(digits..)?;
            (digits <= decimal::PLAIN_DIGITS_MAX).then_some(rest)
        }
        _ => {
            let words: [&[u8]; 3] = [b"true", b"false", b"null"];
            words.iter().find_map(|word| text.strip_prefix(*word))
        }
    }
}

/// The bytes of a string without escapes, and what follows it.
fn plain_string(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let inner = text.strip_prefix(b"\"")?;
    let plain = |byte: &u8| !matches!(byte, b'"' | b'\\' | ..b' ');
    let (string, rest) = inner.split_at_checked(inner.iter().take_while(|it| plain(it)).count())?;
    Some((string, rest.strip_prefix(b"\"")?))
}

/// Writes JSON in its canonical form; `None` if it has none.
fn write(text: &str, out: &mut String, deeper: usize) -> Option<()> {
    let deeper = deeper.checked_sub(1)?;
    match text.trim_ascii_start().as_bytes().first()? {
        b'{' => {
            let mut fields = serde_json::from_str::<Fields<'_>>(text).ok()?.0;
            // The sort is stable: for a repeated key the last value counts.
            fields.sort_by(|(a, _), (b, _)| a.cmp(b));
            out.push('{');
            let mut rest = fields.iter().peekable();
            while let Some((key, value)) = rest.next() {
                if rest.peek().is_some_and(|(next, _)| next == key) {
                    continue;
                }
                out.push_str(&serde_json::to_string(key).ok()?);
                out.push(':');
                write(value.get(), out, deeper)?;
                out.push(',');
            }
            end(out, '{', '}');
        }
        b'[' => {
            out.push('[');
            for item in serde_json::from_str::<Vec<&RawValue>>(text).ok()? {
                write(item.get(), out, deeper)?;
                out.push(',');
            }
            end(out, '[', ']');
        }
        b'"' => {
            let string: String = serde_json::from_str(text).ok()?;
            out.push_str(&serde_json::to_string(&string).ok()?);
        }
        b'-' | b'0'..=b'9' => decimal::write(text.trim_ascii(), out)?,
        _ => out.push_str(text.trim_ascii()),
    }
    Some(())
}

fn end(out: &mut String, open: char, close: char) {
    if !out.ends_with(open) {
        out.pop();
    }
    out.push(close);
}

/// An object as written: keys in their original order, including repeated keys.
struct Fields<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_plain_is_canonical() {
        let values = [
            "0",
            "7",
            "10",
            "-1",
            "-0",
            "00",
            "01",
            "1.5",
            "1e5",
            "0e1",
            "null",
            "nul",
            "true",
            "\"\"",
            "\"a\"",
            "\"é\"",
            "\"\\n\"",
            "\"\\u0041\"",
            "\"\u{1}\"",
            "\"a",
            "[]",
            "{}",
            "[1]",
            "[1,2]",
            "[1,]",
            "[,1]",
            "[1 ]",
            "{\"a\":1}",
            "{\"a\":1,\"b\":2}",
            "{\"b\":1,\"a\":2}",
            "{\"a\":1,\"a\":1}",
            "{\"a\" :1}",
            "{\"a\":1,}",
            "{\"a\"}",
            "123456789012345678901",
            "1234567890123456789012",
            "{a:1}",
            "",
            " 1",
            "1 ",
            "1 2",
            "[[]]",
            "[",
        ];
        let nested = values.iter().flat_map(|a| {
            values
                .iter()
                .map(move |b| format!("{{\"a\":{a},\"b\":[{b}]}}"))
        });
        let deep = [127, 128].map(|depth| "[".repeat(depth) + &"]".repeat(depth));
        let mut plain = 0;
        for text in values
            .iter()
            .map(|&text| text.to_owned())
            .chain(nested)
            .chain(deep)
        {
            let mut canonical = String::new();
            let is_json = serde_json::from_str::<&RawValue>(&text).is_ok();
            let closely = is_json
                && write(&text, &mut canonical, JSON_DEPTH_MAX).is_some()
                && canonical == text;
            assert!(closely || !is_plain(&text), "{text}");
            plain += usize::from(is_plain(&text));
        }
        assert!(plain > 100, "{plain}");
    }
}
