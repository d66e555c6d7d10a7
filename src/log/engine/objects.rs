//! Where sealed blocks are kept: objects that are written once, as a whole, and never change. What is in them is not
//! known here.

use super::JournalError;
use super::files::{for_owner, make_folder, sync_folder};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Objects by number.
///
/// Laws: After [`put`](ObjectStore::put) has returned, the object survives any crash. After a crash during it the object
/// exists as a whole or not at all.
pub trait ObjectStore: Send + Sync {
    /// Stores an object, and replaces an earlier one with this number.
    ///
    /// # Errors
    /// The object is not stored.
    fn put(&self, number: u64, bytes: &[u8]) -> Result<(), JournalError>;

    /// The numbers of all objects, in order.
    ///
    /// # Errors
    /// They cannot be read.
    fn numbers(&self) -> Result<Vec<u64>, JournalError>;

    /// Up to `length` bytes of an object, from the byte `from` on; fewer only where it ends.
    ///
    /// # Errors
    /// There is no such object, or it cannot be read.
    fn read(&self, number: u64, from: u64, length: usize) -> Result<Vec<u8>, JournalError>;

    /// Removes an object, if it exists.
    ///
    /// # Errors
    /// It is not removed.
    fn remove(&self, number: u64) -> Result<(), JournalError>;
}

impl<T: ObjectStore + ?Sized> ObjectStore for Arc<T> {
    fn put(&self, number: u64, bytes: &[u8]) -> Result<(), JournalError> {
        (**self).put(number, bytes)
    }

    fn numbers(&self) -> Result<Vec<u64>, JournalError> {
        (**self).numbers()
    }

    fn read(&self, number: u64, from: u64, length: usize) -> Result<Vec<u8>, JournalError> {
        (**self).read(number, from, length)
    }

    fn remove(&self, number: u64) -> Result<(), JournalError> {
        (**self).remove(number)
    }
}

/// Objects in memory.
#[derive(Debug, Default)]
pub struct MemoryObjects {
    objects: Mutex<BTreeMap<u64, Arc<[u8]>>>,
}

impl MemoryObjects {
    fn objects(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<[u8]>>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ObjectStore for MemoryObjects {
    fn put(&self, number: u64, bytes: &[u8]) -> Result<(), JournalError> {
        self.objects().insert(number, Arc::from(bytes));
        Ok(())
    }

    fn numbers(&self) -> Result<Vec<u64>, JournalError> {
        Ok(self.objects().keys().copied().collect())
    }

    fn read(&self, number: u64, from: u64, length: usize) -> Result<Vec<u8>, JournalError> {
        let object = self.objects().get(&number).cloned();
        let object = object.ok_or_else(|| JournalError::NoObject(number.to_string()))?;
        let from = usize::try_from(from)
            .unwrap_or(usize::MAX)
            .min(object.len());
        let end = from.saturating_add(length).min(object.len());
        Ok(object.get(from..end).unwrap_or_default().to_vec())
    }

    fn remove(&self, number: u64) -> Result<(), JournalError> {
        self.objects().remove(&number);
        Ok(())
    }
}

/// Objects as files of a folder: `00000000000000000001.block`.
#[derive(Debug)]
pub struct FolderObjects {
    folder: PathBuf,
}

/// What the names of the files end in.
const ENDING: &str = ".block";
/// The same while a file is being written.
const UNFINISHED: &str = ".block.new";
/// Room is made for at most so many bytes before they are read: an object may be shorter than what is asked of it.
const ROOM_MAX: usize = 1 << 20;

impl FolderObjects {
    /// The objects in a folder, which is created if it is missing. Removes what a crash left unfinished.
    ///
    /// # Errors
    /// The folder cannot be used.
    pub fn open(folder: &Path) -> Result<Self, JournalError> {
        let objects = FolderObjects {
            folder: folder.to_owned(),
        };
        let cleared = make_folder(folder).and_then(|()| {
            for item in fs::read_dir(folder)? {
                let item = item?;
                if item.file_name().to_string_lossy().ends_with(UNFINISHED) {
                    fs::remove_file(item.path())?;
                }
            }
            Ok(())
        });
        cleared.map_err(io_error(folder))?;
        Ok(objects)
    }

    /// Adds an object of another folder without copying it: an object never changes.
    ///
    /// # Errors
    /// It cannot be linked, nor copied.
    pub fn link(&self, from: &FolderObjects, number: u64) -> io::Result<()> {
        let [from, to] = [from, self].map(|folder| folder.path(number, ENDING));
        if fs::hard_link(&from, &to).is_err() {
            fs::copy(&from, &to)?;
            File::open(&to)?.sync_all()?;
        }
        Ok(())
    }

    /// Makes it durable which objects there are.
    ///
    /// # Errors
    /// The folder cannot be synced.
    pub fn sync(&self) -> io::Result<()> {
        sync_folder(&self.folder)
    }

    /// The objects in a folder, to be read only: nothing is created or removed.
    #[must_use]
    pub fn look(folder: &Path) -> Self {
        FolderObjects {
            folder: folder.to_owned(),
        }
    }

    /// The name of an object's file.
    #[must_use]
    pub fn name(number: u64) -> String {
        format!("{number:020}{ENDING}")
    }

    fn path(&self, number: u64, ending: &str) -> PathBuf {
        self.folder.join(format!("{number:020}{ending}"))
    }
}

fn io_error(path: &Path) -> impl Fn(io::Error) -> JournalError {
    move |source| JournalError::Io {
        path: path.to_owned(),
        source,
    }
}

impl ObjectStore for FolderObjects {
    fn put(&self, number: u64, bytes: &[u8]) -> Result<(), JournalError> {
        let (path, unfinished) = (self.path(number, ENDING), self.path(number, UNFINISHED));
        let mut options = OpenOptions::new();
        let options = for_owner(options.write(true).create(true).truncate(true));
        let written = options
            .open(&unfinished)
            .and_then(|mut file| {
                file.write_all(bytes)?;
                file.sync_all()
            })
            .and_then(|()| fs::rename(&unfinished, &path))
            .and_then(|()| sync_folder(&self.folder));
        written.map_err(io_error(&path))
    }

    fn numbers(&self) -> Result<Vec<u64>, JournalError> {
        let mut numbers = Vec::new();
        let items = fs::read_dir(&self.folder).map_err(io_error(&self.folder))?;
        for item in items {
            let name = item.map_err(io_error(&self.folder))?.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(ENDING));
            numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    fn read(&self, number: u64, from: u64, length: usize) -> Result<Vec<u8>, JournalError> {
        let path = self.path(number, ENDING);
        let read = File::open(&path).and_then(|mut file| {
            file.seek(SeekFrom::Start(from))?;
            let mut bytes = Vec::with_capacity(length.min(ROOM_MAX));
            file.take(length as u64).read_to_end(&mut bytes)?;
            Ok(bytes)
        });
        read.map_err(|error| match error.kind() {
            ErrorKind::NotFound => JournalError::NoObject(path.display().to_string()),
            _ => io_error(&path)(error),
        })
    }

    fn remove(&self, number: u64) -> Result<(), JournalError> {
        let path = self.path(number, ENDING);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(io_error(&path)(error)),
            _ => sync_folder(&self.folder).map_err(io_error(&self.folder)),
        }
    }
}
