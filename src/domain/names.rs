//! The dictionary: names and members as dense numbers, so that state is arrays and comparing is cheap.
//!
//! The numbers mean nothing outside their dictionary: two dictionaries that number differently describe the same log.
//! A dictionary exists only in memory; stored data carries its names with it.

use super::append_vec::AppendVec;
use super::name_text::NameText;
use super::number_table::NumberTable;
use super::recent_names::{NameEnds, RecentNames};
use std::cmp::Ordering;
use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};
use std::ops::Deref;
use std::sync::Arc;

/// A channel, topic, user, connection or observer name, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NameId(pub u32);

/// One publisher in one topic of one channel, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MemberId(pub u32);

impl MemberId {
    /// Whether `next` has the number after this one.
    #[doc(hidden)]
    #[must_use]
    pub fn is_followed_by(self, next: MemberId) -> bool {
        self.0.checked_add(1) == Some(next.0)
    }
}

/// What a [`MemberId`] number stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MemberKey {
    /// The stream channel.
    pub channel: NameId,
    /// The topic in it.
    pub topic: NameId,
    /// The publisher's user id.
    pub user: NameId,
    /// The connection; the empty name where a source allows one instance per user.
    pub conn: NameId,
}

impl MemberKey {
    /// The member with this channel, topic, user and connection.
    pub(crate) fn of([channel, topic, user, conn]: [NameId; 4]) -> MemberKey {
        MemberKey {
            channel,
            topic,
            user,
            conn,
        }
    }

    /// The same, from what gives a name for each of these.
    pub(crate) fn try_of<P, E>(
        [channel, topic, user, conn]: [P; 4],
        mut name: impl FnMut(P) -> Result<NameId, E>,
    ) -> Result<MemberKey, E> {
        Ok(MemberKey {
            channel: name(channel)?,
            topic: name(topic)?,
            user: name(user)?,
            conn: name(conn)?,
        })
    }

    /// The channel, the topic, the user and the connection.
    pub(crate) fn names(self) -> [NameId; 4] {
        [self.channel, self.topic, self.user, self.conn]
    }
}

/// The place of the next item in a list, as a number. A list that is too long for it, of billions of items, would have
/// filled the memory long before.
pub(super) fn number(items: usize) -> u32 {
    let number = u32::try_from(items)
        .ok()
        .filter(|&number| number < u32::MAX);
    assert!(
        number.is_some(),
        "{items} items are too many to be numbered"
    );
    number.unwrap_or_default()
}

/// What the numbers stand for. A clone can be read elsewhere while its [`Names`]
/// grow: the meaning of a number never changes.
#[derive(Debug, Clone, Default)]
pub struct NameTable(Arc<NameLists>);

#[derive(Debug, Default)]
struct NameLists {
    texts: AppendVec<NameText>,
    keys: AppendVec<MemberKey>,
}

impl NameTable {
    /// The name behind a number.
    ///
    /// # Panics
    /// If the number is of another dictionary: any name would be a wrong one.
    #[must_use]
    pub fn text(&self, name: NameId) -> &str {
        let text = self.0.texts.get(name.0 as usize);
        assert!(text.is_some(), "no name has the number {}", name.0);
        text.map_or("", NameText::as_str)
    }

    /// The bytes of the name behind a number; they are in the order of the texts.
    pub(super) fn bytes(&self, name: NameId) -> &[u8] {
        let text = self.0.texts.get(name.0 as usize);
        text.map_or(&[], NameText::as_bytes)
    }

    /// What a member's number stands for.
    ///
    /// # Panics
    /// If the number is of another dictionary: any member would be a wrong one.
    #[must_use]
    pub fn key(&self, member: MemberId) -> MemberKey {
        const NOBODY: MemberKey = MemberKey {
            channel: NameId(0),
            topic: NameId(0),
            user: NameId(0),
            conn: NameId(0),
        };
        let key = self.0.keys.get(member.0 as usize);
        assert!(key.is_some(), "no member has the number {}", member.0);
        key.copied().unwrap_or(NOBODY)
    }

    /// Compares members in the order of answers: by topic, user and connection, bytewise.
    #[must_use]
    pub fn compare(&self, a: MemberId, b: MemberId) -> Ordering {
        let (a, b) = (self.key(a), self.key(b));
        let part = |x: NameId, y: NameId| {
            if x == y {
                Ordering::Equal
            } else {
                self.bytes(x).cmp(self.bytes(y))
            }
        };
        part(a.topic, b.topic)
            .then_with(|| part(a.user, b.user))
            .then_with(|| part(a.conn, b.conn))
    }

