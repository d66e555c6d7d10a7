//! Which metadata are meant by a pattern, to leave out members that are machines.

use crate::domain::entry::Text;
use serde_json::Value;
use std::fmt::{Display, Formatter};
use std::str::FromStr;

/// Metadata that match one of some patterns.
///
/// The pattern `role=bot` matches an object whose field `role` is the string `bot` or the JSON `bot`, and a string that
/// is `role=bot` or has it as a part between commas, semicolons, ampersands or spaces. The pattern `bot` matches an
/// object whose field `bot` is `true`, and a string that is `bot` or has it as a part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MetaFilter(Vec<String>);

/// No pattern can be empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write KEY=VALUE or a word, several with commas between them, as in role=bot,recorder")]
pub struct EmptyPattern;

impl FromStr for MetaFilter {
    type Err = EmptyPattern;

    fn from_str(text: &str) -> Result<MetaFilter, EmptyPattern> {
        let patterns: Vec<String> = text.split(',').map(str::to_owned).collect();
        let empty = patterns.iter().any(|pattern| pattern.trim().is_empty());
        if empty {
            Err(EmptyPattern)
        } else {
            Ok(MetaFilter(patterns))
        }
    }
}

impl Display for MetaFilter {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join(","))
    }
}

impl MetaFilter {
    /// Whether no metadata match.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether metadata match; none match nothing.
    pub(super) fn matches(&self, meta: Option<&Text>) -> bool {
        // Most questions have no pattern: then nothing is parsed.
        let meta = meta.filter(|_| !self.0.is_empty());
        let Some(meta) = meta else {
            return false;
        };
        let value = serde_json::from_str(meta).unwrap_or_else(|_| Value::from(&**meta));
        self.0.iter().any(|pattern| is_match(&value, pattern))
    }
}

fn is_match(meta: &Value, pattern: &str) -> bool {
    match meta {
        Value::String(text) => {
            let mut parts = text.split([',', ';', '&', ' ']);
            text == pattern || parts.any(|part| part == pattern)
        }
        Value::Object(fields) => {
            let (key, wanted) = pattern.split_once('=').unwrap_or((pattern, "true"));
            match fields.get(key) {
                Some(Value::String(text)) => text == wanted,
                Some(other) => is_json(other, wanted),
                None => false,
            }
        }
        other => is_json(other, pattern),
    }
}

fn is_json(value: &Value, wanted: &str) -> bool {
    let json = value.to_string();
    json == wanted
}
