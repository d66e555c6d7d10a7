//! Agora's events as a bridge forwards them, under the name of the event
//! ([guide](crate::guide::semantics#link-and-token-events)): link, token, and the topic and presence events
//! themselves. The native SDKs write enum numbers instead of words.

use super::line::Line;
use super::line_error::LineError;
use super::settings::Settings;
use super::{agora_js, agora_native, agora_presence};
use crate::domain::event::{
    EventPayload, LinkState, ReportedLink, ReportedToken, Service, Str, TokenState,
};
use crate::limits::REASON_BYTES_MAX;

/// The native SDKs' number for the link state `CONNECTED`.
const CONNECTED: i64 = 2;
/// Their numbers for the services. A sum stands for several services.
const MESSAGE: i64 = 1;
const STREAM: i64 = 2;

/// Reads a line with an `event`.
pub(super) fn said<'a>(
    line: &Line<'a>,
    settings: &Settings,
) -> Result<EventPayload<'a>, LineError> {
    let event = line
        .event()
        .string()?
        .ok_or_else(|| line.event().lacking())?;
    match event.as_ref() {
        "topic" if line.event_type().is_given() => agora_js::said(line),
        "topic" if line.type_number().is_number() => agora_native::said(line),
        "topic" => Err(line.event_type().lacking()),
        "presence" => agora_presence::said(line, settings),
        "linkState" => link(line),
        "token" => token(line),
        "tokenPrivilegeWillExpire" => token_in(line, TokenState::WillExpire),
        _ => Err(line.event().unknown()),
    }
}

fn link<'a>(line: &Line<'a>) -> Result<EventPayload<'a>, LineError> {
    let resumed = line.is_resumed().flag()?;
    Ok(EventPayload::Link(ReportedLink {
        state: match (is_connected(line)?, resumed) {
            (true, false) => LinkState::Up,
            // The SDK reports what was missed as joins and leaves, and sends no snapshot.
            (true, true) => LinkState::UpWithDifferences,
            (false, _) => LinkState::Down,
        },
        channels: line.affected_channels().names()?,
        unrestored: line.unrestored_channels().names()?,
        service: service(line)?,
        reason: reason(line)?,
    }))
}

/// Whether the state is `CONNECTED`. An unknown state counts as not connected.
fn is_connected(line: &Line<'_>) -> Result<bool, LineError> {
    let state = line.current_state();
    if state.is_number() {
        return Ok(state.whole("a word or a whole number")?.flatten() == Some(CONNECTED));
    }
    Ok(state.string()?.ok_or_else(|| state.lacking())? == "CONNECTED")
}

fn service(line: &Line<'_>) -> Result<Service, LineError> {
    let service = line.service_type();
    if service.is_number() {
        let sum = service.whole("a word or a whole number")?.flatten();
        return Ok(match sum.map(|sum| (sum, sum & (MESSAGE | STREAM))) {
            // In the enum, 0 is called "none".
            Some((0, _)) => Service::TopicsAndPresence,
            Some((_, MESSAGE)) => Service::Presence,
            Some((_, STREAM)) => Service::Topics,
            None | Some((_, 0)) => Service::Other,
            Some(_) => Service::TopicsAndPresence,
        });
    }
    Ok(match service.string()?.as_deref() {
        None | Some("NONE") => Service::TopicsAndPresence,
        Some("STREAM") => Service::Topics,
        Some("MESSAGE") => Service::Presence,
        Some(_) => Service::Other,
    })
}

/// The reason: the code, if it is a word. If the code is a number: the text beside it, else the digits.
fn reason<'a>(line: &Line<'a>) -> Result<Option<Str<'a>>, LineError> {
    let code = line.reason_code().text_up_to(REASON_BYTES_MAX)?;
    let text = line.reason().string_up_to(REASON_BYTES_MAX)?;
    let is_word = line.reason_code().is_string();
    Ok(if is_word { code } else { text.or(code) })
}

fn token<'a>(line: &Line<'a>) -> Result<EventPayload<'a>, LineError> {
    let event_type = line
        .event_type()
        .string()?
        .ok_or_else(|| line.event_type().lacking())?;
    match event_type.as_ref() {
        "WILL_EXPIRE" => token_in(line, TokenState::WillExpire),
        "READ_PERMISSION_REVOKED" => match token_in(line, TokenState::Revoked)? {
            // The state alone does not say which permission was revoked.
            EventPayload::Token(token) => Ok(EventPayload::Token(ReportedToken {
                reason: token.reason.or(Some(event_type)),
                ..token
            })),
            other => Ok(other),
        },
        _ => Err(line.event_type().unknown()),
    }
}

/// Reads a token event. Agora's callback gives an empty channel name for a token that is valid for all channels.
fn token_in<'a>(line: &Line<'a>, state: TokenState) -> Result<EventPayload<'a>, LineError> {
    let named = line.channel_name().name_or_empty()?;
    let also = line.channel().name_or_empty()?;
    Ok(EventPayload::Token(ReportedToken {
        state,
        channel: [named, also].into_iter().find(|name| !name.is_empty()),
        reason: reason(line)?,
    }))
}
