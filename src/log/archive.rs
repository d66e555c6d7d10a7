//! A backup as one stream of bytes: objects and values as they are stored, with what is needed to know whether they are
//! whole. Which of them belong in a backup, and where they go, is not known here.
//!
//! ```text
//! archive = zstd( magic, version, three zeros, start, object…, value…, end )
//! item    = tag, length, body
//! ```

use super::codec::CodecError;
use super::codec::archive::{of_bytes, to_bytes};
use crate::limits::{FRAME_BYTES_MAX, VALUE_BYTES_MAX};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use zstd::stream::{read, write};

pub use super::codec::archive::{ArchiveEnd, ArchivePlace, ArchiveStart};

/// The first bytes, once decompressed.
const MAGIC: [u8; 4] = [0xF5, b'R', b'b', 0xFB];
/// The format of backups that this Rollbook writes. A reader for each released one must remain.
const VERSION: u8 = 1;
/// What zstd's frames begin with.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];
/// zstd's level: blocks, and most frames, are compressed already.
const ZSTD_LEVEL: i32 = 1;
/// Magic, version and three zeros.
const MAGIC_BYTES: u64 = 8;
/// A tag and a length.
const ITEM_FRONT_BYTES: usize = 9;
/// A block may have so many bytes beyond those of the largest frame: its header, its list of frames and its states.
const OBJECT_BYTES_MAX: u64 = 2 * FRAME_BYTES_MAX as u64;
/// Bytes that are read at a time where they are not wanted.
const PASSED_BYTES: u64 = 64 << 10;
/// Start and end are short.
const ENDS_BYTES_MAX: u64 = 4_096;
/// The end ends with a hash.
const HASH_BYTES: u64 = blake3::OUT_LEN as u64;
/// An object or a value begins with its number or position.
const NUMBER_BYTES: u64 = 8;

/// The tags of items.
mod tag {
    pub const START: u8 = 1;
    pub const OBJECT: u8 = 2;
    pub const VALUE: u8 = 3;
    pub const END: u8 = 4;
}

/// Why a stream is no whole backup, or could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// The stream could not be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is something else.
    #[error("this is no backup of Rollbook's")]
    NoArchive,
    /// A newer Rollbook wrote it.
    #[error("the backup has format {found}; this Rollbook knows formats up to {VERSION}")]
    Version {
        /// Its format.
        found: u8,
    },
    /// It ends before its end.
    #[error("the backup breaks off: it is not whole")]
    Short,
    /// Its bytes are not those that were written.
    #[error("the backup is damaged: {0}")]
    Damaged(&'static str),
    /// An item cannot be encoded or decoded.
    #[error("the backup is damaged: {0}")]
    Codec(#[from] CodecError),
}

impl ArchiveError {
    /// Whether the backup is damaged, rather than out of reach or of a newer program.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(
            self,
            ArchiveError::NoArchive
                | ArchiveError::Short
                | ArchiveError::Damaged(_)
                | ArchiveError::Codec(_)
        )
    }
}

/// Writes a backup.
pub struct ArchiveWriter<W: Write> {
    sink: write::Encoder<'static, W>,
    hash: blake3::Hasher,
    objects: u64,
    values: u64,
}

