//! Keeps values in sled 0.34: one tree for the log and one for the key values. No other file names the crate.
//!
//! What is known about sled, and how this code deals with it:
//! - Its flush ends in `sync_file_range`, which leaves data in the drive's cache: for [`Durability::Power`] the `db`
//!   file is synced once more through our own handle.
//! - It puts a page larger than a quarter of a segment into `blobs/`, whose files it does not sync. A leaf holds up to
//!   16 values and keys, some more while it splits or merges: `segments` leaves space for 20 of the largest.
//! - A truncated file may open without an error and with holes: every read checks that no position is missing.
//! - Two trees may disagree after a crash: so the key values are derived data only, and everything that the log
//!   depends on, including its floor, is in the log's tree.
//! - It keeps neighbouring keys in one page, so a value costs about its own size.
//! - It reuses a segment once all its pages were written again elsewhere, and begins with that when half of a segment is
//!   free. But it moves one page only when it rewrites another for its own reasons, after ten changes of it. Values as large
//!   as ours give it few such reasons, and its file grew to ten times what was in it: so a small page is changed along with
//!   each value (`move_pages`). Its thread for that syncs the file, and may hang at the end.
//! - Its background threads may hold the `db` file, and its lock, for a moment after the last handle is dropped:
//!   dropping a journal waits for them, so that it can be opened again at once.
//! - A flush may wait forever if a write fails: the `watchdog` checks whether sled has noted an error.
//! - Damaged files can make it panic, or never open, instead of returning an error: a panic counts as damage, unless
//!   its message has a system error. sled also panics if the clock is before 1970.
//! - A kill or a full disk during opening leaves files on which the next opening fails: `files` clears them.
//! - Its cache counts a page only after 64 accesses have collected in one of 256 shards. So reading a log once would
//!   keep 16,384 leaves of up to 16 values each, whatever the capacity: a reader repeats the access to each key until
//!   enough have collected.
//! - A `db` file that was truncated or altered after a crash opens without an error, but everything after the damage
//!   is lost, including checkpoints. The `mark` beside it knows how far it went.

use super::files::{self, OwnHandle};
use super::mark::Mark;
use super::panics::guarded;
use super::segments::SegmentSize;
use super::sled_handle::{SledHandle, engine};
use super::{Durability, Journal, JournalError, KeyValues, StoredValue, Values, fence, fit};
use crate::limits::VALUE_BYTES_WRITTEN;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// The longest key of the key values; it counts among the bytes of a leaf.
const KEY_BYTES_MAX: usize = 48;

/// Positions removed in one batch: this limits the memory of a batch.
const TRIM_BATCH: u64 = 1_024;

/// sled rewrites a page once it was changed so often, and moves another one.
const CHANGES_A_PAGE: usize = 11;
/// Changes of the small page along with one of a key value. Several of these share a page, so fewer are due.
const CHANGES_A_KEY_VALUE: usize = 2;

/// One repeated access to a value for this many of its bytes: so sled keeps leaves of about 32 MiB in all.
const LOOK_BYTES: usize = 2 << 10;
/// The most repeated accesses to a value: a leaf of 8 such values then collects 64, and is counted at once.
const LOOKS_MAX: usize = 8;

/// The key of the store's id, in sled's own tree.
const STORE_KEY: &str = "store";

/// The key of the first kept position, once values were trimmed: position 0, which has no value. It is written before
/// the values are removed, so that a crash in between leaves only values that are never read.
const FLOOR_KEY: [u8; 8] = [0; 8];

/// A journal in a folder.
#[derive(Debug)]
pub struct SledJournal {
    // In this order: dropping the last handle writes the rest, and then `file` waits until sled has released the file.
    log: sled::Tree,
    key_values: sled::Tree,
    /// One small page, which is changed often.
    often_changed: sled::Tree,
    db: sled::Db,
    last: SledHandle,
    file: OwnHandle,
    path: PathBuf,
    segments: SegmentSize,
    durability: Durability,
    /// Held while the log is changed.
    changing: Mutex<()>,
    mark: Mutex<Mark>,
    first: AtomicU64,
    head: AtomicU64,
}

impl SledJournal {
    /// Opens the journal in a folder, or creates it. Readers check that no position is missing.
    ///
    /// # Errors
    /// The folder cannot be used, another process has it open, or the log is damaged.
    pub fn open(path: &Path, durability: Durability) -> Result<Self, JournalError> {
        Self::open_for(path, durability, VALUE_BYTES_WRITTEN)
    }

