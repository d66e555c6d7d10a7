//! The log: what was recorded, as bytes that an engine keeps.
//!
//! ```text
//! Record…  ─codec→  payload  ─frame→  values  ─engine→  positions 1, 2, 3, …
//!             └ chain: a link a commit, over meaning
//! ```
//!
//! The log is a sequence of *values* at dense positions. A [*frame*](frame) is one or more consecutive values (its
//! parts) and holds [records](Record); it counts only when all its parts are there. Each frame can be read alone: the
//! names that it uses stand in it.
//!
//! | module | what |
//! | --- | --- |
//! | [`codec`] | the payload of a frame; alone in naming bincode |
//! | [`frame`] | header, parts, checksums, compression |
//! | [`chain`], [`salts`] | the chain over the log's meaning, and the salts under which strings enter it |
//! | [`digest`] | the digest of a roster |
//! | [`read`] | frames, as an engine gives them |
//! | [`engine`] | where values are kept: the [`Journal`](engine::Journal) trait, memory, sled, faults |
//!
//! `FORMAT.md` beside this file has every byte.
//!
//! **Invariant:** nothing here decides or applies anything, and nothing knows feeds, the store or JSON. Whatever bytes
//! it is given, reading answers with an error: it does not panic, loop or allocate beyond a fixed multiple of them.

pub mod chain;
pub mod codec;
pub mod digest;
pub mod engine;
pub mod frame;
pub mod read;
pub mod salts;

pub use codec::checkpoint;

use crate::domain::entry::{ConnectionEnd, Entry, Page, Rules, Text};
use crate::domain::time::Millis;

/// One record of a frame.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// Entries that are appended together. Their `seq` follow one another through the frame.
    Commit {
        /// How they came about.
        rules: Rules,
        /// Never empty.
        entries: Vec<Entry>,
    },
    /// A step of a paged snapshot: durable, but no entry.
    Page {
        /// How it is to be taken.
        rules: Rules,
        /// The step.
        page: Page,
    },
    /// An ingest connection ended in order: durable, but no entry.
    Closed(ConnectionEnd),
    /// A line that could not be taken.
    Reject(Reject),
    /// A line that could not be taken when it came, and was later: which reject of the log it is, from 1.
    Settled(u64),
    /// How far a source has been read.
    Progress(Progress),
}

/// A line that could not be taken, kept verbatim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// When.
    pub recorded_at: Millis,
    /// The file or feed.
    pub source: Text,
    /// Its line there, from 1.
    pub line: u64,
    /// Where that line begins.
    pub byte: u64,
    /// Why.
    pub reason: Text,
    /// The front of the line, up to `limits::REJECT_TEXT_BYTES_MAX`; `None` once `limits::REJECTS_BYTES_MAX` are kept.
    pub text: Option<Vec<u8>>,
    /// Bytes of the whole line.
    pub length: u64,
    /// BLAKE3 of the whole line.
    pub blake3: [u8; 32],
}

/// How far a source has been read, in the same frame as what it said: so `--resume` neither loses nor repeats a line,
/// and no more does a feed that comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The source's fingerprint: BLAKE3 of its first `hashed_len` bytes.
    pub source: [u8; 32],
    /// How many bytes the fingerprint covers.
    pub hashed_len: u64,
    /// Everything before this byte is in the log.
    pub byte: u64,
    /// Lines before it.
    pub line: u64,
    /// Where it was found, for people.
    pub path: Text,
}

impl Progress {
    /// That the lines of an observer's feed are in the log up to this one, counted from 1.
    #[must_use]
    pub fn of_feed(observer: &str, feed: &str, line: u64) -> Progress {
        Progress {
            source: Progress::feed(observer, feed),
            hashed_len: 0,
            byte: 0,
            line,
            path: format!("feed {feed} of {observer}").into(),
        }
    }

    /// What stands for the fingerprint of a feed.
    #[must_use]
    pub fn feed(observer: &str, feed: &str) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key("rollbook feed of an observer");
        hasher.update(&(observer.len() as u64).to_le_bytes());
        hasher.update(observer.as_bytes());
        hasher.update(feed.as_bytes());
        hasher.finalize().into()
    }

    /// Whether it is of a feed, and not of a file.
    #[must_use]
    pub fn is_of_feed(&self) -> bool {
        self.hashed_len == 0 && self.byte == 0
    }
}
