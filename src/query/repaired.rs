//! The answer of `verify --repair`: what was taken out of a damaged store, and what is missing.

use super::answer::Time;
use serde::{Deserialize, Serialize};

/// `verify --repair`: what the new store has, and what is missing in it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Repaired {
    /// Nothing is missing.
    pub ok: bool,
    /// Entries of the new store, with those that declare what is missing.
    pub entries: u64,
    /// The last entry up to which the new store has what the damaged one had, under the same numbers.
    pub same_up_to: u64,
    /// Entries of the damaged store behind it, which were decided again.
    pub redecided: u64,
    /// What is missing, in order.
    pub missing: Vec<MissingEntries>,
    /// Files, and parts of files, that could not be used.
    pub unreadable: Vec<UnreadablePart>,
    /// Entries that were found and are not in the new store, because what they rest on is missing.
    pub left_out: Vec<LeftOutEntries>,
    /// Snapshots of which only a part could be taken, for the same reason.
    pub weakened: u64,
}

/// Consecutive entries that are missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct MissingEntries {
    /// The first of them, by its number in the damaged store.
    pub first_seq: u64,
    /// The last; `None`: how many there were is not known. One less than the first: no entry is missing, but rejects, pages of
    /// snapshots, or notes of how far sources were read.
    pub last_seq: Option<u64>,
    /// They were recorded at this moment or later.
    pub recorded_from: Option<Time>,
    /// They were recorded at this moment or earlier.
    pub recorded_to: Option<Time>,
    /// The channels that they may be about; `None`: that is not known, and may be any.
    pub channels: Option<Vec<String>>,
    /// The entry of the new store behind which they are missing. The next ones declare the gaps.
    pub behind: u64,
}

/// A part of a file that could not be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct UnreadablePart {
    /// The file.
    pub file: String,
    /// Its first byte; `None`: the file as a whole, or it is not known where.
    pub from_byte: Option<u64>,
    /// The byte behind its last one.
    pub to_byte: Option<u64>,
    /// What is wrong.
    pub what: String,
}

/// Consecutive entries that were left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct LeftOutEntries {
    /// The first of them, by its number in the damaged store.
    pub first_seq: u64,
    /// The last.
    pub last_seq: u64,
    /// Why.
    pub why: String,
}

impl Repaired {
    /// The answer for a store in which nothing was decided again.
    pub(crate) fn new(same_up_to: u64) -> Repaired {
        Repaired {
            ok: true,
            entries: same_up_to,
            same_up_to,
            redecided: 0,
            missing: Vec::new(),
            unreadable: Vec::new(),
            left_out: Vec::new(),
            weakened: 0,
        }
    }

    /// Adds a gap in the numbers.
    pub(crate) fn miss(&mut self, missing: MissingEntries) {
        self.ok = false;
        self.missing.push(missing);
    }

    /// Adds entries that were left out.
    pub(crate) fn leave_out(&mut self, first_seq: u64, last_seq: u64, why: &str) {
        if let Some(last) = self.left_out.last_mut()
            && last.last_seq.checked_add(1) == Some(first_seq)
            && last.why == why
        {
            last.last_seq = last_seq;
            return;
        }
        self.left_out.push(LeftOutEntries {
            first_seq,
            last_seq,
            why: why.to_owned(),
        });
    }
}
