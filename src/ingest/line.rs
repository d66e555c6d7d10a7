//! One line for the writer: the event that it tells, or what is kept of it where it tells none. And whether whoever
//! sends it may speak of its channels.

use super::source::LineText;
use crate::domain::entry::Recording;
use crate::domain::event::{Event, Said, Service, Str};
use crate::domain::time::Millis;
use crate::feed::{self, Defaults};
use crate::limits;
use crate::store::{Line, Rejected};
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

/// The only channels that lines may speak of; `None`: all.
pub type Only<'a> = Option<&'a [String]>;

impl Place<'_> {
    /// What is to be handed to the writer for a line that is not blank.
    #[must_use]
    pub fn take(self, text: LineText<'_>, defaults: &Defaults<'_>, only: Only<'_>) -> Line {
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
        let refuse = |reason: String| self.refuse(text, reason);
        match feed::parse(text, defaults) {
            Err(refusal) => refuse(refusal.to_string()),
            Ok(mut event) => match only.and_then(|only| stranger(&mut event, only)) {
                Some(channel) => refuse(format!(
                    "the token does not allow the channel \"{channel}\""
                )),
                None => {
                    let raw = Box::new(self.keep(text, text.len() as u64, None));
                    Line::Event(event.into_owned(), Some(raw))
                }
            },
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

/// A channel of the event that is not among those allowed. A link line that names none means those only.
fn stranger(event: &mut Event<'_>, only: &[String]) -> Option<String> {
    let strange = |channel: &Str<'_>| !only.iter().any(|allowed| *allowed == **channel);
    let found = match &mut event.said {
        Said::Changes { channel, .. }
        | Said::Snapshot { channel, .. }
        | Said::SnapshotBegin { channel, .. }
        | Said::SnapshotPage { channel, .. }
        | Said::SnapshotEnd { channel, .. }
        | Said::Occupancy { channel, .. }
        | Said::Resync { channel, .. } => Some(&*channel).filter(|channel| strange(channel)),
        Said::Link(link) => {
            if link.channels.is_empty() && link.service != Service::Other {
                link.channels = only.iter().map(|channel| channel.clone().into()).collect();
            }
            let named = link.channels.iter().chain(&link.unrestored);
            named.into_iter().find(|channel| strange(channel))
        }
        Said::Token(token) => token.channel.as_ref().filter(|channel| strange(channel)),
        Said::Connection(_) | Said::Nothing => None,
    };
    found.map(|channel| channel.to_string())
}
