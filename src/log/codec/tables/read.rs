//! Reads the tables of a frame or stream. A name or member is interned at its first use, since a reader of one channel uses
//! few of them; each later use is an array look-up.

use super::{Hashes, MemberAt, NameAt, TextAt, look_up, slot};
use crate::domain::entry::Text;
use crate::domain::names::{MemberId, MemberKey, NameId, Names};
use crate::log::codec::CodecError;
use crate::log::codec::bytes::Reader;
use crate::log::salts::{
    SALT_BYTES, STRING_HASH_BYTES, Salt, StringHash, member_hash, string_hash,
};
use std::sync::Arc;

/// A string of a decoded frame, and how many bytes of the payload follow the begin of its text.
#[derive(Debug, Clone, Copy)]
pub(in crate::log) enum Stored<'a> {
    /// The string as written.
    Kept(&'a Salt, &'a str, usize),
    /// The string was erased: its hash in the chain remains, and what stands for it.
    Erased(&'a StringHash, &'a str, usize),
}

impl<'a> Stored<'a> {
    /// The string, or what stands for it.
    pub(in crate::log) fn text(&self) -> &'a str {
        match self {
            Stored::Kept(_, text, _) | Stored::Erased(_, text, _) => text,
        }
    }

    /// Its length, and whether it was erased, as one number.
    pub(super) fn head(&self) -> u64 {
        let length = (self.text().len() as u64) << 1;
        match self {
            Stored::Kept(..) => length,
            Stored::Erased(..) => length | ERASED,
        }
    }

    /// Appends bytes that are equal for equal strings with equal salts, and for no others.
    pub(super) fn put_key(&self, out: &mut Vec<u8>) {
        match self {
            Stored::Kept(salt, text, _) => {
                out.extend_from_slice(&salt[..]);
                out.extend_from_slice(text.as_bytes());
            }
            Stored::Erased(hash, text, _) => {
                out.extend_from_slice(&hash[..]);
                out.extend_from_slice(text.as_bytes());
                // No string has this last byte, so no erased string is taken for one.
                out.push(0xFF);
            }
        }
    }

    /// Its hash in the chain.
    pub(super) fn hash(&self) -> StringHash {
        match self {
            Stored::Kept(salt, text, _) => string_hash(salt, text.as_bytes()),
            Stored::Erased(hash, ..) => **hash,
        }
    }
}

/// Set in the head of an erased string.
const ERASED: u64 = 1;

/// The tables of a decoded frame, borrowed from its payload.
#[derive(Debug)]
pub(in crate::log) struct Tables<'a> {
    /// The payload, from the tables on.
    pub(in crate::log) payload: &'a [u8],
    pub(in crate::log) names: Vec<Stored<'a>>,
    /// By channel, topic, user and connection.
    pub(super) members: Vec<[NameAt; 4]>,
    pub(super) texts: Vec<Stored<'a>>,
}

impl<'a> Tables<'a> {
    /// The tables of a frame.
    pub(in crate::log) fn read(reader: &mut Reader<'a>) -> Result<Self, CodecError> {
        Self::read_with(reader, strings)
    }

    /// The tables of a block.
    pub(in crate::log) fn read_columns(reader: &mut Reader<'a>) -> Result<Self, CodecError> {
        Self::read_with(reader, string_columns)
    }

    fn read_with(
        reader: &mut Reader<'a>,
        strings: impl Fn(&mut Reader<'a>) -> Result<Vec<Stored<'a>>, CodecError>,
    ) -> Result<Self, CodecError> {
        let payload = reader.rest();
        let names = strings(reader)?;
        let count = reader.count(4)?;
        let mut members = Vec::with_capacity(count);
        for _ in 0..count {
            let mut key = [0; 4];
            for part in &mut key {
                *part = reader.index()?;
                look_up(&names, "name", *part)?;
            }
            members.push(key);
        }
        let texts = strings(reader)?;
        Ok(Tables {
            payload,
            names,
            members,
            texts,
        })
    }

    /// How many members they have.
    pub(in crate::log) fn members(&self) -> usize {
        self.members.len()
    }

    /// The channel of a member.
    pub(in crate::log::codec) fn channel_of(&self, member: MemberAt) -> Result<NameAt, CodecError> {
        let [channel, ..] = look_up(&self.members, "member", member)?;
        Ok(*channel)
    }

    /// The text of a name.
    pub(in crate::log) fn name_text(&self, at: NameAt) -> Result<&'a str, CodecError> {
        look_up(&self.names, "name", at).map(Stored::text)
    }

