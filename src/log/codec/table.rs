//! The tables at the front of a payload: names, members and texts, each with its input to the chain.
//!
//! A string is stored with its salt, or, once it was erased, as its hash only.

use super::CodecError;
use super::bytes::{Reader, put_varint};
use super::wire::{MemberAt, NameAt, TextAt};
use crate::log::salts::{
    SALT_BYTES, STRING_HASH_BYTES, Salt, StringHash, member_hash, string_hash,
};

/// The hash in the chain of each name, member and text of a frame.
#[derive(Debug, Default)]
pub(in crate::log) struct Hashes {
    pub(in crate::log) names: Vec<StringHash>,
    pub(in crate::log) members: Vec<StringHash>,
    pub(in crate::log) texts: Vec<StringHash>,
}

/// The tables of a frame that is being encoded.
#[derive(Debug, Default)]
pub(in crate::log) struct TableWriter {
    names: Vec<u8>,
    members: Vec<u8>,
    texts: Vec<u8>,
    pub(in crate::log) hashes: Hashes,
}

impl TableWriter {
    pub(in crate::log) fn clear(&mut self) {
        self.names.clear();
        self.members.clear();
        self.texts.clear();
        self.hashes.names.clear();
        self.hashes.members.clear();
        self.hashes.texts.clear();
    }

    pub(in crate::log) fn name(&mut self, text: &str, salt: &Salt, hash: StringHash) -> NameAt {
        put_string(&mut self.names, text, salt);
        next(&mut self.hashes.names, hash)
    }

    pub(in crate::log) fn text(&mut self, text: &str, salt: &Salt) -> TextAt {
        put_string(&mut self.texts, text, salt);
        next(&mut self.hashes.texts, string_hash(salt, text.as_bytes()))
    }

    /// Adds a member by its channel, topic, user and connection.
    pub(in crate::log) fn member(&mut self, key: [NameAt; 4], hash: StringHash) -> MemberAt {
        for name in key {
            put_varint(&mut self.members, u64::from(name));
        }
        next(&mut self.hashes.members, hash)
    }

    pub(in crate::log) fn write(&self, out: &mut Vec<u8>) {
        for (table, count) in [
            (&self.names, self.hashes.names.len()),
            (&self.members, self.hashes.members.len()),
            (&self.texts, self.hashes.texts.len()),
        ] {
            put_varint(out, count as u64);
            out.extend_from_slice(table);
        }
    }
}

fn next(hashes: &mut Vec<StringHash>, hash: StringHash) -> u32 {
    // A frame is smaller than 2^30 bytes, so it cannot hold 2^32 items.
    let at = hashes.len() as u32;
    hashes.push(hash);
    at
}

/// Writes the length and the erased bit as one number, then salt and bytes. (An erased string has the hash instead.)
fn put_string(out: &mut Vec<u8>, text: &str, salt: &Salt) {
    put_varint(out, (text.len() as u64) << 1);
    out.extend_from_slice(salt);
    out.extend_from_slice(text.as_bytes());
}

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

    fn hash(&self) -> StringHash {
        match self {
            Stored::Kept(salt, text) => string_hash(salt, text.as_bytes()),
            Stored::Erased(hash) => **hash,
        }
    }
}

/// The tables of a decoded frame, borrowed from its payload.
#[derive(Debug)]
pub(in crate::log) struct Tables<'a> {
    pub(in crate::log) names: Vec<Stored<'a>>,
    pub(in crate::log) members: Vec<[NameAt; 4]>,
    pub(in crate::log) texts: Vec<Stored<'a>>,
}

impl<'a> Tables<'a> {
    pub(in crate::log) fn read(reader: &mut Reader<'a>) -> Result<Self, CodecError> {
        let names = strings(reader)?;
        let count = reader.count(4)?;
        let mut members = Vec::with_capacity(count);
        for _ in 0..count {
            let mut key = [0; 4];
            for part in &mut key {
                *part = reader.index()?;
                if *part as usize >= names.len() {
                    return Err(CodecError::Index {
                        what: "name",
                        index: *part,
                    });
                }
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

    /// Computes the hashes for the chain. They are the costly half of a verification, so this is done only on demand.
    pub(in crate::log) fn hashes(&self) -> Result<Hashes, CodecError> {
        let names: Vec<StringHash> = self.names.iter().map(Stored::hash).collect();
        let members = self
            .members
            .iter()
            .map(|key| {
                let [channel, topic, user, conn] = key.map(|at| names.get(at as usize));
                match (channel, topic, user, conn) {
                    (Some(channel), Some(topic), Some(user), Some(conn)) => {
                        Ok(member_hash(channel, topic, user, conn))
                    }
                    _ => Err(CodecError::Short),
                }
            })
            .collect::<Result<_, _>>()?;
        Ok(Hashes {
            members,
            texts: self.texts.iter().map(Stored::hash).collect(),
            names,
        })
    }
}

fn strings<'a>(reader: &mut Reader<'a>) -> Result<Vec<Stored<'a>>, CodecError> {
    let count = reader.count(1 + SALT_BYTES)?;
    let mut strings = Vec::with_capacity(count);
    for _ in 0..count {
        let head = reader.varint()?;
        let length = usize::try_from(head >> 1).map_err(|_| CodecError::Number)?;
        strings.push(if head & 1 == 0 {
            let salt = chunk::<SALT_BYTES>(reader)?;
            let text = std::str::from_utf8(reader.take(length)?).map_err(|_| CodecError::Utf8)?;
            Stored::Kept(salt, text)
        } else if length == 0 {
            Stored::Erased(chunk::<STRING_HASH_BYTES>(reader)?)
        } else {
            return Err(CodecError::Unknown {
                what: "string",
                value: head,
            });
        });
    }
    Ok(strings)
}

fn chunk<'a, const N: usize>(reader: &mut Reader<'a>) -> Result<&'a [u8; N], CodecError> {
    reader.take(N)?.first_chunk().ok_or(CodecError::Short)
}
