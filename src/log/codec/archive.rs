//! The bodies of a backup's first and last item. `archive.rs` has the stream around them.
//!
//! **Invariant:** backups are kept for years, so a reader for each layout that was released must remain.

use super::CodecError;
use super::bytes::{pack, unpack};
use crate::domain::time::Millis;
use bincode::{Decode, Encode};

/// A place between two frames of one store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct ArchivePlace {
    /// The last entry before it.
    pub seq: u64,
    /// The engine's position of the last value before it.
    pub position: u64,
    /// The chain link there.
    pub link: [u8; 32],
}

/// What a backup says of its store before anything else.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ArchiveStart {
    /// The id of the store, hexadecimal.
    pub store: String,
    /// The format of what is in the folder.
    pub format: u32,
    /// The key of the rosters' digests, hexadecimal.
    pub digest_key: String,
    /// When the store was created, Unix ms.
    pub created_at: Millis,
    /// When the backup was begun, Unix ms.
    pub made_at: Millis,
    /// The end of the earlier backup that it continues; `None`: it is whole.
    pub after: Option<ArchivePlace>,
}

/// What a backup says behind everything else.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ArchiveEnd {
    /// Where the log ended.
    pub place: ArchivePlace,
    /// The first position that no block had: values stand for it and those behind it.
    pub unsealed: u64,
    /// How many objects it has.
    pub objects: u64,
    /// How many values it has.
    pub values: u64,
}

/// Encodes one of these bodies.
pub(in crate::log) fn to_bytes<T: Encode>(body: &T) -> Result<Vec<u8>, CodecError> {
    let mut bytes = Vec::new();
    pack(body, &mut bytes)?;
    Ok(bytes)
}

/// Decodes one of these bodies, which takes all of the bytes.
pub(in crate::log) fn of_bytes<T: Decode<()>>(bytes: &[u8]) -> Result<T, CodecError> {
    let (body, used) = unpack(bytes)?;
    match bytes.len().saturating_sub(used) {
        0 => Ok(body),
        left => Err(CodecError::Trailing(left)),
    }
}
