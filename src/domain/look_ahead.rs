//! Reads ahead what decisions about the next events will read from memory: their names, their members, and the slots.
//! Nothing follows from it. But a decision that waits for one of these cannot go on, while many can be waited for
//! together.

use super::event::{Event, EventPayload};
use super::names::{MemberKey, NameId, Names};
use super::state::State;
use std::hint::black_box;

/// So many events are read ahead at a time.
pub const AHEAD: usize = 32;

/// With fewer members everything is in the processor's cache.
const MEMBERS_MIN: usize = 1 << 15;

impl State {
    /// Reads ahead for at most [`AHEAD`] events: their first changes.
    pub fn look_ahead<'e>(&self, names: &Names, events: impl Iterator<Item = &'e Event<'e>>) {
        if names.members() < MEMBERS_MIN {
            return;
        }
        let changes = events.filter_map(|event| match &event.payload {
            EventPayload::Changes {
                channel, changes, ..
            } => changes.first().map(|change| (channel, change)),
            _ => None,
        });
        // Each step for all events, before the next one needs what it has read.
        let mut ahead = [None; AHEAD];
        for (ahead, (channel, change)) in ahead.iter_mut().zip(changes) {
            let conn = names.recent(&change.who.conn);
            let key = [names.recent(channel), names.recent(&change.topic), conn];
            if let [Some(channel), Some(topic), Some(conn)] = key {
                let user = names.hash_of_text(&change.who.user);
                *ahead = Some(([channel, topic, conn], user));
            }
        }
        let users = ahead.map(|ahead| names.guess(ahead?.1));
        let texts = users.iter().flatten().map(|user| names.bytes(*user).len());
        black_box(texts.sum::<usize>());
        let mut hashes = [None; AHEAD];
        for (hash, (ahead, user)) in hashes.iter_mut().zip(ahead.iter().zip(users)) {
            if let (Some(([channel, topic, conn], _)), Some(user)) = (*ahead, user) {
                let key = MemberKey {
                    channel,
                    topic,
                    user,
                    conn,
                };
                *hash = Some(names.hash_of(key));
            }
        }
        let members = hashes.map(|hash| names.guess_member(hash?));
        let mut seen = NameId(0);
        for member in members.iter().flatten() {
            seen.0 ^= names.key(*member).user.0;
            seen.0 ^= self.slot(*member).map_or(0, |slot| slot.place);
        }
        black_box(seen);
    }
}