    /// Opens the journal in a folder, or creates one that takes values of up to `largest` bytes.
    ///
    /// # Errors
    /// Those of [`open`](SledJournal::open).
    pub fn open_for(
        path: &Path,
        durability: Durability,
        largest: usize,
    ) -> Result<Self, JournalError> {
        if SystemTime::now() < SystemTime::UNIX_EPOCH {
            return Err(JournalError::Clock);
        }
        guarded(|| Self::open_files(path, durability, largest))
    }

    fn open_files(
        path: &Path,
        durability: Durability,
        largest: usize,
    ) -> Result<Self, JournalError> {
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| JournalError::Io { path, source }
        };
        files::make_folder(path).map_err(io(path))?;
        files::clear(path)?;
        let segments = match SegmentSize::of(path)? {
            Some(segments) => segments,
            None => SegmentSize::for_values(largest),
        };
        let (last, db) = SledHandle::open(path, segments)?;
        let log = db.open_tree("log").map_err(engine)?;
        let key_values = db.open_tree("shelf").map_err(engine)?;
        let often_changed = db.open_tree("often").map_err(engine)?;
        let file = path.join("db");
        let file = File::open(&file).map(OwnHandle).map_err(io(&file))?;
        let mark = Mark::open(path).map_err(io(path))?;
        if !files::is_open_to_others(path).map_err(io(path))? {
            files::close_to_others(path).map_err(io(path))?;
        }
        let mut journal = SledJournal {
            log,
            key_values,
            often_changed,
            db,
            last,
            file,
            path: path.to_path_buf(),
            segments,
            durability,
            changing: Mutex::new(()),
            mark: Mutex::new(mark),
            first: AtomicU64::new(1),
            head: AtomicU64::new(0),
        };
        let (first, head) = ends(&journal.log)?;
        journal.first = AtomicU64::new(first);
        journal.head = AtomicU64::new(head);
        let synced = held(&journal.mark).synced();
        if head < synced {
            return Err(JournalError::Short { head, synced });
        }
        journal.no_blobs()?;
        journal.sync()?;
        journal.sync_folder()?;
        Ok(journal)
    }

    /// The largest value that its files take.
    pub(crate) fn value_bytes_max(&self) -> usize {
        self.segments.value_bytes_max()
    }

    /// Lets sled move pages, one for so many changes of a page.
    fn move_pages(&self, changes: usize) -> Result<(), JournalError> {
        guarded(|| {
            for _ in 0..changes {
                self.often_changed.insert([0], &[]).map_err(engine)?;
            }
            Ok(())
        })
    }

    /// Checks that sled keeps nothing in files that it does not sync.
    ///
    /// # Errors
    /// There are such files, or the folder cannot be read.
    pub fn no_blobs(&self) -> Result<(), JournalError> {
        let path = self.path.join("blobs");
        match std::fs::read_dir(&path).map(Iterator::count) {
            Ok(0) => Ok(()),
            Ok(count) => Err(JournalError::Damaged {
                path,
                what: format!("{count} files where none may be: sled does not sync them"),
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(JournalError::Io { path, source }),
        }
    }

    /// The size of sled's files in bytes.
    ///
    /// # Errors
    /// The engine failed.
    pub fn bytes_on_disk(&self) -> Result<u64, JournalError> {
        self.db.size_on_disk().map_err(engine)
    }

    /// The id of the store to which the log belongs, if it was written.
    ///
    /// # Errors
    /// The engine failed.
    pub fn store_id(&self) -> Result<Option<Vec<u8>>, JournalError> {
        guarded(|| {
            let id = self.db.get(STORE_KEY).map_err(engine)?;
            Ok(id.map(|id| id.to_vec()))
        })
    }

    /// Writes the id of the store to which the log belongs, and makes it survive a power cut.
    ///
    /// # Errors
    /// The engine failed.
    pub fn set_store_id(&self, id: &[u8]) -> Result<(), JournalError> {
        guarded(|| self.db.insert(STORE_KEY, id).map(drop).map_err(engine))?;
        self.sync_to(Durability::Power)
    }

    /// Makes `first` the first position of an empty journal.
    ///
    /// # Errors
    /// It is not empty, or the engine failed.
    pub(crate) fn begin_at(&self, first: u64) -> Result<(), JournalError> {
        let _changing = held(&self.changing);
        fence(0, self.head())?;
        let first = first.max(1);
        guarded(|| {
            let floor = self.log.insert(FLOOR_KEY, &first.to_be_bytes());
            floor.map(drop).map_err(engine)
        })?;
        self.first.store(first, Ordering::Release);
        self.head.store(first - 1, Ordering::Release);
        Ok(())
    }

    /// Makes the names of new files durable.
    fn sync_folder(&self) -> Result<(), JournalError> {
        if self.durability != Durability::Power {
            return Ok(());
        }
        for folder in [Some(self.path.as_path()), self.path.parent()] {
            let Some(folder) = folder.filter(|folder| !folder.as_os_str().is_empty()) else {
                continue;
            };
            files::sync_folder(folder).map_err(|source| JournalError::Io {
                path: folder.to_path_buf(),
                source,
            })?;
        }
        Ok(())
    }

    fn sync_to(&self, durability: Durability) -> Result<(), JournalError> {
        if durability == Durability::None {
            return Ok(());
        }
        let head = self.head();
        self.last.flush()?;
        if durability == Durability::Power {
            self.file.0.sync_data().map_err(|source| JournalError::Io {
                path: self.path.join("db"),
                source,
            })?;
            // The mark covers only what survives a power cut.
            let raised = held(&self.mark).raise(head);
            raised.map_err(|error| self.mark_error(error))?;
        }
        Ok(())
    }

    /// Repeats accesses to the page of a key, so that sled's cache counts them and evicts other pages.
    fn look_again(&self, key: &[u8], value: &[u8]) -> Result<(), JournalError> {
        for _ in 0..(value.len() / LOOK_BYTES).min(LOOKS_MAX) {
            self.log.contains_key(key).map_err(engine)?;
        }
        Ok(())
    }

    fn mark_error(&self, source: std::io::Error) -> JournalError {
        let path = self.path.clone();
        JournalError::Io { path, source }
    }

    fn not_kept(&self, position: u64) -> JournalError {
        JournalError::NotKept {
            position,
            first: self.first(),
            head: self.head(),
        }
    }
}

/// A thread that panicked with the lock held changed the tree by whole batches, and the numbers only after them.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn number(bytes: &[u8]) -> Result<u64, JournalError> {
    match <[u8; 8]>::try_from(bytes) {
        Ok(bytes) => Ok(u64::from_be_bytes(bytes)),
        Err(_) => Err(JournalError::Engine(
            "a key of the log is no position".into(),
        )),
    }
}

