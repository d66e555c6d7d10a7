//! Replays the log: recorded history as the lines of a feed.
//!
//! ```text
//! log ─visit→ Player: the event behind each commit ─shape→ line ─Paced→ Sink
//! ```
//!
//! | file | what |
//! | --- | --- |
//! | `player` | which commits are played, and as which events |
//! | `agora`, `own` | an event as lines of a shape; `line` is shared, `presence` is a part of `agora` |
//! | `topic` | Agora's topic event, for `agora` and for the live feed |
//! | `pace` | when lines are played: a sink that waits before another sink, and the control that pauses it |
//!
//! Nothing is decided here, and no sink knows the log.

mod agora;
pub(crate) mod line;
mod own;
mod pace;
mod player;
mod presence;
pub(crate) mod topic;

pub use pace::{PacedSink, PlaybackClock, PlaybackControl, Speed};

use crate::domain::entry::Recording;
use crate::domain::event::Event;
use crate::domain::time::Millis;
use crate::store::{ScanScope, ScanStart, Store, StoreError};
use player::Player;

/// The part of the log to play. A commit is played whole; its first entry decides whether it is in the range.
#[derive(Debug, Clone, Default)]
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
    /// If the range begins within the history of the channel: first play a snapshot of its roster at that moment, for
    /// a receiver that gets nothing of the time before.
    pub standing: bool,
}

/// The shape of the lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
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

/// An event as lines of a shape, without their newlines: one line in Rollbook's own shape, as many as needed in
/// Agora's. There is none for an event without content, or for one that Agora does not know.
///
/// ```
/// use rollbook::feed::{Defaults, parse};
/// use rollbook::replay::{LineShape, lines_of};
/// let event = parse(br#"{"t":"link","state":"up"}"#, &Defaults::of("default"))?;
/// let line = r#"{"event":"linkState","currentState":"CONNECTED","affectedChannels":[],"unrestoredChannels":[]}"#;
/// assert_eq!(lines_of(&event, LineShape::Agora)?, [line]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When its metadata is not JSON.
pub fn lines_of(event: &Event<'_>, shape: LineShape) -> serde_json::Result<Vec<String>> {
    match shape {
        LineShape::Agora => agora::lines(event),
        LineShape::Rollbook => own::lines(event, Recording::default()),
    }
}

impl Store {
    /// Plays what was observed, in the order of the log and without waiting. An entry that cannot be played is reported
    /// and passed over ([`SkippedEntry`]). Put a [`PacedSink`] before the sink to keep the original intervals.
    ///
    /// ```
    /// use rollbook::replay::{LineShape, PlayedLine};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let store = rollbook::Store::in_memory(rollbook::Options::default())?;
    /// # let file = tempfile::NamedTempFile::new()?;
    /// # std::fs::write(file.path(), r#"{"t":"join","channel":"room","topic":"chat","user":"tony","ts":1000}"#)?;
    /// # let source = rollbook::ingest::source::Source::open(file.path())?;
    /// # rollbook::ingest::ingest(&store, source, &Default::default(), &mut ())?;
    /// store.play(&Default::default(), LineShape::Agora, &mut |line: &PlayedLine<'_>| {
    ///     assert!(line.text.starts_with(r#"{"eventType":"REMOTE_JOIN","channelName":"room""#));
    ///     true
    /// })?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`StoreError::NoSuchChannel`] when the log does not know the channel.
    pub fn play(
        &self,
        filter: &ReplayFilter,
        shape: LineShape,
        sink: &mut dyn LineSink,
    ) -> Result<(), StoreError> {
        if let Some(channel) = &filter.channel {
            self.expect_channel(channel)?;
        }
        let start = match filter.from_seq {
            Some(seq) => ScanStart::Behind(seq.saturating_sub(1)),
            None => ScanStart::First,
        };
        let scope = ScanScope {
            channel: filter.channel.as_deref(),
            start,
            last: filter.to_seq,
            ..ScanScope::default()
        };
        let mut player = Player::new(filter, shape, sink);
        let fold = self.scan(&scope, &mut player)?;
        // For the case that no commit lies in the range or after it.
        player.open("default", fold.at());
        Ok(())
    }
}
