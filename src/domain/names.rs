//! The dictionary: names and members as dense numbers, so that state is arrays and comparing is cheap.
//!
//! The numbers mean nothing outside their dictionary: two dictionaries that number differently describe the same log.
//! A dictionary exists only in memory; stored data carries its names with it.

use super::append_vec::AppendVec;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
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
    texts: AppendVec<Arc<str>>,
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
        text.map_or("", |text| text)
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
                self.text(x).cmp(self.text(y))
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

/// Names and members, each once: the table, and the maps to look up and add entries.
#[derive(Debug, Default)]
pub struct Names {
    table: NameTable,
    // std's keyed hash: names come from outside, and a client could choose names that collide.
    by_text: HashMap<Arc<str>, NameId>,
    recent: RecentNames,
    /// The empty name. Most members have no connection; this saves the look-up of its name.
    empty: Option<NameId>,
    by_key: HashMap<MemberKey, MemberId, NumberHash>,
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
            return self.empty.unwrap_or_else(|| self.add(text));
        }
        let ends = NameEnds::of(text);
        if let Some(name) = self.recent.get(ends)
            && (ends.are_whole() || self.text(name) == text)
        {
            return name;
        }
        let known = self.by_text.get(text).copied();
        let name = known.unwrap_or_else(|| self.add(text));
        self.recent.put(ends, name, self.len());
        name
    }

    fn add(&mut self, text: &str) -> NameId {
        let name = NameId(number(self.len()));
        let text: Arc<str> = Arc::from(text);
        self.table.0.texts.push(Arc::clone(&text));
        if text.is_empty() {
            self.empty = Some(name);
        }
        self.by_text.insert(text, name);
        name
    }

    /// The number of a name, if it has one.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<NameId> {
        self.by_text.get(text).copied()
    }

    /// The number of a member; a member without one gets one now.
    #[doc(hidden)]
    pub fn member(&mut self, key: MemberKey) -> MemberId {
        if let Some(&member) = self.by_key.get(&key) {
            return member;
        }
        let member = MemberId(number(self.members()));
        self.table.0.keys.push(key);
        self.by_key.insert(key, member);
        member
    }

    /// The number of a member, if it has one.
    #[must_use]
    pub fn find_member(&self, key: MemberKey) -> Option<MemberId> {
        self.by_key.get(&key).copied()
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
            text => self.text(name) == text,
        };
        let meant = key.channel == channel
            && key.topic == topic
            && is_called(key.user, user)
            && is_called(key.conn, conn);
        meant.then_some(member)
    }
}

/// Names that were looked up lately. Most lines have names of the lines before: this finds them without the keyed
/// hash, which costs more than comparing the text. Names that share a slot only push each other out.
///
/// It grows with the dictionary, and takes less memory than the names. It is empty while the dictionary is small: each
/// reader of the log has one, and most of them meet few names.
#[derive(Debug, Default)]
struct RecentNames(Vec<RecentName>);

#[derive(Debug, Clone, Copy)]
struct RecentName {
    ends: NameEnds,
    name: NameId,
}

impl RecentNames {
    const NAMES_MIN: usize = 64;
    const SLOTS_MAX: usize = 1 << 12;

    fn slot(&self, ends: NameEnds) -> usize {
        ends.hash() as usize & self.0.len().wrapping_sub(1)
    }

    /// The name with these ends that was looked up last, if it still has its slot.
    fn get(&self, ends: NameEnds) -> Option<NameId> {
        let recent = self.0.get(self.slot(ends))?;
        (recent.ends == ends).then_some(recent.name)
    }

    /// `names`: the size of the dictionary.
    fn put(&mut self, ends: NameEnds, name: NameId, names: usize) {
        let wanted = (2 * names).next_power_of_two().min(Self::SLOTS_MAX);
        if names >= Self::NAMES_MIN && self.0.len() < wanted {
            let ends = NameEnds::NONE;
            self.0 = vec![RecentName { ends, name }; wanted];
        }
        let slot = self.slot(ends);
        if let Some(recent) = self.0.get_mut(slot) {
            *recent = RecentName { ends, name };
        }
    }
}

/// The first and the last bytes of a name: of one with up to 16 bytes, all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct NameEnds {
    first: u64,
    last: u64,
    len: u32,
}

impl NameEnds {
    /// Those of no name that is looked for: the empty name needs no search.
    const NONE: NameEnds = NameEnds {
        first: 0,
        last: 0,
        len: 0,
    };

