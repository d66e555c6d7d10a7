//! Carries positions in the tables of frames over to the tables of a stream of a block. What the positions stand in is in
//! `record`.

use super::erase::{Erasure, TextOf};
use super::read::{Stored, Tables};
use super::{MemberAt, NameAt, TextAt, look_up, slot};
use crate::domain::names::NumberHash;
use crate::log::codec::CodecError;
use crate::log::codec::bytes::put_varint;
use crate::log::eraser::Eraser;
use std::collections::HashMap;

/// Has positions in the tables of a frame.
pub(in crate::log) trait Renumber {
    /// Replaces each of them by its position in the tables of the stream.
    ///
    /// # Errors
    /// A position is none of the frame's.
    fn renumber(&mut self, map: &mut TableMap<'_, '_, '_>) -> Result<(), CodecError>;
}

/// Carries positions over from the tables of a frame to those of a stream, to which it adds what they do not have yet.
pub(in crate::log) struct TableMap<'m, 't, 'e> {
    pub(in crate::log) from: &'m Tables<'t>,
    pub(in crate::log) to: &'m mut TableMerger,
    pub(in crate::log) known: &'m mut KnownPositions,
    /// Whose strings are erased on the way.
    pub(in crate::log) erasure: Option<&'m mut Erasure<'e>>,
}

/// Where the strings and members of one frame are in the tables of a stream, as far as they are there.
#[derive(Debug, Default)]
pub(in crate::log) struct KnownPositions {
    names: Vec<Option<NameAt>>,
    /// And whether they are of the person who is forgotten.
    members: Vec<Option<(MemberAt, bool)>>,
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

impl TableMap<'_, '_, '_> {
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

    /// The observer of a record: it comes before the rest of it.
    pub(in crate::log::codec) fn observer(&mut self, at: &mut NameAt) -> Result<(), CodecError> {
        if let Some(erasure) = &mut self.erasure {
            let name = look_up(&self.from.names, "name", *at)?.text();
            let everywhere = erasure.eraser.is_everywhere();
            erasure.is_by_them = everywhere && erasure.eraser.is_user(name);
            (erasure.is_here, erasure.is_them) = (everywhere, false);
            if erasure.is_by_them {
                return self.person(at);
            }
        }
        self.name(at)
    }

    /// The channel of a record that is no change: it comes before the observer's own user and the members.
    pub(in crate::log::codec) fn channel(&mut self, at: &mut NameAt) -> Result<(), CodecError> {
        if let Some(erasure) = &mut self.erasure {
            let name = look_up(&self.from.names, "name", *at)?.text();
            erasure.is_here = erasure.eraser.covers(name);
        }
        self.name(at)
    }

    /// The observer's own user.
    pub(in crate::log::codec) fn self_user_if(
        &mut self,
        at: &mut Option<NameAt>,
    ) -> Result<(), CodecError> {
        let Some(at) = at else { return Ok(()) };
        let name = look_up(&self.from.names, "name", *at)?.text();
        match &self.erasure {
            Some(erasure) if erasure.is_here && erasure.eraser.is_user(name) => self.person(at),
            _ => self.name(at),
        }
    }

    /// A name of the person who is forgotten.
    fn person(&mut self, at: &mut NameAt) -> Result<(), CodecError> {
        let Some(erasure) = &mut self.erasure else {
            return self.name(at);
        };
        let name = look_up(&self.from.names, "name", *at)?;
        if name.text().is_empty() {
            return self.name(at);
        }
        erasure.strings += 1;
        let stand_in = erasure.eraser.stand_in(name.text());
        *at = self.to.name(&Stored::Erased(&name.hash(), &stand_in, 0))?;
        Ok(())
    }

    pub(in crate::log::codec) fn member(&mut self, at: &mut MemberAt) -> Result<(), CodecError> {
        let index = *at;
        let known = *slot(&mut self.known.members, "member", index)?;
        let (to, is_them) = match known {
            Some(known) => known,
            None => self.new_member(index)?,
        };
        *at = to;
        if let Some(erasure) = &mut self.erasure {
            erasure.is_them = is_them;
        }
        Ok(())
    }

    fn new_member(&mut self, index: MemberAt) -> Result<(MemberAt, bool), CodecError> {
        let [mut channel, mut topic, mut user, mut conn] =
            *look_up(&self.from.members, "member", index)?;
        let name = |at| look_up(&self.from.names, "name", at).map(Stored::text);
        let is_them = match &self.erasure {
            Some(erasure) => {
                erasure.eraser.is_user(name(user)?) && erasure.eraser.covers(name(channel)?)
            }
            None => false,
        };
        self.name(&mut channel)?;
        self.name(&mut topic)?;
        if is_them {
            self.person(&mut user)?;
            self.person(&mut conn)?;
        } else {
            self.name(&mut user)?;
            self.name(&mut conn)?;
        }
        let to = self.to.member([channel, topic, user, conn])?;
        *slot(&mut self.known.members, "member", index)? = Some((to, is_them));
        Ok((to, is_them))
    }

