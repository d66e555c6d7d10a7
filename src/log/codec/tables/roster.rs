//! The tables of a block for a reader who needs all names and members, and no text.

use super::read::{pass_string_columns, string_columns};
use super::{MemberAt, NameAt, look_up};
use crate::domain::names::{MemberId, MemberKey, NameId, Names};
use crate::log::codec::CodecError;
use crate::log::codec::bytes::Reader;

/// The names and members of a stream, interned.
#[derive(Debug, Default)]
pub(in crate::log) struct RosterTables {
    names: Vec<NameId>,
    members: Vec<MemberId>,
}

impl RosterTables {
    /// Reads the tables, and interns what they name.
    pub(in crate::log) fn read(
        reader: &mut Reader<'_>,
        dictionary: &mut Names,
    ) -> Result<RosterTables, CodecError> {
        let strings = string_columns(reader)?;
        let texts: Vec<&str> = strings.iter().map(|string| string.text()).collect();
        let mut names = Vec::with_capacity(texts.len());
        dictionary.intern_all(&texts, |name| names.push(name));
        let count = reader.count(4)?;
        let mut keys = Vec::with_capacity(count);
        for _ in 0..count {
            let mut of = [0; 4];
            for part in &mut of {
                *part = reader.index()?;
            }
            let name = |at: NameAt| look_up(&names, "name", at).copied();
            keys.push(MemberKey::try_of(of, name)?);
        }
        let mut members = Vec::with_capacity(count);
        dictionary.all_members(&keys, |member| members.push(member));
        pass_string_columns(reader)?;
        Ok(RosterTables { names, members })
    }

    #[inline]
    pub(in crate::log::codec) fn member(&self, at: MemberAt) -> Result<MemberId, CodecError> {
        look_up(&self.members, "member", at).copied()
    }

    #[inline]
    pub(in crate::log) fn name(&self, at: NameAt) -> Result<NameId, CodecError> {
        look_up(&self.names, "name", at).copied()
    }
}
