//! Fills the tables of a frame. A name or a member is added once for each frame, a text at every use.
//!
//! Salts are drawn in the order of a record's strings. So a record gets the same salts in any frame.

use super::{Hashes, MemberAt, NameAt, TextAt};
use crate::domain::entry::Text;
use crate::domain::names::{MemberId, MemberKey, NameId, NameTable};
use crate::log::codec::bytes::put_varint;
use crate::log::salts::{Salt, Salts, StringHash, string_hash};

/// The tables of the frame that is being encoded. Its memory is used again for the next frame.
#[derive(Debug, Default)]
pub(in crate::log) struct TableWriter {
    names: Vec<u8>,
    members: Vec<u8>,
    texts: Vec<u8>,
    hashes: Hashes,
    /// The number of the frame, to tell its positions from those of earlier frames.
    epoch: u32,
    name_positions: Positions,
    member_positions: Positions,
}

impl TableWriter {
    /// Empties the tables for the next frame.
    pub(in crate::log) fn next_frame(&mut self) {
        for table in [&mut self.names, &mut self.members, &mut self.texts] {
            table.clear();
        }
        let Hashes {
            names,
            members,
            texts,
        } = &mut self.hashes;
        for hashes in [names, members, texts] {
            hashes.clear();
        }
        self.epoch = self.epoch.wrapping_add(1);
        if self.epoch == 0 {
            *self = TableWriter {
                epoch: 1,
                ..TableWriter::default()
            };
        }
    }

    /// Appends the tables as they stand in a payload.
    pub(in crate::log) fn write(&self, out: &mut Vec<u8>) {
        let hashes = &self.hashes;
        for (table, count) in [
            (&self.names, hashes.names.len()),
            (&self.members, hashes.members.len()),
            (&self.texts, hashes.texts.len()),
        ] {
            put_varint(out, count as u64);
            out.extend_from_slice(table);
        }
    }
}

/// The position of each name or member in the tables of a frame. It is an array, so a look-up needs no hashing. A slot
/// of an earlier frame has another epoch, so nothing must be cleared between frames.
#[derive(Debug, Default)]
struct Positions(Vec<(u32, u32)>);

impl Positions {
    fn get(&self, epoch: u32, number: u32) -> Option<u32> {
        let &(of, at) = self.0.get(number as usize)?;
        (of == epoch).then_some(at)
    }

    fn set(&mut self, epoch: u32, number: u32, at: u32) {
        let index = number as usize;
        if self.0.len() <= index {
            self.0.resize(index + 1, (0, 0));
        }
        if let Some(slot) = self.0.get_mut(index) {
            *slot = (epoch, at);
        }
    }
}

/// Gives the strings of records their positions in the tables.
pub(in crate::log) struct TableBuilder<'a> {
    pub(in crate::log) names: &'a NameTable,
    pub(in crate::log) salts: &'a mut Salts,
    pub(in crate::log) tables: &'a mut TableWriter,
}

impl TableBuilder<'_> {
    /// The hashes of all strings so far.
    pub(in crate::log) fn hashes(&self) -> &Hashes {
        &self.tables.hashes
    }

    pub(in crate::log::codec) fn name(&mut self, name: NameId) -> NameAt {
        let tables = &mut *self.tables;
        if let Some(at) = tables.name_positions.get(tables.epoch, name.0) {
            return at;
        }
        let (salt, hash) = self.salts.name(name, self.names);
        put_string(&mut tables.names, self.names.text(name), &salt);
        let at = next(&mut tables.hashes.names, hash);
        tables.name_positions.set(tables.epoch, name.0, at);
        at
    }

    #[inline]
    pub(in crate::log::codec) fn name_if(&mut self, name: Option<NameId>) -> Option<NameAt> {
        name.map(|name| self.name(name))
    }

    pub(in crate::log::codec) fn member(&mut self, member: MemberId) -> MemberAt {
        let known = &self.tables.member_positions;
        if let Some(at) = known.get(self.tables.epoch, member.0) {
            return at;
        }
        let MemberKey {
            channel,
            topic,
            user,
            conn,
        } = self.names.key(member);
        let key = [channel, topic, user, conn].map(|name| self.name(name));
        let tables = &mut *self.tables;
        for name in key {
            put_varint(&mut tables.members, u64::from(name));
        }
        let hash = self.salts.member(member, self.names);
        let at = next(&mut tables.hashes.members, hash);
        tables.member_positions.set(tables.epoch, member.0, at);
        at
    }

    pub(in crate::log::codec) fn text(&mut self, text: &Text) -> TextAt {
        let salt = self.salts.draw();
        put_string(&mut self.tables.texts, text, &salt);
        let hash = string_hash(&salt, text.as_bytes());
        next(&mut self.tables.hashes.texts, hash)
    }

    #[inline]
    pub(in crate::log::codec) fn text_if(&mut self, text: Option<&Text>) -> Option<TextAt> {
        text.map(|text| self.text(text))
    }
}

fn next(hashes: &mut Vec<StringHash>, hash: StringHash) -> u32 {
    // A frame that holds 2^32 strings is refused for its size.
    let at = hashes.len() as u32;
    hashes.push(hash);
    at
}

/// Writes a string: twice its length, then salt and bytes. What erases strings writes blocks alone.
fn put_string(out: &mut Vec<u8>, text: &str, salt: &Salt) {
    put_varint(out, (text.len() as u64) << 1);
    out.extend_from_slice(salt);
    out.extend_from_slice(text.as_bytes());
}
