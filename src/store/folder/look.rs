//! Looks at the folder of a store without changing anything: for a check before it is opened.

use super::data_dir::{GONE, holder};
use super::manifest::no_folder;
use super::migrate::plan;
use crate::store::error::StoreError;
use std::fs::{File, TryLockError};
use std::path::Path;

/// What a folder is, as far as can be seen without opening the store.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FolderState {
    /// There is no store yet.
    Absent,
    /// There is a store that no process has open.
    Free,
    /// There is a store, and this process has it open.
    InUse(String),
}

/// Looks at the folder of a store.
///
/// # Errors
/// [`StoreError::NewerFormat`], [`StoreError::NotAFolder`], or that what is there cannot be read.
pub fn look(dir: &Path) -> Result<FolderState, StoreError> {
    if dir.ancestors().any(Path::is_file) {
        return Err(no_folder(dir));
    }
    if plan(dir)?.from == 0 {
        if dir.join("log").join("db").exists() {
            let (path, detail) = (dir.join("store.json"), GONE.to_owned());
            return Err(StoreError::Layout { path, detail });
        }
        return Ok(FolderState::Absent);
    }
    let path = dir.join("lock");
    let lock = match File::open(&path) {
        Ok(lock) => lock,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(FolderState::Free),
        Err(error) => return Err(StoreError::io(path, error)),
    };
    match lock.try_lock_shared() {
        Ok(()) => Ok(FolderState::Free),
        Err(TryLockError::WouldBlock) => Ok(FolderState::InUse(holder(lock))),
        Err(TryLockError::Error(error)) => Err(StoreError::io(path, error)),
    }
}
