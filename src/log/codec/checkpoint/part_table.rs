//! The names and members of one part, numbered anew: a part can be read without the others.

use super::CodecError;
use crate::domain::names::{MemberId, MemberKey, NameId, Names, NumberHash, NumberMap};

/// Gives the names and members of a part their numbers.
pub(super) struct PartTable<'a> {
    all: &'a Names,
    names: Vec<&'a str>,
    members: Vec<[u32; 3]>,
    by_name: NumberMap<NameId, u32>,
    by_member: NumberMap<MemberId, u32>,
}

impl<'a> PartTable<'a> {
    /// A table with room for so many members.
    pub(super) fn new(all: &'a Names, members: usize) -> PartTable<'a> {
        PartTable {
            all,
            names: Vec::with_capacity(members),
            members: Vec::with_capacity(members),
            by_name: NumberMap::with_capacity_and_hasher(members, NumberHash::new()),
            by_member: NumberMap::with_capacity_and_hasher(members, NumberHash::new()),
        }
    }

    pub(super) fn name(&mut self, name: NameId) -> u32 {
        let (all, texts) = (self.all, &mut self.names);
        *self.by_name.entry(name).or_insert_with(|| {
            texts.push(all.text(name));
            last(texts)
        })
    }

    pub(super) fn name_if(&mut self, name: Option<NameId>) -> Option<u32> {
        name.map(|name| self.name(name))
    }

    pub(super) fn member(&mut self, member: MemberId) -> u32 {
        if let Some(&known) = self.by_member.get(&member) {
            return known;
        }
        let key = self.all.key(member);
        let row = [key.topic, key.user, key.conn].map(|name| self.name(name));
        self.members.push(row);
        let number = last(&self.members);
        self.by_member.insert(member, number);
        number
    }

    /// The names, and the members by topic, user and connection; both in the order of their numbers.
    ///
    /// # Errors
    /// There are more than 32 bits can number.
    pub(super) fn finish(self) -> Result<(Vec<&'a str>, Vec<[u32; 3]>), CodecError> {
        u32::try_from(self.names.len().max(self.members.len())).map_err(|_| CodecError::Number)?;
        Ok((self.names, self.members))
    }
}

/// The number of the last item. `finish` refuses those that 32 bits cut off.
fn last<T>(items: &[T]) -> u32 {
    items.len().wrapping_sub(1) as u32
}

/// Gives the names and members of a part by their numbers.
pub(super) struct PartNames {
    names: Vec<NameId>,
    members: Vec<MemberId>,
}

impl PartNames {
    pub(super) fn new(texts: &[impl AsRef<str>], names: &mut Names) -> PartNames {
        let texts = texts.iter().map(AsRef::as_ref);
        PartNames {
            names: texts.map(|text| names.intern(text)).collect(),
            members: Vec::new(),
        }
    }

    /// Adds the members of the part's channel, by topic, user and connection.
    pub(super) fn add_members(
        &mut self,
        channel: NameId,
        members: Vec<[u32; 3]>,
        names: &mut Names,
    ) -> Result<(), CodecError> {
        for [topic, user, conn] in members {
            let key = MemberKey {
                channel,
                topic: self.name(topic)?,
                user: self.name(user)?,
                conn: self.name(conn)?,
            };
            self.members.push(names.member(key));
        }
        Ok(())
    }

    pub(super) fn name(&self, number: u32) -> Result<NameId, CodecError> {
        self.names
            .get(number as usize)
            .copied()
            .ok_or(CodecError::Index {
                what: "name",
                index: number,
            })
    }

    pub(super) fn name_if(&self, number: Option<u32>) -> Result<Option<NameId>, CodecError> {
        number.map(|number| self.name(number)).transpose()
    }

    pub(super) fn member(&self, number: u32) -> Result<MemberId, CodecError> {
        self.members
            .get(number as usize)
            .copied()
            .ok_or(CodecError::Index {
                what: "member",
                index: number,
            })
    }
}
