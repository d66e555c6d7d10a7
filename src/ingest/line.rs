//! One line for the writer: the event that it tells, or what is kept of it where it tells none. What its sender may write
//! is decided in `reach`.

use super::reach::Reach;
use super::source::LineText;
use crate::domain::entry::Recording;
use crate::domain::event::Said;
use crate::domain::time::Millis;
use crate::feed::{self, Defaults};
use crate::limits;
use crate::store::{Line, Refused, Rejected};
use std::sync::Arc;

/// Where a line stands.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The file or feed.
    pub source: &'a Arc<str>,
    /// Its number there, from 1.
    pub line: u64,
    /// The byte at which it begins.
    pub byte: u64,
}

impl Place<'_> {
    /// What is to be handed to the writer for a line that is not blank.
    #[must_use]
    pub fn take(self, text: LineText<'_>, defaults: &Defaults<'_>, reach: &Reach) -> Line {
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
        let kept = || Rejected {
            limited: reach.is_limited(),
            ..self.keep(text, text.len() as u64, None)
        };
        let mut event = match feed::parse(text, defaults) {
            Ok(event) => event,
            Err(refusal) => {
                return Line::Rejected(Box::new(Rejected {
                    reason: refusal.to_string(),
                    ..kept()
                }));
            }
        };
        match reach.narrow(&mut event) {
            Ok(()) => Line::Event(event.into_owned(), Some(Box::new(kept()))),
            Err(what) => Line::Forbidden(Refused {
                source: Arc::clone(self.source),
                line: self.line,
                byte: self.byte,
                reason: format!("the token does not allow {what}"),
            }),
        }
    }

    /// A line that is rejected for a reason that is known before its event is looked at.
    pub(super) fn refuse(self, text: &[u8], reason: String) -> Line {
        Line::Rejected(Box::new(Rejected {
            reason,
            ..self.keep(text, text.len() as u64, None)
        }))
    }

    /// What is kept of a line where it is rejected; a reason is still to come.
    fn keep(self, text: &[u8], length: u64, blake3: Option<[u8; 32]>) -> Rejected {
        let head = text.get(..limits::REJECT_TEXT_BYTES_MAX);
        Rejected {
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

/// The time that the source gave for a line, or for the first member that has one of its own.
#[must_use]
pub fn source_time(line: &Line) -> Option<Millis> {
    let (Line::Event(event, _) | Line::Again(event, ..)) = line else {
        return None;
    };
    let first = match &event.said {
        Said::Changes { changes, .. } => changes.first().map(|change| &change.who),
        Said::Snapshot { shown, .. } | Said::SnapshotPage { shown, .. } => {
            shown.topics.iter().flat_map(|topic| &topic.members).next()
        }
        _ => None,
    };
    event.stamp.ts.or(first.and_then(|who| who.stamp.ts))
}

/// A line that is to be recorded as it was before.
#[must_use]
pub fn as_recorded(taken: Line, recording: Result<Recording, feed::Refusal>) -> Line {
    match (taken, recording) {
        (Line::Event(event, raw), Ok(recording)) => Line::Again(event, raw, recording),
        (Line::Event(_, raw), Err(refusal)) => Line::Rejected(Box::new(Rejected {
            reason: refusal.to_string(),
            ..raw.map(|raw| *raw).unwrap_or_default()
        })),
        (taken, _) => taken,
    }
}

fn too_long(rejected: Rejected) -> Line {
    let (length, most) = (rejected.length, limits::LINE_BYTES_MAX);
    Line::Rejected(Box::new(Rejected {
        reason: format!("the line is {length} bytes long; at most {most} are allowed"),
        ..rejected
    }))
}

/// Whether a line may turn out to be a reject, so that a strict run may end before it.
pub(super) fn may_be_refused(line: &Line) -> bool {
    match line {
        Line::Event(event, _) | Line::Again(event, _, _) => {
            matches!(
                event.said,
                Said::SnapshotPage { .. } | Said::SnapshotEnd { .. }
            )
        }
        Line::Rejected(_) | Line::Forbidden(_) | Line::Retry(..) => true,
        Line::Progress(_) | Line::Connection { .. } => false,
    }
}
