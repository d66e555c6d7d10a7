//! Which numbers of a dictionary are needed, and the new ones after it was rebuilt with only these.

use super::names::{MemberId, NameId, NameTable, Names, NumberMap, number};

/// Which names and members of a dictionary are needed.
#[derive(Debug)]
pub(super) struct Marks {
    names: Vec<bool>,
    members: Vec<bool>,
}

impl Marks {
    /// Marks for all names and members, none of them set.
    pub fn new(names: &NameTable) -> Marks {
        Marks {
            names: vec![false; names.len()],
            members: vec![false; names.members()],
        }
    }

    /// Marks a name as needed.
    pub fn mark_name(&mut self, name: NameId) {
        if let Some(mark) = self.names.get_mut(name.0 as usize) {
            *mark = true;
        }
    }

    /// Marks a member as needed. The names of its key are needed, too.
    pub fn mark_member(&mut self, member: MemberId) {
        if let Some(mark) = self.members.get_mut(member.0 as usize) {
            *mark = true;
        }
    }

    /// New numbers for what is marked, in the order of the old ones. `names`: their dictionary.
    pub fn renumbering(mut self, names: &NameTable) -> Renumbering {
        let members = std::mem::take(&mut self.members);
        for (member, _) in (0..).zip(&members).filter(|(_, marked)| **marked) {
            let key = names.key(MemberId(member));
            for name in [key.channel, key.topic, key.user, key.conn] {
                self.mark_name(name);
            }
        }
        Renumbering {
            names: counted(&self.names).map(|new| new.map(NameId)).collect(),
            members: counted(&members).map(|new| new.map(MemberId)).collect(),
        }
    }
}

/// For each mark that is set, how many are set before it.
fn counted(marks: &[bool]) -> impl Iterator<Item = Option<u32>> {
    let mut set = 0;
    marks.iter().map(move |&marked| {
        let new = number(set);
        set += usize::from(marked);
        marked.then_some(new)
    })
}

/// The new numbers after a dictionary was rebuilt with only part of its names.
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

    /// Rebuilds the dictionary with only what has a new number.
    pub(super) fn rebuild(&self, names: &mut Names) {
        names.renumber(&self.names, &self.members);
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
