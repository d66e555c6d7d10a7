//! What is played, in which shape, and who receives it.

use crate::domain::time::Millis;

/// The part of the log to play. A commit is played whole; its first entry decides whether it is in the range.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ReplayFilter {
    /// Only this channel.
    pub channel: Option<String>,
    /// Entries in effect at or after this moment, Unix ms.
    pub from: Option<Millis>,
    /// Entries in effect before this moment, Unix ms.
    pub to: Option<Millis>,
    /// This entry and later ones.
    pub from_seq: Option<u64>,
    /// This entry and earlier ones.
    pub to_seq: Option<u64>,
    /// If the range begins within the history: first play, for each channel, a snapshot of its roster at that moment, for
    /// a receiver that gets nothing of the time before.
    pub standing: bool,
}

impl ReplayFilter {
    /// Only this channel. Default: all.
    #[must_use]
    pub fn channel(mut self, channel: impl Into<String>) -> Self {
        self.channel = Some(channel.into());
        self
    }

    /// Only entries in effect at or after this moment, Unix ms. Default: from the first one.
    #[must_use]
    pub fn from(mut self, ms: Millis) -> Self {
        self.from = Some(ms);
        self
    }

    /// Only entries in effect before this moment, Unix ms. Default: up to the last one.
    #[must_use]
    pub fn to(mut self, ms: Millis) -> Self {
        self.to = Some(ms);
        self
    }

    /// Only this entry and later ones. Default: from the first one.
    #[must_use]
    pub fn from_seq(mut self, seq: u64) -> Self {
        self.from_seq = Some(seq);
        self
    }

    /// Only this entry and earlier ones. Default: up to the last one.
    #[must_use]
    pub fn to_seq(mut self, seq: u64) -> Self {
        self.to_seq = Some(seq);
        self
    }

    /// Whether to play first the rosters at the beginning of the range, as snapshots. Default: no.
    #[must_use]
    pub fn standing(mut self, standing: bool) -> Self {
        self.standing = standing;
        self
    }
}

/// The shape of the lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum LineShape {
    /// The shape of Agora's JavaScript SDK ([guide](crate::guide::semantics#input-shapes)), with whole snapshots.
    /// What no Agora event expresses exactly is written in the shape of [`LineShape::Rollbook`]. If a log came from
    /// such lines of one observer, and its replay is ingested with the same options, the new log has the same
    /// history, except for the times of recording and what derives from them.
    #[default]
    Agora,
    /// Rollbook's own shape ([guide](crate::guide::semantics#own-format)), with the moment of recording and any rules
    /// that were not the default. If these lines are ingested and their recording is
    /// [kept](crate::ingest::IngestOptions::keep_recorded), the new log has exactly the same history, for any log.
    Rollbook,
}

/// A line that is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlayedLine<'a> {
    /// The first entry that its event made; for a step of a paged snapshot, the next entry.
    pub seq: u64,
    /// When that entry took effect, Unix ms.
    pub at: Millis,
    /// The line, without its newline.
    pub text: &'a str,
}

/// An event that should have a line, but has none: it is in the log, and no line can express it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SkippedEntry {
    /// The first entry that the event made; for a step of a paged snapshot, the next entry.
    pub seq: u64,
    /// The reason.
    pub why: String,
}

/// Receives played lines, one after another: a closure, or any other type.
pub trait LineSink {
    /// Takes a line; `false` ends the play.
    fn line(&mut self, line: &PlayedLine<'_>) -> bool;

    /// Receives an entry that cannot be played. The play continues after it.
    fn untold(&mut self, untold: &SkippedEntry) {
        let _ = untold;
    }
}

impl<F: FnMut(&PlayedLine<'_>) -> bool> LineSink for F {
    fn line(&mut self, line: &PlayedLine<'_>) -> bool {
        self(line)
    }
}
