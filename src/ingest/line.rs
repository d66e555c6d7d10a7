//! Makes one line into a batch line for the writer: its event, or what is kept of a line without a valid one.
//! `permissions` decides what its sender may write.

use super::permissions::WritePermissions;
use super::source::LineText;
use crate::domain::entry::Recording;
use crate::domain::event::EventPayload;
use crate::domain::time::Millis;
use crate::feed::{self, Defaults};
use crate::limits;
use crate::store::{BatchLine, RefusedLine, RejectedLine};
use std::sync::Arc;

/// The position of a line.
#[derive(Debug, Clone, Copy)]
pub struct LineLocation<'a> {
    /// The file or feed.
    pub source: &'a Arc<str>,
    /// Its number there, from 1.
    pub line: u64,
    /// The byte at which it begins.
    pub byte: u64,
}

impl LineLocation<'_> {
    /// The batch line for a line that is not blank.
    #[must_use]
    pub fn take(
        self,
        text: LineText<'_>,
        defaults: &Defaults<'_>,
        reach: &WritePermissions,
    ) -> BatchLine {
        let text = match text {
            LineText::Whole(text) if text.len() <= limits::LINE_BYTES_MAX => text,
            LineText::Whole(text) => {
                let rejected = self.keep(text, text.len() as u64, None);
                return too_long(rejected);
            }
            LineText::TooLong {
                head,
                length,
                blake3,
            } => return too_long(self.keep(head, length, Some(blake3))),
        };
        let kept = || RejectedLine {
            limited: reach.is_limited(),
            ..self.keep(text, text.len() as u64, None)
        };
        let mut event = match feed::parse(text, defaults) {
            Ok(event) => event,
            Err(refusal) => {
                return BatchLine::Rejected(Box::new(RejectedLine {
                    reason: refusal.to_string(),
                    ..kept()
                }));
            }
        };
        match reach.narrow(&mut event) {
            Ok(()) => BatchLine::Event(event.into_owned(), Some(Box::new(kept()))),
            Err(what) => BatchLine::Forbidden(RefusedLine {
                source: Arc::clone(self.source),
                line: self.line,
                byte: self.byte,
                reason: format!("the token does not allow {what}"),
            }),
        }
    }

    /// A line that is rejected for a reason known before its event is read.
    pub(super) fn refuse(self, text: &[u8], reason: String) -> BatchLine {
        BatchLine::Rejected(Box::new(RejectedLine {
            reason,
            ..self.keep(text, text.len() as u64, None)
        }))
    }

    /// What is kept of a line if it is rejected; the reason is still empty.
    fn keep(self, text: &[u8], length: u64, blake3: Option<[u8; 32]>) -> RejectedLine {
        let head = text.get(..limits::REJECT_TEXT_BYTES_MAX);
        RejectedLine {
            source: Arc::clone(self.source),
            line: self.line,
            byte: self.byte,
            reason: String::new(),
            text: head.unwrap_or(text).to_vec(),
            length,
            blake3: blake3.or_else(|| head.map(|_| *blake3::hash(text).as_bytes())),
            limited: false,
        }
    }
}

/// The time that the source reported for a line, or else for its first member.
#[must_use]
pub fn source_time(line: &BatchLine) -> Option<Millis> {
    let (BatchLine::Event(event, _) | BatchLine::Again(event, ..)) = line else {
        return None;
    };
    let first = match &event.payload {
        EventPayload::Changes { changes, .. } => changes.first().map(|change| &change.who),
        EventPayload::Snapshot { shown, .. } | EventPayload::SnapshotPage { shown, .. } => {
            shown.topics.iter().flat_map(|topic| &topic.members).next()
        }
        _ => None,
    };
    event.stamp.ts.or(first.and_then(|who| who.stamp.ts))
}

/// A line that is recorded again as it was recorded before.
#[must_use]
pub fn as_recorded(taken: BatchLine, recording: Result<Recording, feed::LineError>) -> BatchLine {
    match (taken, recording) {
        (BatchLine::Event(event, raw), Ok(recording)) => BatchLine::Again(event, raw, recording),
        (BatchLine::Event(_, raw), Err(refusal)) => BatchLine::Rejected(Box::new(RejectedLine {
            reason: refusal.to_string(),
            ..raw.map(|raw| *raw).unwrap_or_default()
        })),
        (taken, _) => taken,
    }
}

fn too_long(rejected: RejectedLine) -> BatchLine {
    let (length, most) = (rejected.length, limits::LINE_BYTES_MAX);
    BatchLine::Rejected(Box::new(RejectedLine {
        reason: format!("the line is {length} bytes long; at most {most} are allowed"),
        ..rejected
    }))
}

/// Whether a line may still be rejected, so that a strict run may end before it.
pub(super) fn may_be_refused(line: &BatchLine) -> bool {
    match line {
        BatchLine::Event(event, _) | BatchLine::Again(event, _, _) => {
            matches!(
                event.payload,
                EventPayload::SnapshotPage { .. } | EventPayload::SnapshotEnd { .. }
            )
        }
        BatchLine::Rejected(_) | BatchLine::Forbidden(_) | BatchLine::Retry(..) => true,
        BatchLine::Progress(_) | BatchLine::Connection { .. } => false,
    }
}
