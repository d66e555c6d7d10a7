//! What a sender may write: to which channels, and for which observers. Where the
//! permissions come from is not known here.

use crate::domain::event::{Event, EventPayload, ReportedLink, Service, Str};
use std::sync::Arc;

/// What a sender may write.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WritePermissions {
    /// The only allowed channels; `None`: all.
    pub channels: Option<Arc<[String]>>,
    /// The only allowed observers; `None`: all.
    pub observers: Option<Arc<[String]>>,
}

impl WritePermissions {
    /// The only allowed channels. Default: all.
    #[must_use]
    pub fn channels<T: Into<String>>(mut self, channels: impl IntoIterator<Item = T>) -> Self {
        self.channels = Some(channels.into_iter().map(Into::into).collect());
        self
    }

    /// The only allowed observers. Default: all.
    #[must_use]
    pub fn observers<T: Into<String>>(mut self, observers: impl IntoIterator<Item = T>) -> Self {
        self.observers = Some(observers.into_iter().map(Into::into).collect());
        self
    }

    /// Whether anything is forbidden.
    #[must_use]
    pub fn is_limited(&self) -> bool {
        self.channels.is_some() || self.observers.is_some()
    }

    /// Narrows an event to what the sender may write. A link line without a channel
    /// then concerns only the sender's channels.
    ///
    /// # Errors
    /// When the event is not allowed: what is forbidden, in words.
    pub fn narrow(&self, event: &mut Event<'_>) -> Result<(), String> {
        self.observer(&event.observer)?;
        match &self.channels {
            Some(channels) => narrow(&mut event.payload, channels),
            None => Ok(()),
        }
    }

    /// Checks that the sender may write for an observer.
    ///
    /// # Errors
    /// When it may not: the observer, in words.
    pub fn observer(&self, observer: &str) -> Result<(), String> {
        match &self.observers {
            Some(allowed) if !allowed.iter().any(|allowed| allowed == observer) => {
                Err(format!("the observer \"{observer}\""))
            }
            _ => Ok(()),
        }
    }
}

fn narrow(said: &mut EventPayload<'_>, allowed: &[String]) -> Result<(), String> {
    match said {
        EventPayload::Changes { channel, .. }
        | EventPayload::Snapshot { channel, .. }
        | EventPayload::SnapshotBegin { channel, .. }
        | EventPayload::SnapshotPage { channel, .. }
        | EventPayload::SnapshotEnd { channel, .. }
        | EventPayload::Occupancy { channel, .. }
        | EventPayload::Resync { channel, .. } => expect(channel, allowed),
        EventPayload::Link(link) => {
            narrow_link(link, allowed)?;
            // The line concerns none of the sender's channels. Without channels, the entry would be in the history of
            // all.
            if link.channels.is_empty() {
                *said = EventPayload::Nothing;
            }
            Ok(())
        }
        EventPayload::Token(token) => match (&token.channel, allowed) {
            (Some(channel), _) => expect(channel, allowed),
            (None, [only]) => {
                token.channel = Some(only.clone().into());
                Ok(())
            }
            (None, _) => Err("all channels: name one".to_owned()),
        },
        EventPayload::Connection(_) | EventPayload::Nothing => Ok(()),
    }
}

/// Makes a link line name the channels themselves, whatever names its service uses for them.
fn narrow_link(link: &mut ReportedLink<'_>, allowed: &[String]) -> Result<(), String> {
    let service = std::mem::replace(&mut link.service, Service::All);
    let named = std::mem::take(&mut link.channels);
    let within = |name: &str| -> Vec<Str<'static>> {
        let names = service.channels_of(name);
        let within = allowed.iter().filter(|allowed| names.contains(allowed));
        within.map(|name| name.clone().into()).collect()
    };
    for name in &named {
        let known = within(name);
        if known.is_empty() {
            return Err(format!("the channel \"{name}\""));
        }
        link.channels.extend(known);
    }
    if named.is_empty() {
        let carried = allowed.iter().filter(|allowed| service.carries(allowed));
        link.channels = carried.map(|name| name.clone().into()).collect();
    }
    let unrestored = std::mem::take(&mut link.unrestored);
    link.unrestored = unrestored.iter().flat_map(|name| within(name)).collect();
    Ok(())
}

fn expect(channel: &str, allowed: &[String]) -> Result<(), String> {
    if allowed.iter().any(|allowed| allowed == channel) {
        return Ok(());
    }
    Err(format!("the channel \"{channel}\""))
}
