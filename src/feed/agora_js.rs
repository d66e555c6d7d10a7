//! The `topic` event of Agora's JavaScript SDK (contract 2.1).

use super::Line;
use super::agora_topics::{self, What, Words};
use super::refusal::Refusal;
use crate::domain::event::{Kind, Said};

const WORDS: Words = Words {
    total_topics: |line| line.total_topics(),
    topic: |topic| topic.topic_name(),
    total: |topic| topic.total_publisher(),
};

/// What a line with an `eventType` says.
pub(super) fn said<'a>(line: &Line<'a>) -> Result<Said<'a>, Refusal> {
    let event_type = line
        .event_type()
        .string()?
        .ok_or(line.event_type().lacking())?;
    let what = match event_type.as_ref() {
        "SNAPSHOT" => What::Snapshot,
        "REMOTE_JOIN" => What::Live(Kind::Join),
        "REMOTE_LEAVE" => What::Live(Kind::Leave),
        "NONE" => What::None,
        _ => return Err(line.event_type().unknown()),
    };
    agora_topics::said(line, what, &WORDS)
}
