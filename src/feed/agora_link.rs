//! Agora's events as a bridge forwards them, under their event's name (contract 2.3): link, token, and the topic event
//! itself.

use super::refusal::Refusal;
use super::{Line, agora_js};
use crate::domain::event::{LinkSaid, LinkState, Said, Service, TokenSaid, TokenState};
use crate::limits::{NAME_BYTES_MAX, REASON_BYTES_MAX};

/// What a line with an `event` says.
pub(super) fn said<'a>(line: &Line<'a>) -> Result<Said<'a>, Refusal> {
    let event = line.event().string()?.ok_or(line.event().lacking())?;
    match event.as_ref() {
        "topic" => agora_js::said(line),
        "linkState" => link(line),
        "token" => token(line),
        "tokenPrivilegeWillExpire" => token_in(line, TokenState::WillExpire),
        _ => Err(line.event().unknown()),
    }
}

fn link<'a>(line: &Line<'a>) -> Result<Said<'a>, Refusal> {
    let state = line
        .current_state()
        .string()?
        .ok_or(line.current_state().lacking())?;
    let state = match state.as_ref() {
        "CONNECTED" if line.is_resumed().flag()? => LinkState::UpWithDifferences,
        "CONNECTED" => LinkState::Up,
        "IDLE" | "CONNECTING" | "DISCONNECTED" | "SUSPENDED" | "FAILED" => LinkState::Down,
        _ => return Err(line.current_state().unknown()),
    };
    let service = line.service_type().string()?;
    Ok(Said::Link(LinkSaid {
        state,
        channels: line.affected_channels().names()?,
        unrestored: line.unrestored_channels().names()?,
        service: match service.as_deref() {
            None => Service::TopicsAndPresence,
            Some("STREAM") => Service::Topics,
            Some("MESSAGE") => Service::Presence,
            Some(_) => Service::Other,
        },
        reason: line.reason_code().string_up_to(REASON_BYTES_MAX)?,
    }))
}

fn token<'a>(line: &Line<'a>) -> Result<Said<'a>, Refusal> {
    let event_type = line
        .event_type()
        .string()?
        .ok_or(line.event_type().lacking())?;
    match event_type.as_ref() {
        "WILL_EXPIRE" => token_in(line, TokenState::WillExpire),
        "READ_PERMISSION_REVOKED" => match token_in(line, TokenState::Revoked)? {
            // Which permission it was, the state alone does not say.
            Said::Token(token) => Ok(Said::Token(TokenSaid {
                reason: token.reason.or(Some(event_type)),
                ..token
            })),
            other => Ok(other),
        },
        _ => Err(line.event_type().unknown()),
    }
}

/// Agora's callback gives an empty channel name for a token that is good for all of them.
fn token_in<'a>(line: &Line<'a>, state: TokenState) -> Result<Said<'a>, Refusal> {
    let named = line.channel_name().string_up_to(NAME_BYTES_MAX)?;
    let also = line.channel().string_up_to(NAME_BYTES_MAX)?;
    Ok(Said::Token(TokenSaid {
        state,
        channel: named.or(also).filter(|channel| !channel.is_empty()),
        reason: line.reason_code().string_up_to(REASON_BYTES_MAX)?,
    }))
}
