//! Reads ahead what is soon needed from memory: of the next events their names, their members, and the slots; of a list its
//! names or members. What is found is compared before it counts, so nothing follows from it but this: what waits for one of
//! these cannot go on, while many can be waited for together.

use super::event::{Event, EventPayload};
use super::names::{MemberId, MemberKey, NameId, Names};
use super::state::State;
use std::hint::black_box;

/// So many events, names or members are read ahead at a time.
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
                let key = MemberKey::of([channel, topic, user, conn]);
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

impl Names {
    /// The numbers of names; those without one get one now.
    pub fn intern_all(&mut self, texts: &[&str], mut take: impl FnMut(NameId)) {
        if self.members() < MEMBERS_MIN {
            texts.iter().for_each(|text| take(self.intern(text)));
            return;
        }
        for texts in texts.chunks(AHEAD) {
            let mut hashes = [0; AHEAD];
            for (hash, text) in hashes.iter_mut().zip(texts) {
                *hash = self.hash_of_text(text);
            }
            let guesses = hashes.map(|hash| self.guess(hash));
            let lengths = guesses.iter().flatten().map(|name| self.bytes(*name).len());
            black_box(lengths.sum::<usize>());
            for ((text, hash), guess) in texts.iter().zip(hashes).zip(guesses) {
                take(self.intern_guessed(text, hash, guess));
            }
        }
    }

    /// The numbers of members; those without one get one now.
    pub fn all_members(&mut self, keys: &[MemberKey], mut take: impl FnMut(MemberId)) {
        if self.members() < MEMBERS_MIN {
            keys.iter().for_each(|&key| take(self.member(key)));
            return;
        }
        for keys in keys.chunks(AHEAD) {
            let mut guesses = [None; AHEAD];
            for (guess, &key) in guesses.iter_mut().zip(keys) {
                *guess = self.guess_member(self.hash_of(key));
            }
            let users = guesses
                .iter()
                .flatten()
                .map(|member| self.key(*member).user.0);
            black_box(users.fold(0, |seen, user| seen ^ user));
            for (&key, guess) in keys.iter().zip(guesses) {
                let is_it = guess.is_some_and(|member| self.key(member) == key);
                let guess = guess.filter(|_| is_it);
                take(guess.unwrap_or_else(|| self.member(key)));
            }
        }
    }
}
