//! Carries positions in the tables of frames over to the tables of one block. What the positions stand in is in
//! `record`.

use super::read::{Stored, Tables};
use super::{MemberAt, NameAt, TextAt, look_up};
use crate::log::codec::CodecError;
use crate::log::codec::bytes::put_varint;
use std::collections::HashMap;

/// Has positions in the tables of a frame.
pub(in crate::log) trait Renumber {
    /// Replaces each of them by its position in the tables of the block.
    ///
    /// # Errors
    /// A position is none of the frame's.
    fn renumber(&mut self, map: &TableMap) -> Result<(), CodecError>;
}

/// Where the strings and members of one frame are in the tables of the block.
#[derive(Debug)]
pub(in crate::log) struct TableMap {
    names: Vec<NameAt>,
    members: Vec<MemberAt>,
    /// A text is used once, so those of the frame follow those of the frames before.
    first_text: TextAt,
    texts: u32,
}

impl TableMap {
    pub(in crate::log::codec) fn name(&self, at: &mut NameAt) -> Result<(), CodecError> {
        *at = *look_up(&self.names, "name", *at)?;
        Ok(())
    }

    pub(in crate::log::codec) fn name_if(&self, at: &mut Option<NameAt>) -> Result<(), CodecError> {
        at.as_mut().map_or(Ok(()), |at| self.name(at))
    }

    pub(in crate::log::codec) fn member(&self, at: &mut MemberAt) -> Result<(), CodecError> {
        *at = *look_up(&self.members, "member", *at)?;
        Ok(())
    }

    pub(in crate::log::codec) fn text(&self, at: &mut TextAt) -> Result<(), CodecError> {
        let (what, index) = ("text", *at);
        let moved = self.first_text.checked_add(index);
        let moved = moved.filter(|_| index < self.texts);
        *at = moved.ok_or(CodecError::Index { what, index })?;
        Ok(())
    }

    pub(in crate::log::codec) fn text_if(&self, at: &mut Option<TextAt>) -> Result<(), CodecError> {
        at.as_mut().map_or(Ok(()), |at| self.text(at))
    }
}

/// The tables of a block: those of its frames, each name and member once. A name with another salt is another name
/// here, because the chain depends on the salts.
#[derive(Debug, Default)]
pub(in crate::log) struct TableMerger {
    names: StringTable,
    name_positions: HashMap<Vec<u8>, NameAt>,
    members: Vec<u8>,
    member_positions: HashMap<[NameAt; 4], MemberAt>,
    texts: StringTable,
}

impl TableMerger {
    /// Adds the tables of the next frame.
    pub(in crate::log) fn add(&mut self, tables: &Tables<'_>) -> Result<TableMap, CodecError> {
        let mut map = TableMap {
            names: Vec::with_capacity(tables.names.len()),
            members: Vec::with_capacity(tables.members.len()),
            first_text: self.texts.count,
            texts: u32::try_from(tables.texts.len()).map_err(|_| CodecError::Number)?,
        };
        for name in &tables.names {
            let at = self.name(name)?;
            map.names.push(at);
        }
        for &key in &tables.members {
            let mut key = key;
            key.iter_mut().try_for_each(|at| map.name(at))?;
            let at = self.member(key)?;
            map.members.push(at);
        }
        for text in &tables.texts {
            self.texts.push(text)?;
        }
        Ok(map)
    }

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

    /// Bytes so far.
    pub(in crate::log) fn bytes(&self) -> usize {
        self.names.bytes() + self.members.len() + self.texts.bytes()
    }

    /// Appends the tables as they stand in the payload of a block.
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
            Stored::Kept(salt, text) => {
                self.salts.extend_from_slice(&salt[..]);
                self.strings.extend_from_slice(text.as_bytes());
            }
            Stored::Erased(hash) => self.salts.extend_from_slice(&hash[..]),
        }
        Ok(at)
    }

    fn bytes(&self) -> usize {
        self.heads.len() + self.salts.len() + self.strings.len()
    }

    fn write(&self, out: &mut Vec<u8>) {
        put_varint(out, u64::from(self.count));
        out.extend_from_slice(&self.heads);
        out.extend_from_slice(&self.salts);
        out.extend_from_slice(&self.strings);
    }
}
