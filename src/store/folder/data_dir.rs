//! The folder of a store: its manifest, its lock and its format.
//!
//! ```text
//! DIR/store.json   format version, the key of the rosters' digests, when it was made, which log it has, how far
//! DIR/lock         held by the one process that has the store open; says which
//! DIR/log/         the engine's files
//! DIR/blocks/      sealed blocks
//! DIR/rollbook.sock  where a server that owns the store answers its owner
//! DIR/restoring/, DIR/restored/  while a backup is restored, or somebody is forgotten
//! ```

use super::manifest::{Manifest, no_folder};
use super::{migrate, unfinished};
use crate::log::engine::files::{for_owner, is_open_to_others, make_folder};
use crate::store::error::StoreError;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The name of the socket in the folder on which the server that owns the store answers.
pub const OWNER_SOCKET: &str = "rollbook.sock";

/// The error for a missing `store.json` beside a log.
pub(crate) const GONE: &str = "it is gone, though there is a log: put it back from a backup of the folder, since the key in it belongs to the log";

/// An open folder: while this lives, the folder cannot be opened again.
#[derive(Debug)]
pub(crate) struct DataDir {
    pub dir: PathBuf,
    manifest: Mutex<Manifest>,
    _lock: File,
}

impl DataDir {
    /// Opens the folder, creates the store if `create` is set, and brings its format up to date. Waits up to
    /// `patience` for another process to close the store.
    pub fn open(dir: &Path, create: bool, patience: Duration) -> Result<DataDir, StoreError> {
        // What an interrupted exchange left may be the store: then it is looked for when that is ended.
        let unsettled = unfinished::is_unsettled(dir);
        if !create && !unsettled {
            expect(dir)?;
        }
        make_folder(dir).map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists | std::io::ErrorKind::NotADirectory => no_folder(dir),
            _ => StoreError::io(dir, error),
        })?;
        let lock = lock(dir, patience)?;
        unfinished::end(dir).map_err(|error| StoreError::io(dir, error))?;
        if !create && unsettled {
            expect(dir)?;
        }
        let manifest = migrate::bring_up_to_date(dir)?;
        let data_dir = DataDir {
            dir: dir.to_owned(),
            manifest: Mutex::new(manifest),
            _lock: lock,
        };
        // The log's folder was created before the manifest. If it is missing it was lost, and no new log may be
        // started unasked.
        if !data_dir.log_dir().is_dir() {
            let detail = "the folder of the log is gone".to_owned();
            let path = data_dir.log_dir();
            return Err(StoreError::Layout { path, detail });
        }
        Ok(data_dir)
    }

    pub fn log_dir(&self) -> PathBuf {
        self.dir.join("log")
    }

    pub fn blocks_dir(&self) -> PathBuf {
        self.dir.join("blocks")
    }

    pub fn manifest(&self) -> Manifest {
        let manifest = self.manifest.lock().unwrap_or_else(PoisonError::into_inner);
        manifest.clone()
    }

    /// Writes a manifest in place of the current one, if they differ.
    pub fn replace_manifest(&self, manifest: Manifest) -> Result<(), StoreError> {
        let mut known = self.manifest.lock().unwrap_or_else(PoisonError::into_inner);
        if *known != manifest {
            manifest.write(&self.dir)?;
            *known = manifest;
        }
        Ok(())
    }

    /// Files with the store's secrets that users other than the owner may read.
    pub fn open_files(&self) -> Vec<PathBuf> {
        let others = |path: &PathBuf| is_open_to_others(path).unwrap_or(false);
        if !others(&self.dir) {
            return Vec::new();
        }
        let files = [
            self.dir.join("store.json"),
            self.log_dir(),
            self.blocks_dir(),
        ];
        files.into_iter().filter(others).collect()
    }

    /// The size of all files that can be read, in bytes.
    pub fn bytes(&self) -> u64 {
        let mut folders = vec![self.dir.clone()];
        let mut bytes = 0;
        while let Some(folder) = folders.pop() {
            for item in fs::read_dir(folder).into_iter().flatten().flatten() {
                match item.metadata() {
                    Ok(known) if known.is_dir() => folders.push(item.path()),
                    Ok(known) => bytes += known.len(),
                    Err(_) => {}
                }
            }
        }
        bytes
    }
}

/// Checks that there is a store in the folder.
pub(in crate::store) fn expect(dir: &Path) -> Result<Manifest, StoreError> {
    if let Some(manifest) = Manifest::read(dir)? {
        return Ok(manifest);
    }
    if dir.join("log").join("db").exists() {
        let (path, detail) = (dir.join("store.json"), GONE.to_owned());
        return Err(StoreError::Layout { path, detail });
    }
    Err(StoreError::NoSuchStore(dir.to_owned()))
}

pub(super) fn lock(dir: &Path, patience: Duration) -> Result<File, StoreError> {
    let path = dir.join("lock");
    let io = |error| StoreError::io(&path, error);
    let mut options = OpenOptions::new();
    let options = options.read(true).write(true).create(true).truncate(false);
    let mut file = for_owner(options).open(&path).map_err(io)?;
    let deadline = Instant::now() + patience;
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::InUse {
                    dir: dir.to_owned(),
                    holder: holder(file),
                });
            }
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
    }
    file.set_len(0).map_err(io)?;
    file.rewind().map_err(io)?;
    let (process, program) = (std::process::id(), program());
    // The holder's name is information for users only: on a full disk it cannot be written, but the lock still holds.
    let _ = file.write_all(format!("process {process}{program}").as_bytes());
    Ok(file)
}

/// What the lock file says about the process that holds the lock.
pub(in crate::store) fn holder(mut lock: File) -> String {
    let mut holder = String::new();
    match lock.read_to_string(&mut holder) {
        Ok(_) if !holder.trim().is_empty() => holder.trim().to_owned(),
        _ => "another process".to_owned(),
    }
}

/// The name of this program, in brackets. Its arguments may be private, so they are left out.
fn program() -> String {
    let path = std::env::args_os().next().map(PathBuf::from);
    let name = path
        .as_deref()
        .and_then(Path::file_name)
        .map(|name| name.to_string_lossy().into_owned());
    name.map_or_else(String::new, |name| format!(" ({name})"))
}
