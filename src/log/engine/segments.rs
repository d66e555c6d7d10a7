//! How large the segments of sled's file are. sled opens a file only with the size with which it was made: its settings
//! say it, and where they are lost, the file shows it.

use super::JournalError;
use crate::limits::{VALUE_BYTES_MAX, VALUE_BYTES_WRITTEN};
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

/// A size of segments. A quarter of a segment must hold a leaf of the largest values (FORMAT.md). sled keeps some segments
/// in memory, reads the last one when it opens a file, and overwrites those that are free: small ones cost less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SegmentSize {
    /// For values as they are written now.
    Small,
    /// For those that earlier versions wrote, too.
    Large,
}

/// The most values in one leaf at any moment: 16, 3 that it takes from a sibling, and the new one.
const LEAF_VALUES_MAX: usize = 20;
const _: () = assert!(SegmentSize::Small.holds_leaves_of(VALUE_BYTES_WRITTEN));
const _: () = assert!(SegmentSize::Large.holds_leaves_of(VALUE_BYTES_MAX));
/// The header of a segment: the CRC-32 of the rest, inverted; where the segment begins in all that was ever written, with
/// all bits but the first inverted; and another number.
const HEADER_BYTES: usize = 20;

impl SegmentSize {
    const ALL: [SegmentSize; 2] = [SegmentSize::Small, SegmentSize::Large];

    pub const fn bytes(self) -> usize {
        match self {
            SegmentSize::Small => 2 << 20,
            SegmentSize::Large => 8 << 20,
        }
    }

    const fn holds_leaves_of(self, value: usize) -> bool {
        LEAF_VALUES_MAX * (value + 64) <= self.bytes() / 4
    }

    /// The largest value that may be put into such a file.
    pub const fn value_bytes_max(self) -> usize {
        match self {
            SegmentSize::Small => VALUE_BYTES_WRITTEN,
            SegmentSize::Large => VALUE_BYTES_MAX,
        }
    }

    /// The smallest size for values of at most so many bytes.
    pub fn for_values(largest: usize) -> SegmentSize {
        if largest <= SegmentSize::Small.value_bytes_max() {
            SegmentSize::Small
        } else {
            SegmentSize::Large
        }
    }

    /// The size that the file in a folder has; `None` if there is no file yet. Damaged settings must have been removed.
    ///
    /// # Errors
    /// The folder cannot be read, or the settings are of another program.
    pub fn of(folder: &Path) -> Result<Option<SegmentSize>, JournalError> {
        let settings = folder.join("conf");
        match fs::read(&settings) {
            Ok(text) => match Self::in_settings(&text) {
                Some(size) => Ok(Some(size)),
                None => Err(JournalError::Damaged {
                    path: settings,
                    what: "Rollbook does not use the segment size that it names: another program made it"
                        .into(),
                }),
            },
            Err(error) if error.kind() == ErrorKind::NotFound => Self::in_file(&folder.join("db")),
            Err(source) => Err(JournalError::Io {
                path: settings,
                source,
            }),
        }
    }

    fn in_settings(text: &[u8]) -> Option<SegmentSize> {
        let rest = text.strip_prefix(b"segment_size: ")?;
        let end = rest.iter().position(|&byte| byte == b'\n')?;
        let digits = std::str::from_utf8(rest.get(..end)?).ok()?;
        let bytes: usize = digits.parse().ok()?;
        Self::ALL.into_iter().find(|size| size.bytes() == bytes)
    }

    /// A file of small segments has one that begins where no large one can. If none does, the file has no more than its
    /// first segment, whatever the size.
    fn in_file(path: &Path) -> Result<Option<SegmentSize>, JournalError> {
        let io = |source| JournalError::Io {
            path: path.to_owned(),
            source,
        };
        let mut file = match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            file => file.map_err(io)?,
        };
        let end = file.metadata().map_err(io)?.len();
        if end == 0 {
            return Ok(None);
        }
        let large = SegmentSize::Large.bytes() as u64;
        for place in (0..end).step_by(SegmentSize::Small.bytes()) {
            let mut header = [0; HEADER_BYTES];
            file.seek(SeekFrom::Start(place)).map_err(io)?;
            if file.read_exact(&mut header).is_ok()
                && let Some(begin) = begin_of(&header)
                && (place % large != 0 || begin % large != 0)
            {
                return Ok(Some(SegmentSize::Small));
            }
        }
        Ok(Some(SegmentSize::Large))
    }
}

/// Where the segment of this header begins in all that was ever written; `None`: this is no header.
fn begin_of(header: &[u8; HEADER_BYTES]) -> Option<u64> {
    let (sum, rest) = header.split_first_chunk::<4>()?;
    let begin = u64::from_le_bytes(*rest.first_chunk()?) ^ (u64::MAX >> 1);
    (u32::from_le_bytes(*sum) == !crc32fast::hash(rest)).then_some(begin)
}
