//! The base of a log: one object beside the blocks. It stands for all entries that were pruned, so it says where the log
//! begins, and what is known there. It is stored as a whole, and replaced as a whole.
//!
//! ```text
//! object = magic, version, length, CRC, header, content (compressed), CRC
//! ```

use super::envelope::{BlockError, Section, front, read_front, store};
use crate::limits::FRAME_BYTES_MAX;
use crate::log::codec::CodecError;
use crate::log::codec::base::{BaseContent, BaseHeader};
use crate::log::codec::bytes::{pack, unpack};
use crate::log::codec::header::SectionBody;
use crate::log::eraser::{Erased, Eraser};
use crate::log::frame::FrameError;

/// The number of the base among the objects: no block has it, since positions begin at 1.
pub(super) const BASE: u64 = 0;
/// The first bytes of every base.
const MAGIC: [u8; 4] = [0xF5, b'R', b'b', 0xFC];
/// The format of bases that this Rollbook writes. A reader for each released one must remain: a base cannot be made again.
const VERSION: u8 = 1;
/// The largest number, so that what is counted on from there does not overflow.
const COUNT_MAX: u64 = u64::MAX >> 1;
/// zstd's level.
const ZSTD_LEVEL: i32 = 3;

impl BaseHeader {
    /// The moment from which on no entry was pruned that took effect then, Unix ms.
    #[must_use]
    pub fn retained_from(&self) -> i64 {
        self.effective_at.saturating_add(1)
    }

    /// Makes the object of a base. The lengths and the number of ids are filled in.
    ///
    /// # Errors
    /// The content is too large.
    pub fn encode(mut self, content: &BaseContent) -> Result<(BaseHeader, Vec<u8>), BlockError> {
        let mut plain = Vec::new();
        pack(content, &mut plain)?;
        if plain.len() > FRAME_BYTES_MAX {
            return Err(FrameError::TooLarge(plain.len()).into());
        }
        let mut stored = Vec::new();
        let lengths = store(&plain, ZSTD_LEVEL, &mut stored)?;
        self.ids = content.ids.len() as u64;
        (self.plain_len, self.packed_len) = (lengths.plain_len, lengths.stored_len);
        let mut body = Vec::with_capacity(128);
        pack(&self, &mut body)?;
        let mut bytes = front(MAGIC, VERSION, &body)?;
        bytes.extend_from_slice(&stored);
        Ok((self, bytes))
    }
}

/// The bytes of a base, checked but for what is compressed in them.
#[derive(Debug)]
pub struct BaseObject {
    /// Where the log begins.
    pub header: BaseHeader,
    bytes: Vec<u8>,
    content: Section,
}

impl BaseObject {
    /// Reads the header of an object, and checks all checksums.
    ///
    /// # Errors
    /// It is no base, or damaged.
    pub fn read(bytes: Vec<u8>) -> Result<BaseObject, BlockError> {
        let front = read_front(&bytes, MAGIC, &[VERSION])?
            .map_err(|needed| BlockError::too_short(needed, &bytes))?;
        let (header, used): (BaseHeader, usize) = unpack(front.body)?;
        let lengths = SectionBody {
            stored_len: header.packed_len,
            plain_len: header.plain_len,
        };
        let content = Section::next(lengths, &mut { front.end })?;
        content.packed(bytes.get(front.end..).unwrap_or_default())?;
        let counts = [
            header.next,
            header.frame,
            header.seq,
            header.rejects,
            header.reject_bytes,
        ];
        let is_counted_on = counts.iter().all(|&count| count <= COUNT_MAX);
        let begins = header.next >= 2 && header.frame >= 1;
        if used != front.body.len() || !begins || !is_counted_on {
            return Err(FrameError::Disagree("the base's place").into());
        }
        Ok(BaseObject {
            header,
            bytes,
            content,
        })
    }

    /// The object of a base without the strings of a person, and what was found of them; `None` if it has none.
    ///
    /// # Errors
    /// The content is not what a base has.
    pub fn erase(&self, eraser: &Eraser) -> Result<Option<(Vec<u8>, Erased)>, BlockError> {
        if !eraser.may_be_in(&self.content.plain_of(&self.bytes)?) {
            return Ok(None);
        }
        let content = self.content()?;
        let mut erased = content.clone();
        let found = erased.erase(eraser)?;
        if erased == content {
            return Ok(None);
        }
        let (_, bytes) = self.header.clone().encode(&erased)?;
        Ok(Some((bytes, found)))
    }

    /// The object as it is stored.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What is known at the base.
    ///
    /// # Errors
    /// The content is not what a base has.
    pub fn content(&self) -> Result<BaseContent, BlockError> {
        let plain = self.content.plain_of(&self.bytes)?;
        let (content, used): (BaseContent, usize) = unpack(&plain)?;
        if used != plain.len() {
            return Err(CodecError::Trailing(plain.len().saturating_sub(used)).into());
        }
        Ok(content)
    }
}
