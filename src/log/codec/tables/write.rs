//! Fills the tables of a frame. A name or a member is added once for each frame, a text at every use.
//!
//! Salts are drawn in the order of a record's strings. So a record gets the same salts in any frame.

use super::{Hashes, MemberAt, NameAt, TextAt};
use crate::domain::entry::Text;
use crate::domain::names::{MemberId, NameId, NameTable};
use crate::log::codec::bytes::put_varint;
use crate::log::salts::{Salt, Salts, StringHash, TablePlace, string_hash};

/// The tables of the frame that is being encoded. Its memory is used again for the next frame.
#[derive(Debug, Default)]
pub(in crate::log) struct TableWriter {
    names: Vec<u8>,
    members: Vec<u8>,
    texts: Vec<u8>,
    hashes: Hashes,
    /// The number of the frame, to tell its places from those of earlier frames.
    frame: u32,
}

impl TableWriter {
    /// Empties the tables for the next frame.
    pub(in crate::log) fn next_frame(&mut self, salts: &mut Salts) {
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
        self.frame = self.frame.wrapping_add(1);
        if !TablePlace::FRAMES.contains(&self.frame) {
            self.frame = TablePlace::FRAMES.start;
            salts.forget_frames();
        }
    }

    fn place(&self, at: u32) -> TablePlace {
        let frame = self.frame;
        TablePlace { frame, at }
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
        let known = self.salts.name(name, self.names);
        if known.last.frame == tables.frame {
            return known.last.at;
        }
        let (salt, hash) = known.hash;
        put_string(&mut tables.names, self.names.text(name), &salt);
        let at = next(&mut tables.hashes.names, hash);
        known.last = tables.place(at);
        at
    }

    #[inline]
    pub(in crate::log::codec) fn name_if(&mut self, name: Option<NameId>) -> Option<NameAt> {
        name.map(|name| self.name(name))
    }

    pub(in crate::log::codec) fn member(&mut self, member: MemberId) -> MemberAt {
        if let Some(at) = self.salts.place_of(member, self.tables.frame) {
            return at;
        }
        let key = self.names.key(member).names();
        let key = key.map(|name| self.name(name));
        let tables = &mut *self.tables;
        for name in key {
            put_varint(&mut tables.members, u64::from(name));
        }
        let known = self.salts.member(member, self.names);
        let at = next(&mut tables.hashes.members, known.hash);
        known.last = tables.place(at);
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
