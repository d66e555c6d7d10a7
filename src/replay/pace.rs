//! When lines are played: at their original intervals, faster or slower, and not while the play is paused.

use super::sink::{LineSink, PlayedLine, SkippedEntry};
use crate::domain::time::Millis;
use crate::limits::{SPEED_MAX, SPEED_MIN};
use std::str::FromStr;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How fast time passes.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub enum Speed {
    /// No waiting: a line is played as soon as the one before it is taken.
    #[default]
    Max,
    /// This many times the original speed.
    Times(f64),
}

impl FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Speed, String> {
        if text == "max" {
            return Ok(Speed::Max);
        }
        let times = text.strip_suffix('x').unwrap_or(text).parse();
        match times {
            Ok(times) if (SPEED_MIN..=SPEED_MAX).contains(&times) => Ok(Speed::Times(times)),
            _ => Err(format!(
                "write how many times as fast it is to go, from {SPEED_MIN} to {SPEED_MAX}, or max"
            )),
        }
    }
}

/// Pauses, resumes and stops a play, from any thread. All clones control the same play.
#[derive(Debug, Clone, Default)]
pub struct PlaybackControl(Arc<(Mutex<PlaybackMode>, Condvar)>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum PlaybackMode {
    #[default]
    Playing,
    Paused,
    Stopped,
}

impl PlaybackControl {
    /// Pauses the play: until [`resume`](PlaybackControl::resume), no line is played and no time passes.
    pub fn pause(&self) {
        self.turn(PlaybackMode::Paused);
    }

    /// Continues where the play was paused.
    pub fn resume(&self) {
        self.turn(PlaybackMode::Playing);
    }

    /// Stops the play: no further line is played.
    pub fn stop(&self) {
        self.turn(PlaybackMode::Stopped);
    }

    /// Waits until the mode changes, but not longer than `at_most`.
    pub fn wait(&self, at_most: Duration) {
        let (mode, turned) = &*self.0;
        let mode = mode.lock().unwrap_or_else(PoisonError::into_inner);
        let before = *mode;
        // The caller looks at the mode again, whatever ended the wait.
        drop(turned.wait_timeout_while(mode, at_most, |mode| *mode == before));
    }

    fn turn(&self, to: PlaybackMode) {
        let (mode, turned) = &*self.0;
        let mut mode = mode.lock().unwrap_or_else(PoisonError::into_inner);
        if *mode != PlaybackMode::Stopped {
            *mode = to;
        }
        turned.notify_all();
    }

    fn mode(&self) -> PlaybackMode {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The clock of a play.
pub trait PlaybackClock {
    /// How much time has passed since some moment before the play.
    fn now(&mut self) -> Duration;

    /// Waits until the mode of `remote` changes, but not longer than `at_most`.
    fn rest(&mut self, remote: &PlaybackControl, at_most: Duration);
}

/// The clock of this machine.
impl PlaybackClock for Instant {
    fn now(&mut self) -> Duration {
        self.elapsed()
    }

    fn rest(&mut self, remote: &PlaybackControl, at_most: Duration) {
        remote.wait(at_most);
    }
}

/// The longest single wait.
const REST: Duration = Duration::from_millis(100);
/// How much of the time between two looks at the clock counts at most. A longer time was not a wait: the process was
/// stopped, or the sink did not take its line. It counts as a pause, and the play does not hurry to make up for it.
const STEP_MAX: Duration = Duration::from_millis(500);

/// A sink that passes lines on at the intervals of their effective times, divided by the speed.
///
/// ```
/// use rollbook::replay::{LineShape, PacedSink, PlaybackControl, PlayedLine, Speed};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let store = rollbook::Store::in_memory(rollbook::Options::default())?;
/// # let file = tempfile::NamedTempFile::new()?;
/// # std::fs::write(file.path(), concat!(
/// #     r#"{"t":"join","channel":"room","topic":"chat","user":"tony","ts":1000}"#, "\n",
/// #     r#"{"t":"leave","channel":"room","topic":"chat","user":"tony","ts":9000}"#))?;
/// # let source = rollbook::ingest::Source::open(file.path())?;
/// # rollbook::ingest::ingest(&store, source, &Default::default(), &mut ())?;
/// let control = PlaybackControl::default(); // a clone of it pauses and resumes from another thread
/// let mut lines = 0;
/// let sink = |_: &PlayedLine<'_>| {
///     lines += 1;
///     control.stop(); // one is enough
///     true
/// };
/// let mut paced = PacedSink::new(sink, Speed::Times(2.0), control.clone());
/// store.play(&Default::default(), LineShape::Rollbook, &mut paced)?;
/// assert_eq!(lines, 1);
/// # Ok(())
/// # }
/// ```
pub struct PacedSink<S, T = Instant> {
    sink: S,
    speed: Speed,
    remote: PlaybackControl,
    time: T,
    /// The effective time of the first line.
    from: Option<Millis>,
    /// How much time has passed in the play.
    passed: Duration,
    /// When the clock was last read.
    looked: Duration,
}

impl<S: LineSink> PacedSink<S> {
    /// A paced sink before `sink`, with the clock of this machine.
    pub fn new(sink: S, speed: Speed, remote: PlaybackControl) -> Self {
        PacedSink::by(Instant::now(), sink, speed, remote)
    }
}

impl<S: LineSink, T: PlaybackClock> PacedSink<S, T> {
    /// The same with another clock.
    pub fn by(time: T, sink: S, speed: Speed, remote: PlaybackControl) -> Self {
        PacedSink {
            sink,
            speed,
            remote,
            time,
            from: None,
            passed: Duration::ZERO,
            looked: Duration::ZERO,
        }
    }

    /// When a line is due, in the time of the play.
    fn due(&mut self, at: Millis) -> Duration {
        let Speed::Times(times) = self.speed else {
            return Duration::ZERO;
        };
        let from = match self.from {
            Some(from) => from,
            None => {
                self.looked = self.time.now();
                *self.from.insert(at)
            }
        };
        // Effective times of several channels are in no order; a line from before the first one is due at once.
        let after_ms = u64::try_from(at.saturating_sub(from)).unwrap_or(0);
        let seconds = Duration::from_millis(after_ms).as_secs_f64() / times;
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }

    /// Waits until `due`; `false` if the play was stopped.
    fn wait(&mut self, due: Duration) -> bool {
        loop {
            match self.remote.mode() {
                PlaybackMode::Stopped => return false,
                PlaybackMode::Paused => {
                    self.time.rest(&self.remote, REST);
                    self.looked = self.time.now();
                }
                PlaybackMode::Playing => {
                    let now = self.time.now();
                    self.passed += now.saturating_sub(self.looked).min(STEP_MAX);
                    self.looked = now;
                    let left = due.saturating_sub(self.passed);
                    if left.is_zero() {
                        return true;
                    }
                    self.time.rest(&self.remote, left.min(REST));
                }
            }
        }
    }
}

impl<S: LineSink, T: PlaybackClock> LineSink for PacedSink<S, T> {
    fn line(&mut self, line: &PlayedLine<'_>) -> bool {
        let due = self.due(line.at);
        self.wait(due) && self.sink.line(line)
    }

    fn untold(&mut self, untold: &SkippedEntry) {
        self.sink.untold(untold);
    }
}
