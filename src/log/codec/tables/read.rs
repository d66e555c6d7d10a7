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
use std::fmt::Write as _;
use std::sync::Arc;

/// A string of a decoded frame.
#[derive(Debug, Clone, Copy)]
pub(in crate::log) enum Stored<'a> {
    /// The string as written, and how many bytes of the payload follow its begin.
    Kept(&'a Salt, &'a str, usize),
    /// The string was erased: only its hash in the chain remains.
    Erased(&'a StringHash),
}

impl Stored<'_> {
    pub(in crate::log) fn is_erased(&self) -> bool {
        matches!(self, Stored::Erased(_))
    }

    /// Its length, and whether it was erased, as one number.
    pub(super) fn head(&self) -> u64 {
        match self {
            Stored::Kept(_, text, _) => (text.len() as u64) << 1,
            Stored::Erased(_) => ERASED,
        }
    }

    /// Equal for equal strings with equal salts, and for no others.
    pub(super) fn key(&self) -> Vec<u8> {
        match self {
            Stored::Kept(salt, text, _) => [&salt[..], text.as_bytes()].concat(),
            // No string has this last byte, so no erased string is taken for one.
            Stored::Erased(hash) => [&hash[..], &[0xFF]].concat(),
        }
    }

    fn hash(&self) -> StringHash {
        match self {
            Stored::Kept(salt, text, _) => string_hash(salt, text.as_bytes()),
            Stored::Erased(hash) => **hash,
        }
    }
}

/// The length of an erased string.
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

    /// The channel of a member.
    pub(in crate::log::codec) fn channel_of(&self, member: MemberAt) -> Result<NameAt, CodecError> {
        let [channel, ..] = look_up(&self.members, "member", member)?;
        Ok(*channel)
    }

    /// The text of a name; `None` if it was erased.
    pub(in crate::log) fn name_text(&self, at: NameAt) -> Result<Option<&'a str>, CodecError> {
        Ok(match look_up(&self.names, "name", at)? {
            Stored::Kept(_, text, _) => Some(text),
            Stored::Erased(_) => None,
        })
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
        strings.push(match length(reader.varint()?)? {
            Some(length) => {
                let salt = chunk::<SALT_BYTES>(reader)?;
                let from = reader.left();
                Stored::Kept(salt, text(reader, length)?, from)
            }
            None => Stored::Erased(chunk::<STRING_HASH_BYTES>(reader)?),
        });
    }
    Ok(strings)
}

/// Strings whose lengths, salts and texts are in three columns.
fn string_columns<'a>(reader: &mut Reader<'a>) -> Result<Vec<Stored<'a>>, CodecError> {
    let count = reader.count(1 + SALT_BYTES)?;
    let mut heads = reader.clone();
    let mut salts = reader.clone();
    for _ in 0..count {
        salts.varint()?;
    }
    let mut texts = salts.clone();
    let mut lengths = heads.clone();
    for _ in 0..count {
        texts.take(match length(lengths.varint()?)? {
            Some(_) => SALT_BYTES,
            None => STRING_HASH_BYTES,
        })?;
    }
    let mut strings = Vec::with_capacity(count);
    for _ in 0..count {
        strings.push(match length(heads.varint()?)? {
            Some(length) => {
                let salt = chunk::<SALT_BYTES>(&mut salts)?;
                let from = texts.left();
                Stored::Kept(salt, text(&mut texts, length)?, from)
            }
            None => Stored::Erased(chunk::<STRING_HASH_BYTES>(&mut salts)?),
        });
    }
    *reader = texts;
    Ok(strings)
}

