//! Carries positions in the tables of frames over to the tables of a stream of a block. What the positions stand in is in
//! `record`.

use super::read::{Stored, Tables};
use super::{MemberAt, NameAt, TextAt, look_up, slot};
use crate::log::codec::CodecError;
use crate::log::codec::bytes::put_varint;
use std::collections::HashMap;

/// Has positions in the tables of a frame.
pub(in crate::log) trait Renumber {
    /// Replaces each of them by its position in the tables of the stream.
    ///
    /// # Errors
    /// A position is none of the frame's.
    fn renumber(&mut self, map: &mut TableMap<'_, '_>) -> Result<(), CodecError>;
}

/// Carries positions over from the tables of a frame to those of a stream, to which it adds what they do not have yet.
pub(in crate::log) struct TableMap<'m, 't> {
    pub(in crate::log) from: &'m Tables<'t>,
    pub(in crate::log) to: &'m mut TableMerger,
    pub(in crate::log) known: &'m mut KnownPositions,
}

/// Where the strings and members of one frame are in the tables of a stream, as far as they are there.
#[derive(Debug, Default)]
pub(in crate::log) struct KnownPositions {
    names: Vec<Option<NameAt>>,
    members: Vec<Option<MemberAt>>,
    texts: Vec<Option<TextAt>>,
}

impl KnownPositions {
    /// None of the positions of a frame with these tables.
    pub(in crate::log) fn none_of(tables: &Tables<'_>) -> KnownPositions {
        KnownPositions {
            names: vec![None; tables.names.len()],
            members: vec![None; tables.members.len()],
            texts: vec![None; tables.texts.len()],
        }
    }
}

impl TableMap<'_, '_> {
    pub(in crate::log::codec) fn name(&mut self, at: &mut NameAt) -> Result<(), CodecError> {
        let name = look_up(&self.from.names, "name", *at)?;
        let known = slot(&mut self.known.names, "name", *at)?;
        *at = match *known {
            Some(known) => known,
            None => *known.insert(self.to.name(name)?),
        };
        Ok(())
    }

    pub(in crate::log::codec) fn name_if(
        &mut self,
        at: &mut Option<NameAt>,
    ) -> Result<(), CodecError> {
        at.as_mut().map_or(Ok(()), |at| self.name(at))
    }

    pub(in crate::log::codec) fn member(&mut self, at: &mut MemberAt) -> Result<(), CodecError> {
        let index = *at;
        if let Some(known) = *slot(&mut self.known.members, "member", index)? {
            *at = known;
            return Ok(());
        }
        let mut key = *look_up(&self.from.members, "member", index)?;
        key.iter_mut().try_for_each(|at| self.name(at))?;
        *at = self.to.member(key)?;
        *slot(&mut self.known.members, "member", index)? = Some(*at);
        Ok(())
    }

    pub(in crate::log::codec) fn text(&mut self, at: &mut TextAt) -> Result<(), CodecError> {
        let text = look_up(&self.from.texts, "text", *at)?;
        let known = slot(&mut self.known.texts, "text", *at)?;
        *at = match *known {
            Some(known) => known,
            None => *known.insert(self.to.texts.push(text)?),
        };
        Ok(())
    }

    pub(in crate::log::codec) fn text_if(
        &mut self,
        at: &mut Option<TextAt>,
    ) -> Result<(), CodecError> {
        at.as_mut().map_or(Ok(()), |at| self.text(at))
    }
}

/// The tables of a stream: what its records need of those of the frames, each name and member once. A name with another
/// salt is another name here, because the chain depends on the salts.
#[derive(Debug, Default)]
pub(in crate::log) struct TableMerger {
    names: StringTable,
    name_positions: HashMap<Vec<u8>, NameAt>,
    members: Vec<u8>,
    member_positions: HashMap<[NameAt; 4], MemberAt>,
    texts: StringTable,
}

impl TableMerger {
    fn name(&mut self, name: &Stored<'_>) -> Result<NameAt, CodecError> {
        let key = name.key();
        if let Some(&at) = self.name_positions.get(&key) {
            return Ok(at);
        }
        let at = self.names.push(name)?;
        self.name_positions.insert(key, at);
        Ok(at)
    }

    fn member(&mut self, key: [NameAt; 4]) -> Result<MemberAt, CodecError> {
        let known = self.member_positions.len();
        let next = MemberAt::try_from(known).map_err(|_| CodecError::Number)?;
        let at = *self.member_positions.entry(key).or_insert(next);
        if at == next {
            for name in key {
                put_varint(&mut self.members, u64::from(name));
            }
        }
        Ok(at)
    }

    /// Appends the tables as they stand in a stream.
    pub(in crate::log) fn write(&self, out: &mut Vec<u8>) {
        self.names.write(out);
        put_varint(out, self.member_positions.len() as u64);
        out.extend_from_slice(&self.members);
        self.texts.write(out);
    }
}

/// Strings in three columns: lengths, salts or hashes, and the strings themselves. Salts are random, and in between
/// them no compressor would find anything.
#[derive(Debug, Default)]
struct StringTable {
    count: u32,
    heads: Vec<u8>,
    salts: Vec<u8>,
    strings: Vec<u8>,
}

impl StringTable {
    fn push(&mut self, string: &Stored<'_>) -> Result<u32, CodecError> {
        let at = self.count;
        self.count = at.checked_add(1).ok_or(CodecError::Number)?;
        put_varint(&mut self.heads, string.head());
        match string {
            Stored::Kept(salt, text, _) => {
                self.salts.extend_from_slice(&salt[..]);
                self.strings.extend_from_slice(text.as_bytes());
            }
            Stored::Erased(hash) => self.salts.extend_from_slice(&hash[..]),
        }
        Ok(at)
    }

    fn write(&self, out: &mut Vec<u8>) {
        put_varint(out, u64::from(self.count));
        out.extend_from_slice(&self.heads);
        out.extend_from_slice(&self.salts);
        out.extend_from_slice(&self.strings);
    }
}
