//! The log: records as bytes, stored by an engine.
//!
//! ```text
//! Record…  ─codec→  payload  ─frame→  values  ─engine→  positions 1, 2, 3, …
//!             └ chain: a link a commit, over meaning
//! ```
//!
//! The log is a sequence of *values* at dense positions. A [*frame*](frame) is one or more consecutive values (its
//! parts) and holds [records](Record). It counts only if all its parts exist. Each frame can be read alone: it
//! contains the names that it uses.
//!
//! | module | what |
//! | --- | --- |
//! | [`archive`] | a backup as one stream |
//! | [`block`] | sealed blocks: frames of the past, column by column |
//! | [`carve`] | finds frames and blocks in raw files, without the engine |
//! | [`codec`] | the payload of a frame; the only module that names bincode |
//! | [`frame`] | header, parts, checksums |
//! | `compression` | zstd, for whatever is compressed as a whole |
//! | [`chain`], [`salts`] | the chain over the log's content, and the salts of the strings in it |
//! | [`digest`] | the digest of a roster |
//! | [`eraser`] | what is forgotten, and what stands for it |
//! | [`read`], [`opened`] | reads frames from an engine; their records |
//! | [`engine`] | where values are kept: the [`Journal`](engine::Journal) trait, memory, sled, faults |
//!
//! `FORMAT.md` beside this file describes every byte.
//!
//! **Invariant:** nothing here decides or applies anything, and nothing knows feeds, the store or JSON. For any bytes,
//! reading returns an error at worst: it does not panic, loop, or allocate more than a fixed multiple of their length.

pub mod archive;
pub mod block;
pub mod carve;
pub mod chain;
pub mod codec;
pub(crate) mod compression;
pub mod digest;
pub mod engine;
pub mod eraser;
pub mod frame;
pub mod opened;
pub mod read;
pub mod salts;

pub use codec::base::{BaseChannel, BaseContent, BaseHeader, BaseId};
pub use codec::checkpoint;

use crate::domain::entry::{ConnectionEnd, Entry, Page, Rules, Text};
use crate::domain::time::Millis;

/// One record of a frame.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// Entries that are appended together. Their `seq` is consecutive through the frame.
    Commit {
        /// The rules by which they were decided.
        rules: Rules,
        /// Never empty.
        entries: Vec<Entry>,
    },
    /// A step of a paged snapshot: durable, but no entry.
    Page {
        /// The rules by which it was decided.
        rules: Rules,
        /// The step.
        page: Page,
    },
    /// An ingest connection that was closed normally: durable, but no entry.
    Closed(ConnectionEnd),
    /// A rejected line.
    Reject(Reject),
    /// The rejected line with this number (from 1, among all rejects of the log) was accepted by a later retry.
    Settled(u64),
    /// How far a source has been read.
    Progress(Progress),
    /// A person was forgotten.
    Forgotten(Forgotten),
}

/// That a person was forgotten in everything before it. It does not say who.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forgotten {
    /// When, Unix ms.
    pub recorded_at: Millis,
    /// What stands for their name.
    pub stand_in: Text,
    /// The only channel in which they were forgotten.
    pub channel: Option<Text>,
    /// How many entries say when they came, changed or left.
    pub changes: u64,
    /// How many of their texts were erased.
    pub texts: u64,
    /// How many rejected lines were blanked.
    pub rejects: u64,
}

/// A rejected line, kept verbatim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// When it was recorded.
    pub recorded_at: Millis,
    /// The file or feed.
    pub source: Text,
    /// The line there, from 1.
    pub line: u64,
    /// The byte at which that line begins.
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

/// How far a source has been read. It is in the same frame as the lines, so neither `--resume` nor a feed that
/// reconnects loses or repeats a line.
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
    /// The path of the source, for users.
    pub path: Text,
}

impl Progress {
    /// Notes that the lines of an observer's feed are in the log up to this line, counted from 1.
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

    /// The value that replaces the fingerprint for a feed.
    #[must_use]
    pub fn feed(observer: &str, feed: &str) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key("rollbook feed of an observer");
        hasher.update(&(observer.len() as u64).to_le_bytes());
        hasher.update(observer.as_bytes());
        hasher.update(feed.as_bytes());
        hasher.finalize().into()
    }

    /// Whether the source is a feed, not a file.
    #[must_use]
    pub fn is_of_feed(&self) -> bool {
        self.hashed_len == 0 && self.byte == 0
    }
}