    /// Computes the hashes for the chain. They are the costly half of a verification, so this is done only on demand.
    pub(in crate::log) fn hashes(&self) -> Result<Hashes, CodecError> {
        let mut hashes = Hashes {
            names: self.names.iter().map(Stored::hash).collect(),
            members: Vec::with_capacity(self.members.len()),
            texts: self.texts.iter().map(Stored::hash).collect(),
        };
        for &[channel, topic, user, conn] in &self.members {
            let hash = member_hash(
                hashes.name(channel)?,
                hashes.name(topic)?,
                hashes.name(user)?,
                hashes.name(conn)?,
            );
            hashes.members.push(hash);
        }
        Ok(hashes)
    }
}

fn strings<'a>(reader: &mut Reader<'a>) -> Result<Vec<Stored<'a>>, CodecError> {
    let count = reader.count(1 + SALT_BYTES)?;
    let mut strings = Vec::with_capacity(count);
    for _ in 0..count {
        let head = Head::of(reader.varint()?)?;
        let mut marks = reader.clone();
        reader.take(head.mark_bytes())?;
        strings.push(head.string(&mut marks, reader)?);
    }
    Ok(strings)
}

/// Strings whose lengths, salts and texts are in three columns.
pub(super) fn string_columns<'a>(reader: &mut Reader<'a>) -> Result<Vec<Stored<'a>>, CodecError> {
    let count = reader.count(1 + SALT_BYTES)?;
    let mut heads = reader.clone();
    let mut marks = reader.clone();
    for _ in 0..count {
        marks.varint()?;
    }
    let mut texts = marks.clone();
    let mut lengths = heads.clone();
    for _ in 0..count {
        texts.take(Head::of(lengths.varint()?)?.mark_bytes())?;
    }
    let mut strings = Vec::with_capacity(count);
    for _ in 0..count {
        let head = Head::of(heads.varint()?)?;
        strings.push(head.string(&mut marks, &mut texts)?);
    }
    *reader = texts;
    Ok(strings)
}

/// Passes over strings that [`string_columns`] reads.
pub(super) fn pass_string_columns(reader: &mut Reader<'_>) -> Result<(), CodecError> {
    let count = reader.count(1 + SALT_BYTES)?;
    let mut bytes = 0_usize;
    for _ in 0..count {
        let head = Head::of(reader.varint()?)?;
        let string = head.length.checked_add(head.mark_bytes());
        let all = string.and_then(|string| bytes.checked_add(string));
        bytes = all.ok_or(CodecError::Short)?;
    }
    reader.take(bytes).map(drop)
}

/// How long a string is, and whether it was erased.
#[derive(Clone, Copy)]
struct Head {
    length: usize,
    erased: bool,
}

impl Head {
    fn of(head: u64) -> Result<Head, CodecError> {
        Ok(Head {
            length: usize::try_from(head >> 1).map_err(|_| CodecError::Number)?,
            erased: head & ERASED != 0,
        })
    }

    /// Bytes of its salt or hash.
    fn mark_bytes(self) -> usize {
        if self.erased {
            STRING_HASH_BYTES
        } else {
            SALT_BYTES
        }
    }

    /// The string, of which the salt or hash and the text are read in two places.
    fn string<'a>(
        self,
        marks: &mut Reader<'a>,
        texts: &mut Reader<'a>,
    ) -> Result<Stored<'a>, CodecError> {
        let from = texts.left();
        Ok(if self.erased {
            Stored::Erased(chunk(marks)?, text(texts, self.length)?, from)
        } else {
            Stored::Kept(chunk(marks)?, text(texts, self.length)?, from)
        })
    }
}