    /// How many names it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.texts.len()
    }

    /// Whether it holds no name.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many members it holds.
    #[doc(hidden)]
    #[must_use]
    pub fn members(&self) -> usize {
        self.0.keys.len()
    }
}

/// Names and members, each once: the table, and the hash tables to look up and add entries.
#[derive(Debug)]
pub struct Names {
    table: NameTable,
    // std's keyed hash: names come from outside, and a client could choose names that collide.
    keyed: RandomState,
    /// From it the hashes of members begin: a client that chooses names also chooses, by their order, their numbers.
    seed: u64,
    by_text: NumberTable,
    recent: RecentNames,
    /// The empty name. Most members have no connection; this saves the look-up of its name.
    empty: Option<NameId>,
    by_key: NumberTable,
}

impl Default for Names {
    fn default() -> Names {
        let keyed = RandomState::new();
        Names {
            table: NameTable::default(),
            seed: keyed.hash_one(0),
            keyed,
            by_text: NumberTable::default(),
            recent: RecentNames::default(),
            empty: None,
            by_key: NumberTable::default(),
        }
    }
}

impl Deref for Names {
    type Target = NameTable;

    fn deref(&self) -> &NameTable {
        &self.table
    }
}

impl Names {
    /// An empty dictionary.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The table of its numbers, to be read elsewhere.
    #[doc(hidden)]
    #[must_use]
    pub fn table(&self) -> &NameTable {
        &self.table
    }

    /// The number of a name; a name without one gets one now.
    #[doc(hidden)]
    pub fn intern(&mut self, text: &str) -> NameId {
        if text.is_empty() {
            let known = self.empty;
            return known.unwrap_or_else(|| self.add(text, self.keyed.hash_one(text)));
        }
        let ends = NameEnds::of(text);
        if let Some(name) = self.recent.get(ends).map(NameId)
            && (ends.are_whole() || self.is_called(name, text))
        {
            return name;
        }
        let hash = self.keyed.hash_one(text);
        let known = self.find_hashed(text, hash);
        let name = known.unwrap_or_else(|| self.add(text, hash));
        self.recent.put(ends, name.0, self.len());
        name
    }

    /// The same where the hash is known, and the number that the name most probably has.
    pub(super) fn intern_guessed(
        &mut self,
        text: &str,
        hash: u64,
        guess: Option<NameId>,
    ) -> NameId {
        let guess = guess.filter(|&name| self.is_called(name, text));
        let known = guess.or_else(|| self.find_hashed(text, hash));
        known.unwrap_or_else(|| self.add(text, hash))
    }

    fn add(&mut self, text: &str, hash: u64) -> NameId {
        let name = NameId(number(self.len()));
        self.table.0.texts.push(NameText::new(text));
        if text.is_empty() {
            self.empty = Some(name);
        }
        self.by_text.add(hash, name.0);
        name
    }

