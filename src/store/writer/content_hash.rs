//! A short hash of what a line with an id reported. It distinguishes a retry from a line that carries the id of
//! another line, but reports something else.
//!
//! Lines that mean the same have the same hash: the order of fields and of members does not count, nor does anything
//! that the options of a run add (`self`, the lateness of reports). Two lines that differ only in what the hash
//! leaves out count as the same; lines that mean the same never count as different. The hash is stored among the key
//! values across restarts and versions of the program, so it does not depend on how types are laid out or printed.

use crate::domain::event::{
    ChangeKind, Event, EventPayload, LinkState, ReportedChange, ReportedListing, ReportedMember,
    Str, TokenState,
};
use crate::domain::order::Stamp;
use std::num::NonZeroU64;

/// The hash; never 0.
pub(in crate::store) type ContentHash = NonZeroU64;

/// The hash of an event's content.
pub(in crate::store) fn content_hash(event: &Event<'_>) -> ContentHash {
    let mut parts = EventParts::default();
    match &event.payload {
        EventPayload::Changes {
            channel, changes, ..
        } => {
            parts.of(b'c', |part| part.text(channel));
            for change in changes {
                parts.change(change, event.stamp);
            }
        }
        EventPayload::Snapshot { channel, shown } => {
            parts.shown(b's', event.stamp, channel, "", shown)
        }
        EventPayload::SnapshotBegin {
            channel,
            sync,
            incomplete,
        } => parts.paged(b'b', event.stamp, channel, sync, *incomplete),
        EventPayload::SnapshotPage {
            channel,
            sync,
            shown,
        } => parts.shown(b'p', event.stamp, channel, sync, shown),
        EventPayload::SnapshotEnd {
            channel,
            sync,
            incomplete,
        } => parts.paged(b'e', event.stamp, channel, sync, *incomplete),
        EventPayload::Link(link) => {
            parts.of(b'l', |part| {
                part.stamp(event.stamp);
                part.byte(match link.state {
                    LinkState::Up => 0,
                    LinkState::UpWithDifferences => 1,
                    LinkState::Synced => 2,
                    LinkState::Down => 3,
                });
                part.maybe(link.reason.as_ref());
            });
            parts.names(b'a', &link.channels);
            parts.names(b'u', &link.unrestored);
        }
        EventPayload::Token(token) => parts.of(b't', |part| {
            part.stamp(event.stamp);
            part.byte(match token.state {
                TokenState::WillExpire => 0,
                TokenState::Expired => 1,
                TokenState::Renewed => 2,
                TokenState::Revoked => 3,
            });
            part.maybe(token.channel.as_ref());
            part.maybe(token.reason.as_ref());
        }),
        EventPayload::Connection(_)
        | EventPayload::Occupancy { .. }
        | EventPayload::Resync { .. }
        | EventPayload::Nothing => {}
    }
    parts.hash()
}

/// The parts of an event. Each is hashed alone and the hashes are added, so that their order does not count.
#[derive(Default)]
struct EventParts {
    sum: u64,
    part: EventPart,
}

impl EventParts {
    fn of(&mut self, tag: u8, write: impl FnOnce(&mut EventPart)) {
        self.part.0.clear();
        self.part.byte(tag);
        write(&mut self.part);
        let mut hash = [0; 8];
        let whole = blake3::hash(&self.part.0);
        hash.iter_mut()
            .zip(whole.as_bytes())
            .for_each(|(to, from)| *to = *from);
        self.sum = self.sum.wrapping_add(u64::from_le_bytes(hash));
    }

    fn change(&mut self, change: &ReportedChange<'_>, line: Stamp) {
        let tag = match change.kind {
            ChangeKind::Join => b'j',
            ChangeKind::Update => b'm',
            ChangeKind::Leave => b'v',
        };
        self.member(tag, &change.topic, &change.who, line);
    }

    fn member(&mut self, tag: u8, topic: &str, who: &ReportedMember<'_>, line: Stamp) {
        self.of(tag, |part| {
            part.text(topic);
            part.text(&who.user);
            part.text(&who.conn);
            part.maybe(who.meta.as_ref());
            part.maybe(who.reason.as_ref());
            part.stamp(who.stamp.or(line));
        });
    }

    fn shown(
        &mut self,
        tag: u8,
        line: Stamp,
        channel: &str,
        sync: &str,
        shown: &ReportedListing<'_>,
    ) {
        self.paged(tag, line, channel, sync, shown.incomplete);
        for topic in &shown.topics {
            self.of(b'o', |part| part.text(&topic.topic));
            for who in &topic.members {
                self.member(b'w', &topic.topic, who, line);
            }
        }
    }

    fn paged(&mut self, tag: u8, line: Stamp, channel: &str, sync: &str, incomplete: bool) {
        self.of(tag, |part| {
            part.stamp(line);
            part.text(channel);
            part.text(sync);
            part.byte(u8::from(incomplete));
        });
    }

    fn names(&mut self, tag: u8, names: &[Str<'_>]) {
        for name in names {
            self.of(tag, |part| part.text(name));
        }
    }

    fn hash(self) -> ContentHash {
        ContentHash::new(self.sum).unwrap_or(ContentHash::MIN)
    }
}

/// One part, written so that two different parts never have the same bytes.
#[derive(Default)]
struct EventPart(Vec<u8>);

impl EventPart {
    fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    fn text(&mut self, text: &str) {
        self.0.extend((text.len() as u64).to_le_bytes());
        self.0.extend(text.as_bytes());
    }

    fn maybe(&mut self, text: Option<&Str<'_>>) {
        self.byte(u8::from(text.is_some()));
        self.text(text.map_or("", |text| text));
    }

    fn numbers(&mut self, numbers: Option<&[i64]>) {
        self.byte(u8::from(numbers.is_some()));
        for number in numbers.unwrap_or_default() {
            self.0.extend(number.to_le_bytes());
        }
    }

    fn stamp(&mut self, stamp: Stamp) {
        self.numbers(stamp.pos.as_ref().map(|pos| &pos[..]));
        self.numbers(stamp.ts.as_ref().map(std::slice::from_ref));
    }
}
