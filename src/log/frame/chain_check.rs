//! Computes the chain and the statistics of a frame's header again, while its records are decoded.

use super::FrameError;
use super::header::{FrameHeader, FrameStatistics, channel_hash};
use crate::domain::entry::{Entry, Rules};
use crate::domain::names::Names;
use crate::log::Record;
use crate::log::chain::{CanonicalEncoder, ChainLink};
use crate::log::codec::CodecError;
use crate::log::codec::record::entry::EntryPlaces;
use crate::log::codec::tables::Hashes;

/// How much of a frame is checked as it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// Checksums and form: enough to detect errors of the medium.
    Form,
    /// Also the chain, and that the header agrees with the entries: this detects an attacker who alters a frame and
    /// its checksums. The check costs more than the reading.
    Chain,
}

/// What was computed so far.
pub(super) struct ChainCheck {
    canon: CanonicalEncoder,
    link: ChainLink,
    facts: FrameStatistics,
}

impl ChainCheck {
    /// The check of a frame with this header.
    pub fn new(header: &FrameHeader) -> ChainCheck {
        ChainCheck {
            canon: CanonicalEncoder::default(),
            link: header.link_before,
            facts: FrameStatistics::new(),
        }
    }

    pub fn begin(&mut self, rules: &Rules, seq: u64, entries: usize) {
        self.canon.begin(&self.link, rules, seq, entries);
    }

    /// Adds an entry of the commit. `hashes` are those of the tables in which its places are.
    pub fn entry(
        &mut self,
        entry: &Entry,
        places: &EntryPlaces,
        hashes: &Hashes,
    ) -> Result<(), CodecError> {
        self.canon.entry(entry, places, hashes)
    }

    pub fn end(&mut self) {
        self.link = self.canon.link();
    }

    /// Adds what the header must state about a record.
    pub fn record(&mut self, record: &Record, names: &Names) {
        match record {
            Record::Commit { entries, .. } => {
                entries
                    .iter()
                    .for_each(|entry| self.facts.entry(entry, names));
            }
            Record::Page { page, .. } => self.facts.touch(page.channel),
            Record::Closed(_) => self.facts.scope(None),
            Record::Reject(_) | Record::Settled(_) | Record::Progress(_) | Record::Forgotten(_) => {
            }
        }
    }

    /// Checks that the header agrees with the entries: queries rely on it to skip frames.
    pub fn check(mut self, header: &FrameHeader, names: &Names) -> Result<(), FrameError> {
        if self.link != header.link_after {
            return Err(FrameError::Chain {
                frame: header.frame,
            });
        }
        let mut said = header.clone();
        self.facts
            .tell(&mut said, |name| channel_hash(names.text(name)));
        if said == *header {
            Ok(())
        } else {
            Err(FrameError::Disagree("the entries' times or channels"))
        }
    }
}
