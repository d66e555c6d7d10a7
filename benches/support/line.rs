//! What other parsers make of a line: a structure with the fields of the lines that are measured, which borrows what it
//! can. The comparison with rivals has it from here, too.

use serde::Deserialize;
use std::borrow::Cow;

/// A text, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(
    #[serde(borrow)]
    #[allow(dead_code)]
    Cow<'a, str>,
);

/// A line of the project's own format, or an event of Agora's JavaScript SDK.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code)] // what is parsed is not read
pub struct Line<'a> {
    #[serde(borrow, default)]
    t: Option<Text<'a>>,
    #[serde(borrow, default)]
    channel: Option<Text<'a>>,
    #[serde(borrow, default)]
    topic: Option<Text<'a>>,
    #[serde(borrow, default)]
    user: Option<Text<'a>>,
    #[serde(default)]
    ts: Option<i64>,
    #[serde(borrow, default)]
    event_type: Option<Text<'a>>,
    #[serde(borrow, default)]
    channel_type: Option<Text<'a>>,
    #[serde(borrow, default)]
    channel_name: Option<Text<'a>>,
    #[serde(borrow, default)]
    publisher: Option<Text<'a>>,
    #[serde(default)]
    timestamp: Option<i64>,
    #[serde(borrow, default)]
    topic_infos: Vec<Topic<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code)]
struct Topic<'a> {
    #[serde(borrow)]
    topic_name: Text<'a>,
    #[serde(borrow, default)]
    publishers: Vec<Publisher<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code)]
struct Publisher<'a> {
    #[serde(borrow)]
    publisher_user_id: Text<'a>,
    #[serde(borrow, default)]
    publisher_meta: Option<Text<'a>>,
}
