//! Finds values in raw files, by their magic and their checksums, and puts the parts of frames together.

use crate::limits::VALUE_BYTES_MAX;
use crate::log::frame::{self, FrameHeader, MAGIC, VALUE_HEADER_BYTES, VERSION};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// So much of a file is read at once.
const READ_AT_ONCE: u64 = 4 << 20;

/// Where a value lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ValuePlace {
    /// Which of the files.
    pub file: usize,
    pub at: u64,
    pub length: usize,
}

/// What looks like a value, with a wrong checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TornValue {
    pub file: usize,
    pub from: u64,
    pub to: u64,
    /// The frame of which it says that it is.
    pub frame: u64,
}

/// What parts of one frame have in common: its number, the CRC of its body, and how many parts it has.
type FrameKey = (u64, u32, u32);

/// A frame: its header, and where its parts are.
pub(super) type FoundFrame = (FrameHeader, Vec<ValuePlace>);

/// The parts of frames that were found. An engine rewrites its pages, so the same part may lie in a file several times.
#[derive(Debug, Default)]
pub(super) struct FoundFrames {
    parts: BTreeMap<FrameKey, BTreeMap<u32, ValuePlace>>,
    headers: BTreeMap<FrameKey, FrameHeader>,
    torn: Vec<TornValue>,
}

impl FoundFrames {
    /// Looks through a file.
    pub fn scan(&mut self, number: usize, path: &Path) -> io::Result<()> {
        let mut file = File::open(path)?;
        let mut bytes = Vec::new();
        // Where the buffer begins in the file.
        let mut start = 0_u64;
        loop {
            let read = (&mut file).take(READ_AT_ONCE).read_to_end(&mut bytes)?;
            // A value that begins before this is in the buffer as a whole.
            let sure = match read {
                0 => bytes.len(),
                _ => bytes.len().saturating_sub(VALUE_BYTES_MAX),
            };
            let mut at = 0;
            while let Some(found) = magic(&bytes, at).filter(|&found| found < sure) {
                let rest = bytes.get(found..).unwrap_or_default();
                at = found + self.take(rest, (number, start + found as u64));
            }
            let used = at.max(sure);
            bytes.drain(..used);
            start += used as u64;
            if read == 0 {
                return Ok(());
            }
        }
    }

    /// Takes what begins with the magic. Returns how many bytes are done with it.
    fn take(&mut self, bytes: &[u8], (file, at): (usize, u64)) -> usize {
        let word = |from: usize| -> u64 {
            let bytes = bytes.get(from..).and_then(|rest| rest.first_chunk::<4>());
            bytes.map_or(0, |bytes| u64::from(u32::from_le_bytes(*bytes)))
        };
        let length = VALUE_HEADER_BYTES.saturating_add(word(24) as usize);
        let value = bytes.get(..length).filter(|_| length <= VALUE_BYTES_MAX);
        match value.map(|bytes| (bytes, frame::value(bytes))) {
            Some((bytes, Ok(value))) => {
                let key = (value.frame, value.body_crc, value.parts);
                let place = ValuePlace { file, at, length };
                self.parts
                    .entry(key)
                    .or_default()
                    .entry(value.part)
                    .or_insert(place);
                if value.part == 0
                    && !self.headers.contains_key(&key)
                    && let Ok(header) = frame::header(bytes)
                {
                    self.headers.insert(key, header);
                }
                length
            }
            _ => {
                let fits = length <= VALUE_BYTES_MAX && word(16) < word(20);
                if fits && bytes.get(4..8) == Some(&[VERSION, 0, 0, 0]) {
                    let (from, to) = (at, at.saturating_add(length as u64));
                    let frame = word(8) | word(12) << 32;
                    self.torn.push(TornValue {
                        file,
                        from,
                        to,
                        frame,
                    });
                }
                1
            }
        }
    }

    /// The frames of which all parts were found, and what looks like parts and is damaged. The headers of other frames go into
    /// `broken`.
    pub fn frames(mut self, broken: &mut Vec<FrameHeader>) -> (Vec<FoundFrame>, Vec<TornValue>) {
        let mut frames = Vec::with_capacity(self.headers.len());
        for (key, header) in self.headers {
            let parts = self.parts.remove(&key).unwrap_or_default();
            if parts.len() as u64 == u64::from(key.2) {
                frames.push((header, parts.into_values().collect()));
            } else {
                broken.push(header);
            }
        }
        self.torn
            .sort_unstable_by_key(|torn| (torn.file, torn.from));
        (frames, self.torn)
    }
}

/// The next place of the magic, from a byte on.
fn magic(bytes: &[u8], from: usize) -> Option<usize> {
    let [first, ..] = MAGIC;
    let mut at = from;
    loop {
        let rest = bytes.get(at..)?;
        at += rest.iter().position(|&byte| byte == first)?;
        if bytes.get(at..)?.starts_with(&MAGIC) {
            return Some(at);
        }
        at += 1;
    }
}