    fn of(text: &str) -> NameEnds {
        let bytes = text.as_bytes();
        let (first, last) =
            if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
                (u64::from_le_bytes(*first), u64::from_le_bytes(*last))
            } else if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
                let [first, last] = [first, last].map(|half| u32::from_le_bytes(*half));
                (u64::from(first), u64::from(last))
            } else {
                let all = bytes.iter();
                (all.fold(0, |all, &byte| all << 8 | u64::from(byte)), 0)
            };
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        NameEnds { first, last, len }
    }

    /// Whether no other name has the same. Of a longer name, the text must be compared.
    fn are_whole(self) -> bool {
        self.len <= 16
    }

    fn hash(self) -> u64 {
        let mixed = self.first ^ self.last.rotate_left(21) ^ u64::from(self.len);
        mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40
    }
}

/// Which names and members of a [`Names`] are needed.
#[derive(Debug)]
pub struct Marks {
    names: Vec<bool>,
    members: Vec<bool>,
}

impl Marks {
    /// Marks a name as needed.
    pub fn mark_name(&mut self, name: NameId) {
        if let Some(mark) = self.names.get_mut(name.0 as usize) {
            *mark = true;
        }
    }

    /// Marks a member as needed; [`Names::only`] adds the names of its key.
    pub fn mark_member(&mut self, member: MemberId) {
        if let Some(mark) = self.members.get_mut(member.0 as usize) {
            *mark = true;
        }
    }
}

/// The new numbers after a [`Names`] was rebuilt with only part of its names.
#[derive(Debug)]
pub struct Renumbering {
    names: Vec<Option<NameId>>,
    members: Vec<Option<MemberId>>,
}

impl Renumbering {
    /// The new number of a name; `None` where it was forgotten.
    #[must_use]
    pub fn name(&self, old: NameId) -> Option<NameId> {
        self.names.get(old.0 as usize).copied().flatten()
    }

    /// The new number of a member; `None` where it was forgotten.
    #[must_use]
    pub fn member(&self, old: MemberId) -> Option<MemberId> {
        self.members.get(old.0 as usize).copied().flatten()
    }

    /// A map by members, in the new numbers; the values of forgotten members are dropped.
    #[must_use]
    pub fn by_member<V>(&self, old: NumberMap<MemberId, V>) -> NumberMap<MemberId, V> {
        let old = old.into_iter();
        old.filter_map(|(member, value)| Some((self.member(member)?, value)))
            .collect()
    }

    /// A map by names, in the new numbers; the values of forgotten names are dropped.
    #[must_use]
    pub fn by_name<V>(&self, old: NumberMap<NameId, V>) -> NumberMap<NameId, V> {
        let old = old.into_iter();
        old.filter_map(|(name, value)| Some((self.name(name)?, value)))
            .collect()
    }
}

impl Names {
    /// Marks for all of its names and members, none of them set.
    #[doc(hidden)]
    #[must_use]
    pub fn marks(&self) -> Marks {
        Marks {
            names: vec![false; self.len()],
            members: vec![false; self.members()],
        }
    }

    /// A dictionary of only the marked names and members, in the same order.
    #[doc(hidden)]
    #[must_use]
    pub fn only(&self, mut marks: Marks) -> (Names, Renumbering) {
        let mut only = Names::new();
        let numbers = (0..).zip(&marks.members);
        let members: Vec<_> = numbers
            .map(|(number, &marked)| marked.then(|| self.key(MemberId(number))))
            .collect();
        for key in members.iter().flatten() {
            for name in [key.channel, key.topic, key.user, key.conn] {
                marks.mark_name(name);
            }
        }
        let numbers = (0..).zip(&marks.names);
        let names = numbers
            .map(|(number, &marked)| marked.then(|| only.intern(self.text(NameId(number)))))
            .collect();
        let mut renumbering = Renumbering {
            names,
            members: Vec::new(),
        };
        let member = |key: Option<MemberKey>| {
            let key = key?;
            Some(only.member(MemberKey {
                channel: renumbering.name(key.channel)?,
                topic: renumbering.name(key.topic)?,
                user: renumbering.name(key.user)?,
                conn: renumbering.name(key.conn)?,
            }))
        };
        renumbering.members = members.into_iter().map(member).collect();
        (only, renumbering)
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
