//! Fields that lines of every shape may have.

use crate::domain::event::{Event, Str};
use crate::domain::order::Stamp;
use serde::Serialize;
use serde::ser::Error as _;
use serde_json::value::RawValue;

/// The fields that any line may have, whatever its shape. The time is not one of them: its name depends on the shape.
#[derive(Default, Serialize)]
pub(crate) struct LineFields<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    observer: Option<&'a str>,
    #[serde(rename = "self", skip_serializing_if = "Option::is_none")]
    self_user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pos: Option<[i64; 2]>,
}

impl<'a> LineFields<'a> {
    /// The fields of an event; `stamp` is that of its line.
    pub fn of(event: &'a Event<'_>, stamp: Stamp) -> Self {
        LineFields {
            observer: Some(&*event.observer).filter(|name| *name != "default"),
            self_user: event.self_user.as_deref(),
            id: event.id.as_deref(),
            pos: stamp.pos,
        }
    }
}

/// Metadata as raw JSON. It was canonical JSON when it was ingested, but an older version may have accepted other
/// text. Metadata with a line break cannot be part of a line either.
pub(super) fn raw<'a>(meta: Option<&'a Str<'_>>) -> serde_json::Result<Option<&'a RawValue>> {
    let one_line = |meta: &'a Str<'_>| match meta.contains(['\n', '\r']) {
        false => serde_json::from_str(meta),
        true => Err(serde_json::Error::custom("it is no single line")),
    };
    let named = |error| serde_json::Error::custom(format!("its metadata is no JSON: {error}"));
    meta.map(one_line).transpose().map_err(named)
}
