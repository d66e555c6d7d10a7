//! The `topic` event of Agora's JavaScript SDK as it is written (contract 2.1): by who plays recorded events, and by the
//! live feed. What is in it is the business of those who fill it.

use super::line::LineFields;
use crate::domain::time::Millis;
use serde::Serialize;
use serde_json::value::RawValue;

/// The event.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TopicEvent<'a> {
    pub event_type: EventType,
    pub channel_name: &'a str,
    /// Who made it happen; empty where that is nobody, or several.
    pub publisher: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Millis>,
    /// More than are listed: the event does not show all.
    pub total_topics: usize,
    pub topic_infos: Vec<TopicInfo<'a>>,
    #[serde(flatten)]
    pub line: LineFields<'a>,
}

/// What it tells.
#[derive(Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum EventType {
    Snapshot,
    RemoteJoin,
    RemoteLeave,
}

/// A topic.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TopicInfo<'a> {
    pub topic_name: &'a str,
    /// More than are listed: the event does not show all.
    pub total_publisher: usize,
    pub publishers: Vec<AgoraPublisher<'a>>,
}

/// One who publishes in it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AgoraPublisher<'a> {
    pub publisher_user_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub publisher_meta: Option<&'a RawValue>,
}