/// The length of a string; `None` if it was erased.
fn length(head: u64) -> Result<Option<usize>, CodecError> {
    match head {
        ERASED => Ok(None),
        head if head & ERASED == 0 => match usize::try_from(head >> 1) {
            Ok(length) => Ok(Some(length)),
            Err(_) => Err(CodecError::Number),
        },
        value => Err(CodecError::Unknown {
            what: "string",
            value,
        }),
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
    /// The scope of a channel; `None` if names were erased, so that it is not known.
    pub(in crate::log) fn of(channel: &str, tables: &Tables<'_>) -> Option<ChannelScope> {
        if tables.names.iter().any(Stored::is_erased) {
            return None;
        }
        let is_it =
            |name: &Stored<'_>| matches!(name, Stored::Kept(_, text, _) if *text == channel);
        let names: Vec<bool> = tables.names.iter().map(is_it).collect();
        let has = |&[of, ..]: &[NameAt; 4]| names.get(of as usize).is_some_and(|is| *is);
        Some(ChannelScope {
            members: tables.members.iter().map(has).collect(),
            names,
        })
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
    Kept(Place),
    Erased(StringHash),
}

#[derive(Clone, Copy)]
enum LazyMember {
    Interned(MemberId),
    Of([NameAt; 4]),
}

/// One text for all entries that use it: most metadata repeats.
enum LazyText {
    Made(Text),
    Kept(Place),
    Erased(StringHash),
}

/// Where a string is in a payload.
#[derive(Clone, Copy)]
struct Place {
    /// Bytes from its begin to the end of the payload.
    from_end: usize,
    length: u32,
}

impl Place {
    fn of(text: &str, from_end: usize) -> Place {
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
        let name = |name: &Stored<'_>| match *name {
            Stored::Kept(_, text, from_end) => LazyName::Kept(Place::of(text, from_end)),
            Stored::Erased(hash) => LazyName::Erased(*hash),
        };
        let text = |text: &Stored<'_>| match *text {
            Stored::Kept(_, text, from_end) => LazyText::Kept(Place::of(text, from_end)),
            Stored::Erased(hash) => LazyText::Erased(*hash),
        };
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

/// Gives the names, members and texts of records by their positions in the tables.
pub(in crate::log) struct TableReader<'a> {
    tables: &'a mut LazyTables,
    payload: &'a [u8],
    names: &'a mut Names,
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
        }
    }

    pub(in crate::log::codec) fn name(&mut self, at: NameAt) -> Result<NameId, CodecError> {
        let name = slot(&mut self.tables.names, "name", at)?;
        let interned = match *name {
            LazyName::Interned(known) => return Ok(known),
            LazyName::Kept(place) => self.names.intern(place.text(self.payload)?),
            LazyName::Erased(hash) => self.names.intern(&erased(&hash)),
        };
        *name = LazyName::Interned(interned);
        Ok(interned)
    }

    pub(in crate::log::codec) fn name_if(
        &mut self,
        at: Option<NameAt>,
    ) -> Result<Option<NameId>, CodecError> {
        at.map(|at| self.name(at)).transpose()
    }

    pub(in crate::log::codec) fn member(&mut self, at: MemberAt) -> Result<MemberId, CodecError> {
        let [channel, topic, user, conn] = match *slot(&mut self.tables.members, "member", at)? {
            LazyMember::Interned(known) => return Ok(known),
            LazyMember::Of(names) => names,
        };
        let key = MemberKey {
            channel: self.name(channel)?,
            topic: self.name(topic)?,
            user: self.name(user)?,
            conn: self.name(conn)?,
        };
        let interned = self.names.member(key);
        *slot(&mut self.tables.members, "member", at)? = LazyMember::Interned(interned);
        Ok(interned)
    }

    pub(in crate::log::codec) fn text(&mut self, at: TextAt) -> Result<Text, CodecError> {
        let text = slot(&mut self.tables.texts, "text", at)?;
        let made: Text = match text {
            LazyText::Made(made) => return Ok(Arc::clone(made)),
            LazyText::Kept(place) => Arc::from(place.text(self.payload)?),
            LazyText::Erased(hash) => return Ok(Arc::from(erased(hash))),
        };
        *text = LazyText::Made(Arc::clone(&made));
        Ok(made)
    }

    pub(in crate::log::codec) fn text_if(
        &mut self,
        at: Option<TextAt>,
    ) -> Result<Option<Text>, CodecError> {
        at.map(|at| self.text(at)).transpose()
    }

    /// Metadata must be JSON, even if it was erased.
    pub(in crate::log::codec) fn meta(
        &mut self,
        at: Option<TextAt>,
    ) -> Result<Option<Text>, CodecError> {
        let Some(at) = at else { return Ok(None) };
        if let LazyText::Erased(hash) = slot(&mut self.tables.texts, "text", at)? {
            return Ok(Some(Arc::from(format!("\"{}\"", erased(hash)))));
        }
        self.text(at).map(Some)
    }
}

/// The text for an erased string: it is the same for every use of one name, and never a real name.
fn erased(hash: &StringHash) -> String {
    let mut text = String::from("erased:");
    for byte in hash {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
