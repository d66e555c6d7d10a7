//! The topic event of Agora's native SDKs (contract 2.2).

use super::Line;
use super::agora_topics::{self, What, Words};
use super::refusal::Refusal;
use crate::domain::event::{Kind, Said};

const WORDS: Words = Words {
    total_topics: |line| line.topic_info_count(),
    topic: |topic| topic.topic(),
    total: |topic| topic.publisher_count(),
};

/// What a line with a numeric `type` says.
pub(super) fn said<'a>(line: &Line<'a>) -> Result<Said<'a>, Refusal> {
    let number = line.type_number().whole("a whole number")?.flatten();
    let what = match number {
        Some(0) => What::None,
        Some(1) => What::Snapshot,
        Some(2) => What::Live(Kind::Join),
        Some(3) => What::Live(Kind::Leave),
        _ => return Err(line.type_number().unknown()),
    };
    agora_topics::said(line, what, &WORDS)
}
