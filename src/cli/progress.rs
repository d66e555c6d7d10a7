//! Progress bars of `ingest` and `export`, on standard error, and only if that is a terminal.

use super::text::count;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::Write;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The interval between updates.
const EVERY: Duration = Duration::from_millis(100);

/// The progress in a file.
#[derive(Debug)]
pub struct FileProgress {
    bar: ProgressBar,
    start: Instant,
    shown: Option<Instant>,
}

impl FileProgress {
    /// Starts. `bytes`: the size of the file on disk, if it has one.
    #[must_use]
    pub fn start(bytes: Option<u64>) -> FileProgress {
        // The target hides itself if standard error is not a terminal.
        let bar = ProgressBar::with_draw_target(bytes, ProgressDrawTarget::stderr());
        let form = match bytes {
            Some(_) => "{bar:24} {percent:>3} %  {bytes} of {total_bytes}  {msg}  {eta} left",
            None => "{spinner} {bytes}  {msg}",
        };
        // If the template cannot be parsed, the default bar stays.
        if let Ok(style) = ProgressStyle::with_template(form) {
            bar.set_style(style.progress_chars("━╸─"));
        }
        FileProgress {
            bar,
            start: Instant::now(),
            shown: None,
        }
    }

    /// Starts a progress that only counts rows.
    #[must_use]
    pub fn start_rows() -> FileProgress {
        let progress = FileProgress::start(None);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {human_pos} rows") {
            progress.bar.set_style(style);
        }
        progress
    }

    /// Sets the number of rows written.
    pub fn rows(&self, rows: u64) {
        self.bar.set_position(rows);
    }

    /// Sets the numbers of bytes and lines read. Cheap enough for every batch.
    pub fn at(&mut self, bytes: u64, lines: u64) {
        if self.bar.is_hidden() || self.shown.is_some_and(|shown| shown.elapsed() < EVERY) {
            return;
        }
        self.shown = Some(Instant::now());
        let elapsed_ms = self.start.elapsed().as_millis().max(1);
        let rate = u128::from(lines) * 1_000 / elapsed_ms;
        self.bar.set_message(format!(
            "{} lines/s",
            count(u64::try_from(rate).unwrap_or(u64::MAX))
        ));
        self.bar.set_position(bytes);
    }

    /// Writes a line on standard error, above the bar.
    pub fn say(&self, line: &str) {
        self.bar.suspend(|| say(line));
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// How a line on standard error is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Importance {
    /// The command goes on.
    Notice,
    /// The command has failed.
    Failure,
}

/// Takes lines for the log.
type LogSink = fn(Importance, &str);

/// The log of a command that has one.
static LOG: OnceLock<LogSink> = OnceLock::new();

/// From now on, lines on standard error go to this log.
pub fn log_with(log: LogSink) {
    // The first log stays.
    let _ = LOG.set(log);
}

/// Says why the command fails.
pub fn say_failure(failure: &str) {
    match LOG.get() {
        Some(log) => {
            let lines: Vec<&str> = failure.lines().map(str::trim).collect();
            let text = lines.join("; ");
            log(Importance::Failure, text.trim_start_matches("rollbook: "));
        }
        None => say(failure),
    }
}

/// Writes a line on standard error. If that is closed, the line is lost.
pub fn say(line: &str) {
    if let Some(log) = LOG.get() {
        return log(Importance::Notice, line);
    }
    let _ = writeln!(std::io::stderr(), "{line}");
}
