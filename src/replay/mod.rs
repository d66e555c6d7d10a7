//! The log, played again: recorded history as the lines of a feed.
//!
//! ```text
//! log ─visit→ Player: the event behind each commit ─shape→ line ─Paced→ Sink
//! ```
//!
//! | file | what |
//! | --- | --- |
//! | `player` | which commits are played, and as what events |
//! | `agora`, `own` | an event as lines of a shape; what they share is in `line`. `presence` is the part of `agora` that tells of presence |
//! | `topic` | the event of Agora's that tells who is where, for `agora` and for the live feed |
//! | `pace` | when: a sink before another one, that waits; and the remote by which it is paused |
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

/// Which part of the log is played. A commit is played whole, by its first entry.
#[derive(Debug, Clone, Default)]
pub struct ReplayFilter {
    /// Only this channel.
    pub channel: Option<String>,
    /// Entries in effect at or after this moment, Unix ms.
    pub from: Option<Millis>,
    /// Entries in effect before this moment, Unix ms.
    pub to: Option<Millis>,
    /// This entry and those behind it.
    pub from_seq: Option<u64>,
    /// This entry and those before it.
    pub to_seq: Option<u64>,
    /// Where the range cuts into the history of the channel: first a snapshot of its roster as it stood then, for who
    /// hears nothing of what was before.
    pub standing: bool,
}

/// The shape of the lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LineShape {
    /// That of Agora's JavaScript SDK (contract 2.1 to 2.3), snapshots whole; what none of its events says exactly is
    /// told as [`LineShape::Rollbook`] tells it. A log that came from such lines of one
    /// observer has, when they are ingested again with the same options, the same history but for the times of
    /// recording and what derives from them.
    #[default]
    Agora,
    /// Rollbook's own (contract 2.4), with the moment of recording and, where they were not the usual ones, the rules:
    /// ingested again, and these [kept](crate::ingest::IngestOptions::keep_recorded), any log has the same history to the letter.
    Rollbook,
}

/// A line as it is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlayedLine<'a> {
    /// The first entry that it made; for a step of a paged snapshot the next one.
    pub seq: u64,
    /// When that took effect, Unix ms.
    pub at: Millis,
    /// The line, without its newline.
    pub text: &'a str,
}

/// What has no line, though it should: the log has it, and it cannot be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedEntry {
    /// The first entry that it made; for a step of a paged snapshot the next one.
    pub seq: u64,
    /// Why not.
    pub why: String,
}

/// Where lines are played to: a closure, or anything else that takes one after another.
pub trait LineSink {
    /// Takes a line; `false` ends the play.
    fn line(&mut self, line: &PlayedLine<'_>) -> bool;

    /// Hears of what cannot be told. The play goes on behind it.
    fn untold(&mut self, untold: &SkippedEntry) {
        let _ = untold;
    }
}

impl<F: FnMut(&PlayedLine<'_>) -> bool> LineSink for F {
    fn line(&mut self, line: &PlayedLine<'_>) -> bool {
        self(line)
    }
}

/// An event as lines of a shape, without their newlines: one in Rollbook's own, in Agora's as many as it takes. None for
/// an event that says nothing, or of which Agora knows nothing.
///
/// ```
/// use rollbook::feed::{Defaults, parse};
/// use rollbook::replay::{Shape, lines_of};
/// let event = parse(br#"{"t":"link","state":"up"}"#, &Defaults::of("default"))?;
/// let line = r#"{"event":"linkState","currentState":"CONNECTED","affectedChannels":[],"unrestoredChannels":[]}"#;
/// assert_eq!(lines_of(&event, Shape::Agora)?, [line]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Where its metadata is no JSON.
pub fn lines_of(event: &Event<'_>, shape: LineShape) -> serde_json::Result<Vec<String>> {
    match shape {
        LineShape::Agora => agora::lines(event),
        LineShape::Rollbook => own::lines(event, Recording::default()),
    }
}

impl Store {
    /// Plays what was observed, in the order of the log, flat out, and goes on behind what cannot be told ([`SkippedEntry`]); put a [`PacedSink`] before the sink where time is to
    /// pass as it did.
    ///
    /// ```
    /// use rollbook::replay::{Played, Shape};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let store = rollbook::Store::in_memory(rollbook::Options::default())?;
    /// # let file = tempfile::NamedTempFile::new()?;
    /// # std::fs::write(file.path(), r#"{"t":"join","channel":"room","topic":"chat","user":"tony","ts":1000}"#)?;
    /// # let source = rollbook::ingest::source::Source::open(file.path())?;
    /// # rollbook::ingest::ingest(&store, source, &Default::default(), &mut ())?;
    /// store.play(&Default::default(), Shape::Agora, &mut |line: &Played<'_>| {
    ///     assert!(line.text.starts_with(r#"{"eventType":"REMOTE_JOIN","channelName":"room""#));
    ///     true
    /// })?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`StoreError::NoSuchChannel`] where the log has never heard of the channel.
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
        // Where nothing lies in the range, nor behind it.
        player.open("default", fold.at());
        Ok(())
    }
}
