//! The progress bars of `ingest` and `export`: on standard error, and only where that is a terminal.

use super::text::count;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::Write;
use std::time::{Duration, Instant};

/// How often the figures change.
const EVERY: Duration = Duration::from_millis(100);

/// How far a file has been taken.
#[derive(Debug)]
pub struct FileProgress {
    bar: ProgressBar,
    start: Instant,
    shown: Option<Instant>,
}

impl FileProgress {
    /// Begins. `bytes`: the size of the file as it lies on disk, where it has one.
    #[must_use]
    pub fn start(bytes: Option<u64>) -> FileProgress {
        // The target is hidden by itself where standard error is no terminal.
        let bar = ProgressBar::with_draw_target(bytes, ProgressDrawTarget::stderr());
        let form = match bytes {
            Some(_) => "{bar:24} {percent:>3} %  {bytes} of {total_bytes}  {msg}  {eta} left",
            None => "{spinner} {bytes}  {msg}",
        };
        // A template that cannot be read would leave the plain bar.
        if let Ok(style) = ProgressStyle::with_template(form) {
            bar.set_style(style.progress_chars("━╸─"));
        }
        FileProgress {
            bar,
            start: Instant::now(),
            shown: None,
        }
    }

    /// Begins where only rows are counted.
    #[must_use]
    pub fn start_rows() -> FileProgress {
        let progress = FileProgress::start(None);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {human_pos} rows") {
            progress.bar.set_style(style);
        }
        progress
    }

    /// So many rows have been written.
    pub fn rows(&self, rows: u64) {
        self.bar.set_position(rows);
    }

    /// So many bytes and lines have been taken. Cheap enough for every batch.
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

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// Writes a line on standard error. If even that is closed, there is nobody left to tell.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