impl<W: Write> ArchiveWriter<W> {
    /// Begins a backup.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn new(sink: W, start: &ArchiveStart) -> Result<Self, ArchiveError> {
        let mut archive = ArchiveWriter {
            sink: write::Encoder::new(sink, ZSTD_LEVEL)?,
            hash: blake3::Hasher::new(),
            objects: 0,
            values: 0,
        };
        let [a, b, c, d] = MAGIC;
        archive.put(&[a, b, c, d, VERSION, 0, 0, 0])?;
        archive.item(tag::START, &[], &to_bytes(start)?)?;
        Ok(archive)
    }

    /// Adds an object.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn object(&mut self, number: u64, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.objects += 1;
        self.item(tag::OBJECT, &number.to_le_bytes(), bytes)
    }

    /// Adds a value.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn value(&mut self, position: u64, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.values += 1;
        self.item(tag::VALUE, &position.to_le_bytes(), bytes)
    }

    /// Ends the backup, which reaches up to a place, and in which values stand for the positions from `unsealed` on. Returns the sink, to which all was written.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(
        mut self,
        place: ArchivePlace,
        unsealed: u64,
    ) -> Result<(W, ArchiveEnd), ArchiveError> {
        let end = ArchiveEnd {
            place,
            unsealed,
            objects: self.objects,
            values: self.values,
        };
        let body = to_bytes(&end)?;
        self.front(tag::END, body.len() + blake3::OUT_LEN)?;
        self.put(&body)?;
        // Over everything before it, the end itself included.
        let hash = *self.hash.finalize().as_bytes();
        self.put(&hash)?;
        let mut sink = self.sink.finish()?;
        sink.flush()?;
        Ok((sink, end))
    }

    fn item(&mut self, tag: u8, number: &[u8], body: &[u8]) -> Result<(), ArchiveError> {
        self.front(tag, number.len() + body.len())?;
        self.put(number)?;
        self.put(body)
    }

    fn front(&mut self, tag: u8, length: usize) -> Result<(), ArchiveError> {
        let mut front = [tag; ITEM_FRONT_BYTES];
        for (to, from) in front.iter_mut().skip(1).zip((length as u64).to_le_bytes()) {
            *to = from;
        }
        self.put(&front)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.hash.update(bytes);
        Ok(self.sink.write_all(bytes)?)
    }
}

/// An object or a value of a backup.
#[derive(Debug, PartialEq, Eq)]
pub enum ArchiveItem {
    /// An object, with its number.
    Object(u64, Vec<u8>),
    /// A value, with its position.
    Value(u64, Vec<u8>),
}

/// Reads a backup. Only when its end was read is it known to be whole.
pub struct ArchiveReader<'a, R: Read> {
    source: HashedSource<'a, R>,
    start: ArchiveStart,
    end: Option<ArchiveEnd>,
    objects: u64,
    values: u64,
    /// The position of the next value, behind the first.
    next: Option<u64>,
    /// The bytes of objects and values are not wanted.
    passes: bool,
}

