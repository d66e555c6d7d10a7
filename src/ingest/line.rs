//! Reads one line: makes an event of it, or says why there is none. `permissions` decides what its sender may write.

use super::options::IngestOptions;
use crate::domain::event::EventPayload;
use crate::domain::time::Millis;
use crate::feed::{self, Defaults};
use crate::limits;
use crate::store::{BatchEvent, BatchLine, BatchText, FeedLine};

/// A text without lines, with the names for lines that name none.
pub(super) fn names(how: &IngestOptions) -> BatchText {
    BatchText {
        observer: how.observer.clone(),
        self_user: how.self_user.clone(),
        ..BatchText::default()
    }
}

/// The batch line for a line that is not blank. `text` has the names for lines that name none.
pub(super) fn read<'a>(
    line: FeedLine<'a>,
    text: &'a BatchText,
    how: &IngestOptions,
) -> BatchLine<'a> {
    if let Some(long) = line.too_long {
        let (length, most) = (long.length, limits::LINE_BYTES_MAX);
        let reason = format!("the line is {length} bytes long; at most {most} are allowed");
        return BatchLine::Rejected(line, reason);
    }
    let line = FeedLine {
        limited: how.reach.is_limited(),
        ..line
    };
    let defaults = Defaults {
        observer: &text.observer,
        self_user: text.self_user.as_deref(),
        settings: how.settings,
    };
    let mut event = match feed::parse(line.text, &defaults) {
        Ok(event) => event,
        Err(error) => return BatchLine::Rejected(line, error.to_string()),
    };
    if let Err(what) = how.reach.narrow(&mut event) {
        return BatchLine::Forbidden(line, format!("the token does not allow {what}"));
    }
    let mut recording = None;
    if how.keep_recorded {
        match feed::recording(line.text) {
            Ok(kept) => recording = Some(Box::new(kept)),
            Err(error) => return BatchLine::Rejected(line, error.to_string()),
        }
    }
    BatchLine::Event(BatchEvent {
        event,
        line: Some(line),
        recording,
    })
}

/// The time that the source reported for a line, or else for its first member.
pub(super) fn source_time(line: &BatchLine<'_>) -> Option<Millis> {
    let BatchLine::Event(BatchEvent { event, .. }) = line else {
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

/// Whether a line may still be rejected, so that a strict run may end before it.
pub(super) fn may_be_refused(line: &BatchLine<'_>) -> bool {
    match line {
        BatchLine::Event(BatchEvent { event, .. }) => matches!(
            event.payload,
            EventPayload::SnapshotPage { .. } | EventPayload::SnapshotEnd { .. }
        ),
        BatchLine::Rejected(..) | BatchLine::Forbidden(..) => true,
        BatchLine::Progress(_) | BatchLine::Connection { .. } => false,
    }
}
