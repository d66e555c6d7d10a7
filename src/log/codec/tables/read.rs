//! Reads the tables of a frame. Each name and member is interned once; each use is an array look-up.

use super::{Hashes, MemberAt, NameAt, TextAt, look_up};
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
    /// The string as written.
    Kept(&'a Salt, &'a str),
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
            Stored::Kept(_, text) => (text.len() as u64) << 1,
            Stored::Erased(_) => ERASED,
        }
    }

    /// Equal for equal strings with equal salts, and for no others.
    pub(super) fn key(&self) -> Vec<u8> {
        match self {
            Stored::Kept(salt, text) => [&salt[..], text.as_bytes()].concat(),
            // No string has this last byte, so no erased string is taken for one.
            Stored::Erased(hash) => [&hash[..], &[0xFF]].concat(),
        }
    }

    fn hash(&self) -> StringHash {
        match self {
            Stored::Kept(salt, text) => string_hash(salt, text.as_bytes()),
            Stored::Erased(hash) => **hash,
        }
    }
}

/// The length of an erased string.
const ERASED: u64 = 1;

/// The tables of a decoded frame, borrowed from its payload.
#[derive(Debug)]
pub(in crate::log) struct Tables<'a> {
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
            Stored::Kept(_, text) => Some(text),
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
            Some(length) => Stored::Kept(chunk::<SALT_BYTES>(reader)?, text(reader, length)?),
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
                Stored::Kept(chunk::<SALT_BYTES>(&mut salts)?, text(&mut texts, length)?)
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
        let is_it = |name: &Stored<'_>| matches!(name, Stored::Kept(_, text) if *text == channel);
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

/// Gives the names, members and texts of records by their positions in the tables.
#[derive(Default)]
pub(in crate::log) struct TableReader {
    names: Vec<NameId>,
    /// `None`: not in the scope.
    members: Vec<Option<MemberId>>,
    /// One text for all entries of the frame that use it: most metadata repeats.
    texts: Vec<SharedText>,
}

enum SharedText {
    Kept(Text),
    Erased(StringHash),
}

impl TableReader {
    /// Interns the frame's names and members.
    /// With a scope, members outside it are left out.
    pub(in crate::log) fn new(
        tables: &Tables<'_>,
        names: &mut Names,
        scope: Option<&ChannelScope>,
    ) -> Result<Self, CodecError> {
        let of_name = |name: &Stored<'_>| match name {
            Stored::Kept(_, text) => names.intern(text),
            Stored::Erased(hash) => names.intern(&erased(hash)),
        };
        let of_text = |text: &Stored<'_>| match text {
            Stored::Kept(_, text) => SharedText::Kept(Arc::from(*text)),
            Stored::Erased(hash) => SharedText::Erased(**hash),
        };
        let mut reader = TableReader {
            names: tables.names.iter().map(of_name).collect(),
            members: Vec::with_capacity(tables.members.len()),
            texts: tables.texts.iter().map(of_text).collect(),
        };
        for (&[channel, topic, user, conn], at) in tables.members.iter().zip(0..) {
            if scope.is_some_and(|scope| !scope.has_member(at)) {
                reader.members.push(None);
                continue;
            }
            let member = names.member(MemberKey {
                channel: reader.name(channel)?,
                topic: reader.name(topic)?,
                user: reader.name(user)?,
                conn: reader.name(conn)?,
            });
            reader.members.push(Some(member));
        }
        Ok(reader)
    }

    pub(in crate::log::codec) fn name(&self, at: NameAt) -> Result<NameId, CodecError> {
        look_up(&self.names, "name", at).copied()
    }

    pub(in crate::log::codec) fn name_if(
        &self,
        at: Option<NameAt>,
    ) -> Result<Option<NameId>, CodecError> {
        at.map(|at| self.name(at)).transpose()
    }

    pub(in crate::log::codec) fn member(&self, at: MemberAt) -> Result<MemberId, CodecError> {
        let member = look_up(&self.members, "member", at)?;
        member.ok_or(CodecError::Index {
            what: "member outside the scope",
            index: at,
        })
    }

    pub(in crate::log::codec) fn text(&self, at: TextAt) -> Result<Text, CodecError> {
        Ok(match look_up(&self.texts, "text", at)? {
            SharedText::Kept(text) => Arc::clone(text),
            SharedText::Erased(hash) => Arc::from(erased(hash)),
        })
    }

    pub(in crate::log::codec) fn text_if(
        &self,
        at: Option<TextAt>,
    ) -> Result<Option<Text>, CodecError> {
        at.map(|at| self.text(at)).transpose()
    }

    /// Metadata must be JSON, even if it was erased.
    pub(in crate::log::codec) fn meta(
        &self,
        at: Option<TextAt>,
    ) -> Result<Option<Text>, CodecError> {
        let meta = |at| {
            Ok(match look_up(&self.texts, "text", at)? {
                SharedText::Kept(text) => Arc::clone(text),
                SharedText::Erased(hash) => Arc::from(format!("\"{}\"", erased(hash))),
            })
        };
        at.map(meta).transpose()
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
