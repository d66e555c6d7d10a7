//! The `topic` event of Agora's JavaScript SDK ([guide](crate::guide::semantics#javascript-topic-events)).

use super::agora_topics::{self, FieldNames, TopicEventKind};
use super::line::Line;
use super::line_error::LineError;
use crate::domain::event::{ChangeKind, EventPayload};

const WORDS: FieldNames = FieldNames {
    total_topics: |line| line.total_topics(),
    topic: |topic| topic.topic_name(),
    total: |topic| topic.total_publisher(),
};

/// Reads a line with an `eventType`.
pub(super) fn said<'a>(line: &Line<'a>) -> Result<EventPayload<'a>, LineError> {
    let event_type = line
        .event_type()
        .string()?
        .ok_or_else(|| line.event_type().lacking())?;
    let what = match event_type.as_ref() {
        "SNAPSHOT" => TopicEventKind::Snapshot,
        "REMOTE_JOIN" => TopicEventKind::Live(ChangeKind::Join),
        "REMOTE_LEAVE" => TopicEventKind::Live(ChangeKind::Leave),
        "NONE" => TopicEventKind::None,
        _ => return Err(line.event_type().unknown()),
    };
    agora_topics::said(line, what, &WORDS)
}
