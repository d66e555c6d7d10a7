//! Parses the bytes of a line into an event, whose text is borrowed from the line. There is one module per input
//! shape ([guide](crate::guide::semantics#input-shapes)). Only this module knows Agora's names. It decides nothing
//! about an event, and keeps no state.
//!
//! The shape is recognised for each line, by the first of these fields that the line has:
//!
//! - `t`, a string: Rollbook's own (`own`).
//! - `event`, a string: an Agora event under its event's name, from a bridge (`agora_link`).
//! - `eventType`, a string: Agora, JavaScript SDK. With `channelType` and `stateChanged` it is a presence event
//!   (`agora_presence`), else a topic event (`agora_js`).
//! - `type`, a number: Agora, native SDKs. With `channelType`, and with a presence event's fields or without a topic
//!   event's, it is a presence event (`agora_presence`), else a topic event (`agora_native`).
//!
//! A line with none of them has no known shape. Fields that a shape does not know are ignored, whatever they hold.
//! Known fields are checked even where the line does not need them: one of the wrong type rejects the line.
//!
//! All shapes share these rules. A null list is empty (`topicInfos` only beside a total of 0). A whole
//! number as the name of a user, a topic or a channel counts as its digits. A time is a number, in the unit
//! that the [`Settings`] give, or RFC 3339 text; it is in `ts`, or else in `timestamp`. If a member's
//! metadata is too large, the rest of it is used.

mod agora_js;
mod agora_link;
mod agora_native;
mod agora_presence;
mod agora_topics;
mod field;
mod json;
mod line;
mod line_error;
mod meta;
mod object;
mod own;
mod recorded;
mod settings;
mod word;

pub use line_error::LineError;
#[doc(hidden)]
pub use recorded::recording;
pub use settings::{Settings, TimeUnit};

use crate::domain::event::{Event, EventPayload};
use crate::domain::order::Stamp;
use crate::limits::ID_BYTES_MAX;
use json::Scanner;
use line::Line;
use object::ReadObject;
use std::borrow::Cow;

/// Values for what a line itself does not report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Defaults<'a> {
    /// The observer.
    pub observer: &'a str,
    /// The observer's own user id, where it is known.
    pub self_user: Option<&'a str>,
    /// How lines are read.
    pub settings: Settings,
}

impl<'a> Defaults<'a> {
    /// The defaults for an observer of which only the name is known.
    #[must_use]
    pub const fn of(observer: &'a str) -> Defaults<'a> {
        Defaults {
            observer,
            self_user: None,
            settings: Settings::USUAL,
        }
    }

    /// The observer's own user id. Default: not known.
    #[must_use]
    pub const fn self_user(mut self, user: &'a str) -> Self {
        self.self_user = Some(user);
        self
    }

    /// How lines are read. Default: [`Settings::USUAL`].
    #[must_use]
    pub const fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }
}

/// Parses one line, without its newline. A byte order mark before it is ignored.
///
/// ```
/// use rollbook::feed::{Defaults, parse};
///
/// let defaults = Defaults::of("default");
/// let line = br#"{"t":"join","channel":"room-1","topic":"lobby","user":"ann","ts":1000}"#;
/// let event = parse(line, &defaults)?;
/// assert_eq!(event.stamp.ts, Some(1000));
/// assert_eq!(event.observer, "default");
///
/// let error = parse(br#"{"t":"join","channel":"room-1","topic":"lobby"}"#, &defaults).unwrap_err();
/// assert_eq!(error.to_string(), "user is missing");
/// # Ok::<(), rollbook::feed::LineError>(())
/// ```
///
/// # Errors
///
/// A [`LineError`] when the line is not JSON, has no known shape, lacks a required field, has a
/// field of the wrong type, or exceeds a limit.
pub fn parse<'a>(line: &'a [u8], defaults: &Defaults<'a>) -> Result<Event<'a>, LineError> {
    let text = std::str::from_utf8(line).map_err(|error| LineError::NotUtf8 {
        byte: error.valid_up_to() + 1,
    })?;
    let start = if text.starts_with('\u{feff}') { 3 } else { 0 };
    let mut scanner = Scanner::new(text, start);
    scanner.space();
    if scanner.peek() != Some(b'{') {
        scanner.value()?;
        scanner.end()?;
        return Err(LineError::NoShape);
    }
    let mut line = Line::default();
    line.read(&mut scanner)?;
    scanner.end()?;

    let settings = &defaults.settings;
    let said = if line.t().is_string() {
        own::said(&line, settings)?
    } else {
        agora_said(&line, settings)?
    };
    let timestamp = line.timestamp().time(settings.time_unit)?;
    Ok(Event {
        observer: line
            .observer()
            .maybe_label()?
            .unwrap_or(Cow::Borrowed(defaults.observer)),
        self_user: line
            .self_user()
            .maybe_name()?
            .or(defaults.self_user.map(Cow::Borrowed)),
        id: id(&line)?,
        stamp: Stamp {
            pos: line.pos().pos()?,
            // Every line may use the name `ts`. Where it was added to an event of Agora's, it is meant to count.
            ts: line.ts().time(settings.time_unit)?.or(timestamp),
        },
        payload: said,
    })
}

fn agora_said<'a>(line: &Line<'a>, settings: &Settings) -> Result<EventPayload<'a>, LineError> {
    if line.event().is_string() {
        agora_link::said(line, settings)
    } else if line.event_type().is_string() {
        if agora_presence::is_js(line) {
            agora_presence::said(line, settings)
        } else {
            agora_js::said(line)
        }
    } else if line.type_number().is_number() {
        if agora_presence::is_native(line) {
            agora_presence::said(line, settings)
        } else {
            agora_native::said(line)
        }
    } else {
        Err(LineError::NoShape)
    }
}

/// Reads the `id`. An empty id is refused: all lines with it would count as retries of each other.
fn id<'a>(line: &Line<'a>) -> Result<Option<Cow<'a, str>>, LineError> {
    let id = line.id().string_up_to(ID_BYTES_MAX)?;
    match id {
        Some(id) if id.is_empty() => Err(LineError::Empty {
            field: line.id().name(),
        }),
        id => Ok(id),
    }
}