/// The first and the last position.
fn ends(log: &sled::Tree) -> Result<(u64, u64), JournalError> {
    let floor = match log.get(FLOOR_KEY).map_err(engine)? {
        Some(floor) => number(&floor)?.max(1),
        None => 1,
    };
    // Values that a crash left below the floor.
    let mut left = sled::Batch::default();
    for key in log.range(1u64.to_be_bytes()..floor.to_be_bytes()).keys() {
        left.remove(key.map_err(engine)?);
    }
    log.apply_batch(left).map_err(engine)?;
    let mut kept = log.range(floor.to_be_bytes()..).keys();
    let Some(last) = kept.next_back().transpose().map_err(engine)? else {
        return Ok((floor, floor - 1));
    };
    let last = number(&last)?;
    match kept.next().transpose().map_err(engine)? {
        Some(first) if number(&first)? != floor => Err(JournalError::Hole {
            expected: floor,
            found: number(&first)?,
        }),
        None if last != floor => Err(JournalError::Hole {
            expected: floor,
            found: last,
        }),
        _ => Ok((floor, last)),
    }
}

impl Journal for SledJournal {
    fn append(&self, expected_head: u64, values: &[Vec<u8>]) -> Result<u64, JournalError> {
        let _changing = held(&self.changing);
        fence(expected_head, self.head())?;
        fit(values, self.value_bytes_max())?;
        let positions = expected_head + 1..;
        guarded(|| {
            if let [value] = values {
                // A batch of one costs a second record in sled's log.
                let put = self.log.insert((expected_head + 1).to_be_bytes(), &**value);
                return put.map(drop).map_err(engine);
            }
            let mut batch = sled::Batch::default();
            for (position, value) in positions.zip(values) {
                batch.insert(&position.to_be_bytes(), value.as_slice());
            }
            self.log.apply_batch(batch).map_err(engine)
        })?;
        let head = expected_head + values.len() as u64;
        self.head.store(head, Ordering::Release);
        Ok(head)
    }

    fn sync(&self) -> Result<(), JournalError> {
        self.sync_to(self.durability)
    }

