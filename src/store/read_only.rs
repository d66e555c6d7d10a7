//! Opening a store that cannot be written: on a read-only mount, on a full disk, or in another user's folder. The
//! engine always writes, so a private copy of the folder's files is opened instead. It is deleted with the store.
//!
//! **Invariant:** nothing in the store's own folder is written, created or locked exclusively. A copy is used only if
//! no process wrote the files while it was made.

use super::error::StoreError;
use super::folder::copy_folder::CopyFolder;
use super::folder::data_dir::{self, DataDir};
use super::folder::{migrate, unfinished::is_unsettled};
use super::{Durability, Options, Store};
use crate::limits::{READ_COPIES_MAX, READ_COPY_BYTES_MAX, READ_COPY_MEMORY_BYTES_MAX};
use crate::log::engine::JournalError;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Where Linux keeps files in memory, used if no disk has room.
const IN_MEMORY: &str = "/dev/shm";

/// A file of the store, with its size and its time of change.
type Looked = (PathBuf, u64, Option<SystemTime>);

impl Store {
    /// Opens a store for reading only, from a private copy of its files in the system's temporary folder (`TMPDIR`),
    /// or in memory if that is full. Entries that are recorded in the store later are not visible. Connections that
    /// were up when the store's server died still count as up: only opening the store for writing corrects that.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dir = tempfile::tempdir()?;
    /// # drop(rollbook::Store::open(dir.path(), rollbook::Options::default())?);
    /// let store = rollbook::Store::open_read_only(dir.path())?;
    /// assert!(store.record(&[]).is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Store::open`]; [`StoreError::NotCopied`] if the files are too large or there is no space.
    pub fn open_read_only(dir: impl AsRef<Path>) -> Result<Store, StoreError> {
        let dir = dir.as_ref();
        if is_unsettled(dir) {
            let what = "a restore or a compaction was interrupted: it is ended when the store is opened for writing";
            return Err(StoreError::Stopped(what.to_owned()));
        }
        data_dir::expect(dir)?;
        // Report a newer format before the files are copied.
        migrate::plan(dir)?;
        let copy = copy(dir)?;
        let inside = |error| of_original(error, copy.path(), dir);
        let data_dir = DataDir::open(copy.path(), false, Duration::ZERO).map_err(inside)?;
        let options = Options::default()
            .create(false)
            .durability(Durability::None);
        let store = Store::open_data_dir(data_dir, options).map_err(inside)?.0;
        store.shared.poison_with(&StoreError::ReadOnly);
        store.keep(copy);
        Ok(store)
    }
}

/// Copies the store's files, and repeats that if they changed meanwhile.
fn copy(dir: &Path) -> Result<CopyFolder, StoreError> {
    let not = |detail: String| StoreError::NotCopied {
        dir: dir.to_owned(),
        detail,
    };
    for _ in 0..READ_COPIES_MAX {
        expect_unused(dir)?;
        let before = files(dir).map_err(|error| StoreError::io(dir, error))?;
        let bytes = before.iter().map(|(_, bytes, _)| bytes).sum::<u64>();
        let places = [
            (std::env::temp_dir(), READ_COPY_BYTES_MAX),
            (PathBuf::from(IN_MEMORY), READ_COPY_MEMORY_BYTES_MAX),
        ];
        let mut made = Err(format!("{bytes} bytes are too many"));
        for (place, most) in &places {
            if bytes <= *most {
                made = copy_to(place, dir, &before)
                    .map_err(|error| format!("no copy in {}: {error}", place.display()));
            }
            if made.is_ok() {
                break;
            }
        }
        let made = made.map_err(not)?;
        expect_unused(dir)?;
        if files(dir).is_ok_and(|after| after == before) {
            return Ok(made);
        }
    }
    Err(not("its files change all the time".into()))
}

/// Checks that no process has the store open for writing.
fn expect_unused(dir: &Path) -> Result<(), StoreError> {
    let path = dir.join("lock");
    let lock = match File::open(&path) {
        Ok(lock) => lock,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(StoreError::io(path, error)),
    };
    match lock.try_lock_shared() {
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse {
            dir: dir.to_owned(),
            holder: data_dir::holder(lock),
        }),
        // Closing the file ends the shared lock at once. Other errors: there are no locks here.
        _ => Ok(()),
    }
}

/// The files that make up the store, in order.
fn files(dir: &Path) -> io::Result<Vec<Looked>> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from("log")];
    let blocks = PathBuf::from("blocks");
    if dir.join(&blocks).is_dir() {
        folders.push(blocks);
    }
    let look = |path: PathBuf| -> io::Result<Looked> {
        let known = fs::metadata(dir.join(&path))?;
        Ok((path, known.len(), known.modified().ok()))
    };
    found.push(look("store.json".into())?);
    while let Some(folder) = folders.pop() {
        for item in fs::read_dir(dir.join(&folder))? {
            let item = item?;
            let path = folder.join(item.file_name());
            if item.file_type()?.is_dir() {
                folders.push(path);
            } else {
                found.push(look(path)?);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn copy_to(place: &Path, dir: &Path, files: &[Looked]) -> io::Result<CopyFolder> {
    let copy = CopyFolder::new_in(place)?;
    fs::create_dir(copy.path().join("log"))?;
    for (file, _, _) in files {
        let to = copy.path().join(file);
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder)?;
        }
        // The file's mode is not copied: it may be read-only.
        io::copy(&mut File::open(dir.join(file))?, &mut File::create(to)?)?;
    }
    Ok(copy)
}

/// Turns an error about the copy into one about the store itself.
fn of_original(error: StoreError, copy: &Path, dir: &Path) -> StoreError {
    let place = |path: PathBuf| match path.strip_prefix(copy) {
        Ok(rest) => dir.join(rest),
        Err(_) => path,
    };
    match error {
        StoreError::Layout { path, detail } => StoreError::Layout {
            path: place(path),
            detail,
        },
        StoreError::Journal(JournalError::Damaged { path, what }) => {
            let path = place(path);
            StoreError::Journal(JournalError::Damaged { path, what })
        }
        other => other,
    }
}