impl<R: Read> ArchiveReader<'_, R> {
    /// Begins to read.
    ///
    /// # Errors
    /// It is no backup, or one of a newer format.
    pub fn new(source: R) -> Result<Self, ArchiveError> {
        let mut source = BufReader::new(source);
        if !source.fill_buf()?.starts_with(&ZSTD_MAGIC) {
            return Err(ArchiveError::NoArchive);
        }
        let mut source = HashedSource {
            source: read::Decoder::with_buffer(source)?,
            hash: blake3::Hasher::new(),
        };
        let front = source.body(MAGIC_BYTES)?;
        match *front {
            [a, b, c, d, VERSION, 0, 0, 0] if [a, b, c, d] == MAGIC => {}
            [a, b, c, d, found, ..] if [a, b, c, d] == MAGIC => {
                return Err(ArchiveError::Version { found });
            }
            _ => return Err(ArchiveError::NoArchive),
        }
        let (tag, length) = source.front()?;
        if tag != tag::START || length > ENDS_BYTES_MAX {
            return Err(ArchiveError::Damaged(
                "it does not say of which store it is",
            ));
        }
        Ok(ArchiveReader {
            start: of_bytes(&source.body(length)?)?,
            source,
            end: None,
            objects: 0,
            values: 0,
            next: None,
            passes: false,
        })
    }

    /// Reads to the end, whatever is in it, in little memory.
    ///
    /// # Errors
    /// It is damaged, or breaks off.
    pub fn check(&mut self) -> Result<&ArchiveEnd, ArchiveError> {
        self.passes = true;
        while self.next_item()?.is_some() {}
        self.end().ok_or(ArchiveError::Short)
    }

    /// What it says of its store.
    #[must_use]
    pub fn start(&self) -> &ArchiveStart {
        &self.start
    }

    /// Its end, once it was read.
    #[must_use]
    pub fn end(&self) -> Option<&ArchiveEnd> {
        self.end.as_ref()
    }

    /// The next object or value; `None` behind the last one, and then the backup is whole.
    ///
    /// # Errors
    /// It is damaged, or breaks off.
    pub fn next_item(&mut self) -> Result<Option<ArchiveItem>, ArchiveError> {
        if self.end.is_some() {
            return Ok(None);
        }
        let (tag, length) = self.source.front()?;
        match tag {
            tag::OBJECT if (NUMBER_BYTES..=OBJECT_BYTES_MAX).contains(&length) => {
                self.objects += 1;
                let (number, bytes) = self.numbered(length)?;
                Ok(Some(ArchiveItem::Object(number, bytes)))
            }
            tag::VALUE
                if (NUMBER_BYTES..=NUMBER_BYTES + VALUE_BYTES_MAX as u64).contains(&length) =>
            {
                self.values += 1;
                let (position, bytes) = self.numbered(length)?;
                let expected = self.next.unwrap_or(position.max(1));
                self.next = position.checked_add(1);
                if position != expected || self.next.is_none() {
                    return Err(ArchiveError::Damaged("its values are in another order"));
                }
                Ok(Some(ArchiveItem::Value(position, bytes)))
            }
            tag::END if (HASH_BYTES..=ENDS_BYTES_MAX).contains(&length) => {
                let body = self.source.body(length - HASH_BYTES)?;
                let hash = *self.source.hash.finalize().as_bytes();
                if self.source.body(HASH_BYTES)? != hash {
                    return Err(ArchiveError::Damaged("its hash is another one"));
                }
                let end: ArchiveEnd = of_bytes(&body)?;
                if (end.objects, end.values) != (self.objects, self.values) {
                    return Err(ArchiveError::Damaged("items in it are missing"));
                }
                let after = end.place.position.checked_add(1);
                if after
                    .is_none_or(|after| self.next.unwrap_or(after) != after || end.unsealed > after)
                {
                    return Err(ArchiveError::Damaged("it does not end where it says"));
                }
                if !matches!(self.source.source.read(&mut [0]), Ok(0)) {
                    return Err(ArchiveError::Damaged("there are bytes behind its end"));
                }
                self.end = Some(end);
                Ok(None)
            }
            _ => Err(ArchiveError::Damaged("an item in it is none")),
        }
    }

    fn numbered(&mut self, length: u64) -> Result<(u64, Vec<u8>), ArchiveError> {
        let number = self.source.body(NUMBER_BYTES)?;
        let number = number.try_into().map_err(|_| ArchiveError::Short)?;
        let mut left = length - NUMBER_BYTES;
        let mut bytes = Vec::new();
        if self.passes {
            while left > 0 {
                left -= self.source.body(left.min(PASSED_BYTES))?.len() as u64;
            }
        } else {
            bytes = self.source.body(left)?;
        }
        Ok((u64::from_le_bytes(number), bytes))
    }
}

/// Bytes of a backup, and the hash of those that were read.
struct HashedSource<'a, R: Read> {
    source: read::Decoder<'a, BufReader<R>>,
    hash: blake3::Hasher,
}

impl<R: Read> HashedSource<'_, R> {
    /// The tag and the length of the next item.
    fn front(&mut self) -> Result<(u8, u64), ArchiveError> {
        let bytes = self.body(ITEM_FRONT_BYTES as u64)?;
        match *bytes {
            [tag, a, b, c, d, e, f, g, h] => {
                Ok((tag, u64::from_le_bytes([a, b, c, d, e, f, g, h])))
            }
            _ => Err(ArchiveError::Short),
        }
    }

    /// The next bytes. Memory is taken as they come, whatever length was stated.
    fn body(&mut self, length: u64) -> Result<Vec<u8>, ArchiveError> {
        let mut bytes = Vec::new();
        let read = (&mut self.source).take(length).read_to_end(&mut bytes);
        match read {
            Ok(read) if read as u64 == length => {}
            Ok(_) => return Err(ArchiveError::Short),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                return Err(ArchiveError::Short);
            }
            // zstd found that its bytes are not those that it wrote.
            Err(error) if error.kind() == ErrorKind::Other => {
                return Err(ArchiveError::Damaged("it cannot be decompressed"));
            }
            Err(error) => return Err(error.into()),
        }
        self.hash.update(&bytes);
        Ok(bytes)
    }
}
