//! The `topic` event of Agora's JavaScript SDK as it is written
//! ([guide](crate::guide::semantics#javascript-topic-events)), by replay and by the live feed. They decide what it
//! contains.

use super::line::LineFields;
use crate::domain::time::Millis;
use serde::Serialize;
use serde_json::value::RawValue;

/// A topic event.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TopicEvent<'a> {
    pub event_type: EventType,
    pub channel_name: &'a str,
    /// The user that caused it; empty where there is none, or several.
    pub publisher: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Millis>,
    /// If it is larger than the number of listed topics, the event does not show all.
    pub total_topics: usize,
    pub topic_infos: Vec<TopicInfo<'a>>,
    #[serde(flatten)]
    pub line: LineFields<'a>,
}

/// The type of the event.
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
    /// If it is larger than the number of listed publishers, the event does not show all.
    pub total_publisher: usize,
    pub publishers: Vec<AgoraPublisher<'a>>,
}

/// A publisher in the topic.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AgoraPublisher<'a> {
    pub publisher_user_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub publisher_meta: Option<&'a RawValue>,
}