fn text<'a>(reader: &mut Reader<'a>, length: usize) -> Result<&'a str, CodecError> {
    std::str::from_utf8(reader.take(length)?).map_err(|_| CodecError::Utf8)
}

fn chunk<'a, const N: usize>(reader: &mut Reader<'a>) -> Result<&'a [u8; N], CodecError> {
    reader.take(N)?.first_chunk().ok_or(CodecError::Short)
}

/// Which names and members of a frame belong to one channel.
#[derive(Debug)]
pub(in crate::log) struct ChannelScope {
    names: Vec<bool>,
    members: Vec<bool>,
}

impl ChannelScope {
    /// The scope of a channel.
    pub(in crate::log) fn of(channel: &str, tables: &Tables<'_>) -> ChannelScope {
        let is_it = |name: &Stored<'_>| name.text() == channel;
        let names: Vec<bool> = tables.names.iter().map(is_it).collect();
        let has = |&[of, ..]: &[NameAt; 4]| names.get(of as usize).is_some_and(|is| *is);
        ChannelScope {
            members: tables.members.iter().map(has).collect(),
            names,
        }
    }

    pub(in crate::log::codec) fn has_name(&self, at: NameAt) -> bool {
        self.names.get(at as usize).is_some_and(|is| *is)
    }

    pub(in crate::log::codec) fn has_member(&self, at: MemberAt) -> bool {
        self.members.get(at as usize).is_some_and(|is| *is)
    }
}

/// The tables of a payload that is being read.
#[derive(Default)]
pub(in crate::log) struct LazyTables {
    names: Vec<LazyName>,
    members: Vec<LazyMember>,
    texts: Vec<LazyText>,
}

#[derive(Clone, Copy)]
enum LazyName {
    Interned(NameId),
    /// It is there in the payload.
    Stored(Place),
}

#[derive(Clone, Copy)]
enum LazyMember {
    Interned(MemberId),
    Of([NameAt; 4]),
}

/// One text for all entries that use it: most metadata repeats.
enum LazyText {
    Made(Text),
    Stored(Place),
}

/// Where a string is in a payload.
#[derive(Clone, Copy)]
struct Place {
    /// Bytes from its begin to the end of the payload.
    from_end: usize,
    length: u32,
}

impl Place {
    fn of(string: &Stored<'_>) -> Place {
        let (Stored::Kept(_, text, from_end) | Stored::Erased(_, text, from_end)) = *string;
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        Place { from_end, length }
    }

    fn text(self, payload: &[u8]) -> Result<&str, CodecError> {
        let from = payload.len().checked_sub(self.from_end);
        let bytes = from.and_then(|from| payload.get(from..)?.get(..self.length as usize));
        std::str::from_utf8(bytes.ok_or(CodecError::Short)?).map_err(|_| CodecError::Utf8)
    }
}

impl LazyTables {
    pub(in crate::log) fn new(tables: &Tables<'_>) -> LazyTables {
        let name = |name| LazyName::Stored(Place::of(name));
        let text = |text| LazyText::Stored(Place::of(text));
        LazyTables {
            names: tables.names.iter().map(name).collect(),
            members: tables
                .members
                .iter()
                .map(|&of| LazyMember::Of(of))
                .collect(),
            texts: tables.texts.iter().map(text).collect(),
        }
    }
}

impl LazyTables {
    /// Looks up all names and members that were not looked up yet, for a reader who needs them all: many are found faster
    /// together than one by one.
    pub(in crate::log) fn intern_all(
        &mut self,
        payload: &[u8],
        names: &mut Names,
    ) -> Result<(), CodecError> {
        let mut texts = Vec::with_capacity(self.names.len());
        for name in &self.names {
            if let LazyName::Stored(place) = name {
                texts.push(place.text(payload)?);
            }
        }
        let unknown = |name: &&mut LazyName| matches!(name, LazyName::Stored(_));
        let mut unknown = self.names.iter_mut().filter(unknown);
        names.intern_all(&texts, |found| {
            let name = unknown.next();
            name.into_iter()
                .for_each(|name| *name = LazyName::Interned(found));
        });
        let known = &self.names;
        let name = |at: NameAt| match look_up(known, "name", at)? {
            LazyName::Interned(name) => Ok(*name),
            LazyName::Stored(_) => Err(CodecError::Short),
        };
        let mut keys = Vec::with_capacity(self.members.len());
        for member in &self.members {
            if let LazyMember::Of(of) = *member {
                keys.push(MemberKey::try_of(of, name)?);
            }
        }
        let unknown = |member: &&mut LazyMember| matches!(member, LazyMember::Of(_));
        let mut unknown = self.members.iter_mut().filter(unknown);
        names.all_members(&keys, |found| {
            let member = unknown.next();
            member
                .into_iter()
                .for_each(|member| *member = LazyMember::Interned(found));
        });
        Ok(())
    }
}