    /// Notes a change of the member that was carried over last.
    pub(in crate::log::codec) fn count_change(&mut self) {
        if let Some(erasure) = &mut self.erasure {
            erasure.found.changes += u64::from(erasure.is_them);
        }
    }

    /// Metadata of the member that was carried over last.
    pub(in crate::log::codec) fn meta_if(
        &mut self,
        at: &mut Option<TextAt>,
    ) -> Result<(), CodecError> {
        self.carry(at, TextOf::Member, Eraser::meta_stand_in)
    }

    pub(in crate::log::codec) fn text_if(
        &mut self,
        at: &mut Option<TextAt>,
        of: TextOf,
    ) -> Result<(), CodecError> {
        self.carry(at, of, Eraser::stand_in)
    }

    pub(in crate::log::codec) fn text(
        &mut self,
        at: &mut TextAt,
        of: TextOf,
    ) -> Result<(), CodecError> {
        let mut some = Some(*at);
        self.text_if(&mut some, of)?;
        *at = some.unwrap_or(*at);
        Ok(())
    }

    /// Whether a rejected line is theirs, so that it is blanked. `is_cut`: only its front was kept.
    pub(in crate::log::codec) fn takes_line(&mut self, line: &[u8], is_cut: bool) -> bool {
        let Some(erasure) = &mut self.erasure else {
            return false;
        };
        let takes = erasure.eraser.is_everywhere() && erasure.eraser.is_named_in_line(line, is_cut);
        erasure.strings += u64::from(takes);
        erasure.found.rejects += u64::from(takes);
        takes
    }

    fn carry(
        &mut self,
        at: &mut Option<TextAt>,
        of: TextOf,
        stand_in: impl Fn(&Eraser, &str) -> String,
    ) -> Result<(), CodecError> {
        let Some(at) = at else { return Ok(()) };
        let text = look_up(&self.from.texts, "text", *at)?;
        let known = slot(&mut self.known.texts, "text", *at)?;
        if let Some(known) = *known {
            *at = known;
            return Ok(());
        }
        let stand_in = self.erasure.as_mut().and_then(|erasure| {
            let takes = erasure.takes(text, of);
            takes.then(|| stand_in(erasure.eraser, text.text()))
        });
        let to = match &stand_in {
            Some(stand_in) => {
                let erased = Stored::Erased(&text.hash(), stand_in, 0);
                self.to.texts.push(&erased)?
            }
            None => self.to.texts.push(text)?,
        };
        *at = *known.insert(to);
        Ok(())
    }
}

/// A member's channel, topic, user and connection.
type MemberParts = (NameAt, NameAt, NameAt, NameAt);

/// The tables of a stream: what its records need of those of the frames, each name and member once. A name with another
/// salt is another name here, because the chain depends on the salts.
#[derive(Debug, Default)]
pub(in crate::log) struct TableMerger {
    names: StringTable,
    name_positions: HashMap<Vec<u8>, NameAt>,
    /// The name that was looked up last.
    key: Vec<u8>,
    members: Vec<u8>,
    member_positions: HashMap<MemberParts, MemberAt, NumberHash>,
    texts: StringTable,
}

impl TableMerger {
    fn name(&mut self, name: &Stored<'_>) -> Result<NameAt, CodecError> {
        self.key.clear();
        name.put_key(&mut self.key);
        if let Some(&at) = self.name_positions.get(&self.key) {
            return Ok(at);
        }
        let at = self.names.push(name)?;
        self.name_positions.insert(self.key.clone(), at);
        Ok(at)
    }

    fn member(&mut self, key: [NameAt; 4]) -> Result<MemberAt, CodecError> {
        let known = self.member_positions.len();
        let next = MemberAt::try_from(known).map_err(|_| CodecError::Number)?;
        let [channel, topic, user, conn] = key;
        let parts = (channel, topic, user, conn);
        let at = *self.member_positions.entry(parts).or_insert(next);
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
            Stored::Kept(salt, ..) => self.salts.extend_from_slice(&salt[..]),
            Stored::Erased(hash, ..) => self.salts.extend_from_slice(&hash[..]),
        }
        self.strings.extend_from_slice(string.text().as_bytes());
        Ok(at)
    }

    fn write(&self, out: &mut Vec<u8>) {
        put_varint(out, u64::from(self.count));
        out.extend_from_slice(&self.heads);
        out.extend_from_slice(&self.salts);
        out.extend_from_slice(&self.strings);
    }
}
