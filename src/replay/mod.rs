//! Replays the log: recorded history as the lines of a feed.
//!
//! ```text
//! log ─scan→ Player: the event behind each commit ─shape→ line ─Paced→ Sink
//! ```
//!
//! | file | what |
//! | --- | --- |
//! | `player` | which commits are played, and as which events |
//! | `agora`, `own` | an event as lines of a shape; `line` is shared, `presence` is a part of `agora` |
//! | `topic` | Agora's topic event, for `agora` and for the live feed |
//! | `pace` | when lines are played: a sink that delays each line and passes it to another sink; its control |
//! | `sink` | where lines go |
//!
//! Nothing is decided here, and no sink knows the log.

mod agora;
pub(crate) mod line;
mod own;
mod pace;
mod player;
mod presence;
mod sink;
pub(crate) mod topic;

#[doc(hidden)]
pub use pace::PlaybackClock;
pub use pace::{PacedSink, PlaybackControl, Speed};

use crate::domain::entry::Recording;
use crate::domain::event::Event;
use crate::store::{ScanScope, ScanStart, Store, StoreError};
use player::Player;
pub use sink::{LineShape, LineSink, PlayedLine, ReplayFilter, SkippedEntry};

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
#[doc(hidden)]
pub fn lines_of(event: &Event<'_>, shape: LineShape) -> serde_json::Result<Vec<String>> {
    match shape {
        LineShape::Agora => agora::lines(event),
        LineShape::Rollbook => own::lines(event, Recording::default()),
    }
}

impl Store {
    /// Plays what was observed, in the order of the log and without waiting. Where earlier entries were pruned it begins
    /// with the rosters as they stood there. An entry that cannot be played is reported
    /// and passed over ([`SkippedEntry`]). Put a [`PacedSink`] before the sink to keep the original intervals.
    ///
    /// ```
    /// use rollbook::replay::{LineShape, PlayedLine};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let store = rollbook::Store::in_memory(rollbook::Options::default())?;
    /// # let file = tempfile::NamedTempFile::new()?;
    /// # std::fs::write(file.path(), r#"{"t":"join","channel":"room","topic":"chat","user":"tony","ts":1000}"#)?;
    /// # let source = rollbook::ingest::Source::open(file.path())?;
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
    /// [`StoreError::NoSuchChannel`] when the log does not know the channel; [`StoreError::PastRetention`] if the whole
    /// range was pruned, or its first entry was.
    pub fn play(
        &self,
        filter: &ReplayFilter,
        shape: LineShape,
        sink: &mut dyn LineSink,
    ) -> Result<(), StoreError> {
        if let Some(channel) = &filter.channel {
            self.expect_channel(channel)?;
        }
        let before = filter.from_seq.map_or(0, |seq| seq.saturating_sub(1));
        self.expect_end(filter.to)?;
        self.expect_behind(before)?;
        let start = match before {
            0 => ScanStart::First,
            // A checkpoint right behind that entry may have pages that belong to the range.
            before => ScanStart::Behind((before - 1).max(self.begin() - 1)),
        };
        let scope = ScanScope {
            channel: filter.channel.as_deref(),
            start,
            last: filter.to_seq,
            ..ScanScope::default()
        };
        let (mut cursor, mut frames) = self.scan(&scope)?;
        let mut player = Player::new(filter, shape, sink);
        if let Some(open) = cursor.open.take()
            && before == 0
            && filter.from.is_none_or(|from| from < open.retained_from)
        {
            player.begin_at(open.retained_from);
        }
        while let Some(mut frame) = frames.next(&mut cursor)? {
            while let Some(record) = frame.next(&mut cursor)? {
                player.play(&record, cursor.view());
                if player.is_stopped() {
                    return Ok(());
                }
                cursor.apply(&record);
            }
            if let Some(renumbering) = cursor.forget_absent() {
                player.renumber(&renumbering);
            }
        }
        // If no commit is in the range or after it, the opening rosters are still to be written.
        player.end(cursor.view());
        Ok(())
    }
}