    fn close(&self) -> Result<(), JournalError> {
        self.sync_to(Durability::Power)
    }

    fn head(&self) -> u64 {
        self.head.load(Ordering::Acquire)
    }

    fn first(&self) -> u64 {
        self.first.load(Ordering::Acquire)
    }

    fn get(&self, position: u64) -> Result<Option<Vec<u8>>, JournalError> {
        if position < self.first() || position > self.head() {
            return Ok(None);
        }
        let value = guarded(|| self.log.get(position.to_be_bytes()).map_err(engine))?;
        Ok(value.map(|value| value.to_vec()))
    }

    fn read(&self, from: u64) -> Values<'_> {
        let mut next = from.max(self.first());
        let range = next.to_be_bytes()..=self.head().to_be_bytes();
        if range.start() > range.end() {
            return Box::new(std::iter::empty());
        }
        let mut values = self.log.range(range);
        let mut ended = false;
        Box::new(std::iter::from_fn(move || {
            if ended {
                return None;
            }
            let read = guarded(|| {
                let Some((key, value)) = values.next().transpose().map_err(engine)? else {
                    return Ok(None);
                };
                self.look_again(&key, &value)?;
                Ok(Some((number(&key)?, StoredValue::new(value))))
            });
            let read = read.and_then(|read| match read {
                // Values that were trimmed since the read began are no hole.
                Some((found, _)) if found != next && found > self.first() => {
                    let expected = next;
                    Err(JournalError::Hole { expected, found })
                }
                Some((found, value)) => {
                    next = found + 1;
                    Ok(Some((found, value)))
                }
                None => Ok(None),
            });
            ended = !matches!(read, Ok(Some(_)));
            read.transpose()
        }))
    }

    fn trim(&self, before: u64) -> Result<(), JournalError> {
        let changing = held(&self.changing);
        let (first, before) = (self.first(), before.min(self.head() + 1));
        if before <= first {
            return Ok(());
        }
        guarded(|| {
            let floor = self.log.insert(FLOOR_KEY, &before.to_be_bytes());
            floor.map(drop).map_err(engine)
        })?;
        self.first.store(before, Ordering::Release);
        // Nobody reads what is below the floor, so the writer need not wait.
        drop(changing);
        let mut from = first;
        while from < before {
            let to = before.min(from + TRIM_BATCH);
            let mut batch = sled::Batch::default();
            (from..to).for_each(|position| batch.remove(&position.to_be_bytes()));
            guarded(|| self.log.apply_batch(batch).map_err(engine))?;
            self.move_pages((to - from) as usize * CHANGES_A_PAGE)?;
            from = to;
        }
        Ok(())
    }

    fn cut(&self, head: u64) -> Result<(), JournalError> {
        let _changing = held(&self.changing);
        let from = self.head();
        if head + 1 < self.first() || head > from {
            return Err(self.not_kept(head));
        }
        let lowered = held(&self.mark).lower(head);
        lowered.map_err(|error| self.mark_error(error))?;
        self.head.store(head, Ordering::Release);
        // From the end, so that a crash in between leaves no hole.
        for position in (head + 1..=from).rev() {
            self.log.remove(position.to_be_bytes()).map_err(engine)?;
        }
        Ok(())
    }
}

impl KeyValues for SledJournal {
    fn put(&self, key: &[u8], value: &[u8]) -> Result<(), JournalError> {
        fit(&[key], KEY_BYTES_MAX)?;
        fit(&[value], self.value_bytes_max())?;
        guarded(|| self.key_values.insert(key, value).map(drop).map_err(engine))?;
        self.move_pages(CHANGES_A_KEY_VALUE)
    }

    fn lookup(&self, key: &[u8]) -> Result<Option<Vec<u8>>, JournalError> {
        let value = guarded(|| self.key_values.get(key).map_err(engine))?;
        Ok(value.map(|value| value.to_vec()))
    }

    fn keys(&self, prefix: &[u8]) -> Result<Vec<Vec<u8>>, JournalError> {
        guarded(|| {
            let keys = self.key_values.scan_prefix(prefix).keys();
            keys.map(|key| key.map(|key| key.to_vec()).map_err(engine))
                .collect()
        })
    }

    fn remove(&self, key: &[u8]) -> Result<(), JournalError> {
        guarded(|| self.key_values.remove(key).map(drop).map_err(engine))?;
        self.move_pages(CHANGES_A_KEY_VALUE)
    }
}
