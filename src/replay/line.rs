//! What lines of every shape may have.

use crate::domain::event::{Event, Str};
use crate::domain::order::Stamp;
use serde::Serialize;
use serde::ser::Error as _;
use serde_json::value::RawValue;

/// The fields that any line may have, whatever its shape; only its time has several names.
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
    /// Those of an event, with the place of its line in the source's order.
    pub fn of(event: &'a Event<'_>, stamp: Stamp) -> Self {
        LineFields {
            observer: Some(&*event.observer).filter(|name| *name != "default"),
            self_user: event.self_user.as_deref(),
            id: event.id.as_deref(),
            pos: stamp.pos,
        }
    }
}

/// Metadata, which is canonical JSON since it came in; but an older program may have taken what is not. White space
/// that would break the line cannot be told either.
pub(super) fn raw<'a>(meta: Option<&'a Str<'_>>) -> serde_json::Result<Option<&'a RawValue>> {
    let one_line = |meta: &'a Str<'_>| match meta.contains(['\n', '\r']) {
        false => serde_json::from_str(meta),
        true => Err(serde_json::Error::custom("it is no single line")),
    };
    let named = |error| serde_json::Error::custom(format!("its metadata is no JSON: {error}"));
    meta.map(one_line).transpose().map_err(named)
}