/// Gives the names, members and texts of records by their positions in the tables.
pub(in crate::log) struct TableReader<'a> {
    tables: &'a mut LazyTables,
    payload: &'a [u8],
    names: &'a mut Names,
    texts: bool,
}

impl<'a> TableReader<'a> {
    /// A reader of the tables of this payload, which interns in `names`.
    pub(in crate::log) fn new(
        tables: &'a mut LazyTables,
        payload: &'a [u8],
        names: &'a mut Names,
    ) -> TableReader<'a> {
        TableReader {
            tables,
            payload,
            names,
            texts: true,
        }
    }

    /// The same; but texts that an entry may also be without are missing, if `texts` is not set.
    pub(in crate::log) fn with_texts(&mut self, texts: bool) -> TableReader<'_> {
        TableReader {
            tables: self.tables,
            payload: self.payload,
            names: self.names,
            texts,
        }
    }

    #[inline]
    pub(in crate::log::codec) fn name(&mut self, at: NameAt) -> Result<NameId, CodecError> {
        match *slot(&mut self.tables.names, "name", at)? {
            LazyName::Interned(known) => Ok(known),
            LazyName::Stored(place) => self.new_name(at, place),
        }
    }

    #[cold]
    fn new_name(&mut self, at: NameAt, place: Place) -> Result<NameId, CodecError> {
        let interned = self.names.intern(place.text(self.payload)?);
        *slot(&mut self.tables.names, "name", at)? = LazyName::Interned(interned);
        Ok(interned)
    }

    pub(in crate::log::codec) fn name_if(
        &mut self,
        at: Option<NameAt>,
    ) -> Result<Option<NameId>, CodecError> {
        at.map(|at| self.name(at)).transpose()
    }

    #[inline]
    pub(in crate::log::codec) fn member(&mut self, at: MemberAt) -> Result<MemberId, CodecError> {
        match *slot(&mut self.tables.members, "member", at)? {
            LazyMember::Interned(known) => Ok(known),
            LazyMember::Of(of) => self.new_member(at, of),
        }
    }

    #[cold]
    fn new_member(&mut self, at: MemberAt, of: [NameAt; 4]) -> Result<MemberId, CodecError> {
        let key = MemberKey::try_of(of, |name| self.name(name))?;
        let interned = self.names.member(key);
        *slot(&mut self.tables.members, "member", at)? = LazyMember::Interned(interned);
        Ok(interned)
    }

    #[inline]
    pub(in crate::log::codec) fn text(&mut self, at: TextAt) -> Result<Text, CodecError> {
        match slot(&mut self.tables.texts, "text", at)? {
            LazyText::Made(made) => Ok(Arc::clone(made)),
            &mut LazyText::Stored(place) => self.new_text(at, place),
        }
    }

    #[cold]
    fn new_text(&mut self, at: TextAt, place: Place) -> Result<Text, CodecError> {
        let made: Text = Arc::from(place.text(self.payload)?);
        *slot(&mut self.tables.texts, "text", at)? = LazyText::Made(Arc::clone(&made));
        Ok(made)
    }

    #[inline]
    pub(in crate::log::codec) fn text_if(
        &mut self,
        at: Option<TextAt>,
    ) -> Result<Option<Text>, CodecError> {
        let at = at.filter(|_| self.texts);
        at.map(|at| self.text(at)).transpose()
    }
}
