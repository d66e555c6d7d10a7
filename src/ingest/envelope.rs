//! Events in an envelope: what a JSON pointer (RFC 6901) finds in a line. `feed` knows what the event means.

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// The place of the event in its envelope: `/payload`, `/records/0/data`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer {
    text: String,
    tokens: Vec<String>,
}

impl FromStr for Pointer {
    type Err = String;

    fn from_str(text: &str) -> Result<Pointer, String> {
        let Some(path) = text.strip_prefix('/') else {
            return Err("a JSON pointer begins with a slash: /payload, or /log/event".to_owned());
        };
        let token = |token: &str| {
            let mut parts = token.split('~');
            let mut whole = parts.next().unwrap_or_default().to_owned();
            for part in parts {
                let (meant, rest) = match part.split_at_checked(1) {
                    Some(("0", rest)) => ('~', rest),
                    Some(("1", rest)) => ('/', rest),
                    _ => return Err("in a JSON pointer ~0 stands for ~, and ~1 for /".to_owned()),
                };
                whole.push(meant);
                whole.push_str(rest);
            }
            Ok(whole)
        };
        Ok(Pointer {
            text: text.to_owned(),
            tokens: path.split('/').map(token).collect::<Result<_, _>>()?,
        })
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// An event in an envelope: its text, and how many bytes of the line come before it. If the event was inside a JSON
/// string, the count is that of the string.
pub(super) type Enclosed<'a> = (Cow<'a, str>, usize);

impl Pointer {
    /// The events that a line encloses: the object at the pointer, or each element of an array there, or either of
    /// these in a JSON string there.
    ///
    /// # Errors
    /// When there is no event at the pointer: a sentence about what is there.
    pub(super) fn open<'a>(&self, line: &'a [u8]) -> Result<Vec<Enclosed<'a>>, String> {
        let valid = std::str::from_utf8(line);
        let text =
            valid.map_err(|error| format!("not UTF-8 (byte {})", error.valid_up_to() + 1))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut found = raw(text).map_err(|error| not_json(&error))?;
        for token in &self.tokens {
            let inner = match found.as_bytes().first() {
                Some(b'{') => step(found, AtKey(token)),
                Some(b'[') => step(found, AtIndex(token)),
                _ => Ok(None),
            };
            found = inner
                .map_err(|error| not_json(&error))?
                .ok_or_else(|| format!("there is nothing at {self}"))?;
        }
        let before = found.as_ptr() as usize - line.as_ptr() as usize;
        match found.as_bytes().first() {
            Some(b'"') => {
                let text: Cow<'a, str> = serde_json::from_str::<MaybeEscaped<'a>>(found)
                    .map_err(|error| format!("the text at {self} cannot be read: {error}"))?
                    .0;
                let inner = raw(&text)
                    .map_err(|error| format!("the text at {self} is {}", not_json(&error)))?;
                match inner.as_bytes().first() {
                    Some(b'[') => {
                        let elements = elements(inner).map_err(|error| not_json(&error))?;
                        let owned = |(text, _): (&str, usize)| (text.to_owned().into(), before);
                        Ok(elements.into_iter().map(owned).collect())
                    }
                    _ => Ok(vec![(inner.to_owned().into(), before)]),
                }
            }
            Some(b'[') => {
                let elements = elements(found).map_err(|error| not_json(&error))?;
                let placed = |(text, at): (&'a str, usize)| (text.into(), before + at);
                Ok(elements.into_iter().map(placed).collect())
            }
            Some(b'{') => Ok(vec![(found.into(), before)]),
            _ => Err(format!("there is no event at {self}, but {}", shown(found))),
        }
    }
}

/// The value, if it is short; else "a number".
fn shown(value: &str) -> &str {
    if value.len() <= 32 { value } else { "a number" }
}

fn not_json(error: &serde_json::Error) -> String {
    // The input is one line, so the line number is left out.
    let text = error.to_string();
    let what = text
        .rsplit_once(" at line ")
        .map_or(&*text, |(what, _)| what);
    format!("not JSON: {what} at column {}", error.column())
}

fn raw(text: &str) -> Result<&str, serde_json::Error> {
    serde_json::from_str::<&RawValue>(text).map(RawValue::get)
}

/// Goes one level down.
fn step<'a, S>(text: &'a str, seed: S) -> Result<Option<&'a str>, serde_json::Error>
where
    S: DeserializeSeed<'a, Value = Option<&'a RawValue>>,
{
    let found = seed.deserialize(&mut serde_json::Deserializer::from_str(text))?;
    Ok(found.map(RawValue::get))
}

/// The elements of an array, each with the number of bytes before it.
fn elements(text: &str) -> Result<Vec<(&str, usize)>, serde_json::Error> {
    let elements: Vec<&RawValue> = serde_json::from_str(text)?;
    let place = |element: &RawValue| element.get().as_ptr() as usize - text.as_ptr() as usize;
    Ok(elements
        .into_iter()
        .map(|element| (element.get(), place(element)))
        .collect())
}

/// A string that is borrowed where it has no escapes.
#[derive(serde::Deserialize)]
struct MaybeEscaped<'a>(#[serde(borrow)] Cow<'a, str>);

/// The value of this key; of repeated keys, the last one counts.
struct AtKey<'k>(&'k str);

impl<'de> DeserializeSeed<'de> for AtKey<'_> {
    type Value = Option<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for AtKey<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<MaybeEscaped<'de>>()? {
            if key.0 == self.0 {
                found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

/// The element at this index.
struct AtIndex<'k>(&'k str);

impl<'de> DeserializeSeed<'de> for AtIndex<'_> {
    type Value = Option<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for AtIndex<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        // Only digits are an index, and they have no leading zeros.
        let is_index = self.0.bytes().all(|byte| byte.is_ascii_digit())
            && (self.0 == "0" || !self.0.starts_with('0'));
        let wanted = self.0.parse::<usize>().ok().filter(|_| is_index);
        let (mut found, mut at) = (None, 0);
        while let Some(element) = elements.next_element::<&RawValue>()? {
            if Some(at) == wanted {
                found = Some(element);
            }
            at += 1;
        }
        Ok(found)
    }
}
