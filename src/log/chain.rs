//! The chain over the log's content: each commit's link is BLAKE3(link before ‖ canonical bytes of the commit).
//!
//! Canonical bytes depend only on the commit and the salts of its strings, not on frames, parts, tables, differences
//! or compression. So sealed blocks, other engines and migrations must produce the same links. Pages, rejects and
//! progress are not in the chain: the CRC protects them. `FORMAT.md` has the layout; the files in `codec/record` write
//! it, each for its kind of record.

use super::codec::CodecError;
use super::codec::bytes::put_varint;
use super::codec::canonical::Canonical;
use super::codec::record::entry::{self, EntryPlaces};
use super::codec::record::rules;
use super::codec::tables::Hashes;
use crate::domain::entry::{Entry, Rules};

/// A link of the chain.
pub type ChainLink = [u8; 32];

/// The link before the first commit.
pub const START: ChainLink = [0; 32];

/// The version of the canonical bytes, and their first byte.
pub const SCHEMA: u8 = 1;

/// Encodes one commit: its canonical bytes so far.
#[derive(Debug, Default)]
pub(super) struct CanonicalEncoder {
    out: Vec<u8>,
    /// The rules of the last commit, and their bytes: most commits have the rules of the one before.
    rules: Option<Rules>,
    rules_bytes: Vec<u8>,
}

impl CanonicalEncoder {
    /// Begins a commit of `entries` entries, the first of which is number `seq`.
    pub(super) fn begin(&mut self, before: &ChainLink, rules: &Rules, seq: u64, entries: usize) {
        if self.rules.as_ref() != Some(rules) {
            self.rules_bytes.clear();
            rules::canonical(rules, &mut self.rules_bytes);
            self.rules = Some(*rules);
        }
        self.out.clear();
        self.out.extend_from_slice(before);
        self.out.push(SCHEMA);
        self.out.extend_from_slice(&self.rules_bytes);
        put_varint(&mut self.out, seq);
        put_varint(&mut self.out, entries as u64);
    }

    /// Adds an entry. `places` are those of its strings in the tables of its frame, and `hashes` those of the tables.
    pub(super) fn entry(
        &mut self,
        entry: &Entry,
        places: &EntryPlaces,
        hashes: &Hashes,
    ) -> Result<(), CodecError> {
        entry::canonical(entry, places, &mut Canonical::new(&mut self.out, hashes))
    }

    /// The link after the commit.
    pub(super) fn link(&self) -> ChainLink {
        blake3::hash(&self.out).into()
    }
}
