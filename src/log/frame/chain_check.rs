//! Computes the chain and the statistics of a frame's header again, while its records are decoded.

use super::FrameError;
use super::header::{FrameHeader, FrameStatistics, channel_hash};
use super::piece::{DecodedRecord, RecordPiece};
use crate::domain::names::Names;
use crate::log::Record;
use crate::log::chain::{CanonicalEncoder, ChainLink};
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

    /// Adds the next records. `hashes` gives those of the tables of a stream.
    pub fn piece<'h>(
        &mut self,
        piece: &RecordPiece,
        hashes: impl Fn(u8) -> Option<&'h Hashes>,
        names: &Names,
    ) -> Result<(), FrameError> {
        for commit in piece.checked() {
            let hashes = hashes(commit.stream).ok_or(FrameError::Disagree("the streams"))?;
            let seq = commit.entries.first().map_or(0, |first| first.seq);
            let (canon, entries) = (&mut self.canon, commit.entries);
            canon.begin(&self.link, commit.rules, seq, entries.len());
            for (entry, places) in entries.iter().zip(commit.places) {
                canon.entry(entry, places, hashes)?;
            }
            self.link = canon.link();
        }
        piece.iter().for_each(|record| self.record(record, names));
        Ok(())
    }

    /// Adds what the header must state about a record.
    fn record(&mut self, record: DecodedRecord<'_>, names: &Names) {
        match record {
            DecodedRecord::Commit(_, entries) => {
                entries
                    .iter()
                    .for_each(|entry| self.facts.entry(entry, names));
            }
            DecodedRecord::Other(Record::Page { page, .. }, _) => self.facts.touch(page.channel),
            DecodedRecord::Other(Record::Closed(_), _) => self.facts.scope(None),
            DecodedRecord::Other(..) => {}
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
