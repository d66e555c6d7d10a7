//! sled's files, opened and closed: its settings, the handle that is dropped last, and its errors as ours. What is kept
//! in the files is the business of `sled`.

use super::JournalError;
use super::panics::{guarded, of_system};
use super::segments::SegmentSize;
use super::watchdog::Watchdog;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// sled's cache. The log is read once, in order; what is read again is in checkpoints and blocks.
const CACHE_BYTES: u64 = 32 << 20;

/// The handle that is dropped last, from opening on. On this drop sled flushes, and panics if that fails; everything
/// that must be durable is durable before.
#[derive(Debug)]
pub(super) struct SledHandle {
    db: Option<sled::Db>,
    /// It has its own handle.
    watchdog: Option<Watchdog>,
}

impl SledHandle {
    /// Opens the files. The caller must drop the returned `Db` handle first.
    pub fn open(
        path: &Path,
        segments: SegmentSize,
    ) -> Result<(SledHandle, sled::Db), JournalError> {
        let db = sled::Config::new()
            .path(path)
            .segment_size(segments.bytes())
            .cache_capacity(CACHE_BYTES)
            .flush_every_ms(None)
            .use_compression(false)
            .open()
            .map_err(engine)?;
        // A flush that finds the error wakes the waiting calls.
        let watched = db.clone();
        let help = move || {
            if watched.context.global_error().is_err() {
                drop(guarded(|| watched.flush().map_err(engine)));
            }
        };
        let mut last = SledHandle {
            db: Some(db.clone()),
            watchdog: None,
        };
        let watchdog = Watchdog::start(help).map_err(|source| JournalError::Io {
            path: path.to_path_buf(),
            source,
        })?;
        last.watchdog = Some(watchdog);
        Ok((last, db))
    }

    pub fn flush(&self) -> Result<(), JournalError> {
        let (Some(db), Some(watchdog)) = (&self.db, &self.watchdog) else {
            return Ok(());
        };
        let flush = || db.flush().map(drop).map_err(engine);
        guarded(|| watchdog.look_after(flush))
    }
}

impl Drop for SledHandle {
    fn drop(&mut self) {
        // Dropping the handle flushes unwatched. By now nothing is left to write, or an error is known: it cannot wait.
        drop(self.flush());
        drop(self.watchdog.take());
        let last = self.db.take();
        let _ = catch_unwind(AssertUnwindSafe(|| drop(last)));
    }
}

pub(super) fn engine(error: sled::Error) -> JournalError {
    match error {
        sled::Error::Corruption { .. } => JournalError::Unreadable(error.to_string()),
        // Sound files cause neither: the first is a case that sled's authors took for impossible, the second a file
        // of another version.
        sled::Error::ReportableBug(what) | sled::Error::Unsupported(what) => {
            JournalError::Unreadable(what)
        }
        // sled passes on copies of the error. Their text is the debug form of the first error.
        sled::Error::Io(error) => {
            JournalError::Engine(Box::new(of_system(&error.to_string()).unwrap_or(error)))
        }
        other => JournalError::Engine(Box::new(other)),
    }
}
