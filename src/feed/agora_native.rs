//! The topic event of Agora's native SDKs ([guide](crate::guide::semantics#native-topic-events)).

use super::agora_topics::{self, FieldNames, TopicEventKind};
use super::line::Line;
use super::line_error::LineError;
use crate::domain::event::{ChangeKind, EventPayload};

const WORDS: FieldNames = FieldNames {
    total_topics: |line| line.topic_info_count(),
    topic: |topic| topic.topic(),
    total: |topic| topic.publisher_count(),
};

/// Reads a line with a numeric `type`.
pub(super) fn said<'a>(line: &Line<'a>) -> Result<EventPayload<'a>, LineError> {
    let number = line.type_number().whole("a whole number")?.flatten();
    let what = match number {
        Some(0) => TopicEventKind::None,
        Some(1) => TopicEventKind::Snapshot,
        Some(2) => TopicEventKind::Live(ChangeKind::Join),
        Some(3) => TopicEventKind::Live(ChangeKind::Leave),
        _ => return Err(line.type_number().unknown()),
    };
    agora_topics::said(line, what, &WORDS)
}