    /// The number of a name, if it has one.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<NameId> {
        self.find_hashed(text, self.keyed.hash_one(text))
    }

    fn find_hashed(&self, text: &str, hash: u64) -> Option<NameId> {
        let is_called = |name| self.is_called(NameId(name), text);
        self.by_text.find(hash, is_called).map(NameId)
    }

    fn is_called(&self, name: NameId, text: &str) -> bool {
        self.bytes(name) == text.as_bytes()
    }

    pub(super) fn hash_of_text(&self, text: &str) -> u64 {
        self.keyed.hash_one(text)
    }

    /// The number that a name most probably has; its text is not read.
    pub(super) fn guess(&self, hash: u64) -> Option<NameId> {
        self.by_text.find(hash, |_| true).map(NameId)
    }

    /// The number that a member most probably has.
    pub(super) fn guess_member(&self, hash: u64) -> Option<MemberId> {
        self.by_key.find(hash, |_| true).map(MemberId)
    }

    /// The number of a name, if it was looked up lately; of a long one, perhaps another's.
    pub(super) fn recent(&self, text: &str) -> Option<NameId> {
        match text {
            "" => self.empty,
            text => self.recent.get(NameEnds::of(text)).map(NameId),
        }
    }

    /// The number of a member; a member without one gets one now.
    #[doc(hidden)]
    pub fn member(&mut self, key: MemberKey) -> MemberId {
        let hash = self.hash_of(key);
        if let Some(member) = self.find_member_hashed(key, hash) {
            return member;
        }
        self.add_member(key, hash)
    }

    fn add_member(&mut self, key: MemberKey, hash: u64) -> MemberId {
        let member = MemberId(number(self.members()));
        self.table.0.keys.push(key);
        self.by_key.add(hash, member.0);
        member
    }

    /// The number of a member, if it has one.
    #[must_use]
    pub fn find_member(&self, key: MemberKey) -> Option<MemberId> {
        self.find_member_hashed(key, self.hash_of(key))
    }

    fn find_member_hashed(&self, key: MemberKey, hash: u64) -> Option<MemberId> {
        let is_it = |member| self.key(MemberId(member)) == key;
        self.by_key.find(hash, is_it).map(MemberId)
    }

    pub(super) fn hash_of(&self, key: MemberKey) -> u64 {
        let mut hasher = NumberHasher(self.seed);
        for NameId(number) in key.names() {
            hasher.write_u32(number);
        }
        hasher.finish()
    }

    /// Gives names and members their new numbers, which are in the order of the old ones; those without one are
    /// forgotten.
    pub(super) fn renumber(&mut self, names: &[Option<NameId>], members: &[Option<MemberId>]) {
        let old = std::mem::take(&mut self.table);
        let new = |name: NameId| names.get(name.0 as usize).copied().flatten();
        for (_, name) in names.iter().zip(0..).filter(|(new, _)| new.is_some()) {
            let text = old.0.texts.get(name);
            text.into_iter()
                .for_each(|text| self.table.0.texts.push(text.clone()));
        }
        self.by_text.renumber(|name| Some(new(NameId(name))?.0));
        self.recent = RecentNames::default();
        self.empty = self.empty.and_then(new);
        self.by_key = NumberTable::with_room(members.iter().flatten().count());
        for (member, _) in (0..).zip(members).filter(|(_, new)| new.is_some()) {
            let key = old.key(MemberId(member));
            if let [Some(channel), Some(topic), Some(user), Some(conn)] = key.names().map(new) {
                let key = MemberKey::of([channel, topic, user, conn]);
                self.add_member(key, self.hash_of(key));
            }
        }
    }

    /// The member whose number follows `before`, if it is the wanted one. Later lists of a channel mostly keep the
    /// order of the first list: this then finds each member without a hash.
    #[doc(hidden)]
    #[must_use]
    pub fn member_behind(
        &self,
        before: MemberId,
        [channel, topic]: [NameId; 2],
        [user, conn]: [&str; 2],
    ) -> Option<MemberId> {
        let member = MemberId(before.0.checked_add(1)?);
        let key = self.table.0.keys.get(member.0 as usize)?;
        let is_called = |name, text: &str| match text {
            "" => self.empty == Some(name),
            text => self.is_called(name, text),
        };
        let meant = key.channel == channel
            && key.topic == topic
            && is_called(key.user, user)
            && is_called(key.conn, conn);
        meant.then_some(member)
    }
}

/// A hash for keys made of numbers that this program assigned: no client can choose them.
#[derive(Debug, Default, Clone, Copy)]
pub struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 29)
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u32(u32::from(byte));
        }
    }

    fn write_u32(&mut self, number: u32) {
        self.0 = (self.0.rotate_left(23) ^ u64::from(number)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

/// Makes [`NumberHasher`]s.
pub type NumberHash = BuildHasherDefault<NumberHasher>;

/// A map whose keys are [`NameId`]s or [`MemberId`]s.
pub type NumberMap<K, V> = HashMap<K, V, NumberHash>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "no name has the number 1")]
    fn a_number_of_another_dictionary_has_no_name() {
        let mut names = Names::new();
        names.intern("room");
        let _ = names.text(NameId(1));
    }

    #[test]
    #[should_panic(expected = "no member has the number 0")]
    fn a_number_of_another_dictionary_has_no_member() {
        let _ = Names::new().key(MemberId(0));
    }

    #[test]
    fn names_with_the_same_ends_are_different_names() {
        let mut names = Names::new();
        let long = (0..3_000).map(|n| format!("participant {n:04} of the room"));
        let short = (0..3_000).map(|n| n.to_string());
        let texts: Vec<String> = long.chain(short).collect();
        for _ in 0..2 {
            for (number, text) in (0..).zip(&texts) {
                assert_eq!(names.intern(text), NameId(number));
                assert_eq!(names.intern(text), NameId(number), "looked up lately");
            }
        }
    }

    #[test]
    #[should_panic(expected = "too many to be numbered")]
    fn no_two_items_have_the_same_number() {
        let _ = number(u32::MAX as usize);
    }
}
