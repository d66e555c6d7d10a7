//! Rewrites the engine's files: sled keeps the room of what was removed from it, so a log whose frames were sealed stays as
//! large as it was. What is left of it is copied into a new folder, which then takes the place of the old one.
//!
//! **Invariant:** at any moment one of the two folders is whole, and opening the store finds that one.

use super::data_dir::DataDir;
use super::unfinished::{COMPACTED, REPLACED};
use crate::limits::VALUE_BYTES_WRITTEN;
use crate::log::engine::files::sync_folder;
use crate::log::engine::sled::SledJournal;
use crate::log::engine::{Durability, Journal, JournalError, KeyValues};
use crate::store::error::StoreError;
use std::fs;

/// Values of the log that are copied, and flushed, at a time.
const COPIED_AT_ONCE: usize = 64;
/// So many bytes of what stands beside the log are flushed at a time. sled writes a page again for every few values, and only what is flushed leaves room
/// for the next: so its file is hardly larger than what is in it, and little of it is free. What is free is overwritten
/// whenever the store is opened.
const FLUSHED_BYTES: usize = 256 << 10;

/// Rewrites the engine's files of a folder that nobody has open.
pub(in crate::store) fn rewrite_log(data_dir: &DataDir) -> Result<(), StoreError> {
    let (log, dir) = (data_dir.log_dir(), &data_dir.dir);
    let (fresh, replaced) = (dir.join(COMPACTED), dir.join(REPLACED));
    let io = |error| StoreError::io(dir, error);
    {
        let from = SledJournal::open(&log, Durability::Power)?;
        let to = SledJournal::open_for(&fresh, Durability::Process, largest_value(&from)?)?;
        copy(&from, &to)?;
        to.close()?;
    }
    fs::rename(&log, &replaced).map_err(io)?;
    sync_folder(dir).map_err(io)?;
    fs::rename(&fresh, &log).map_err(io)?;
    sync_folder(dir).map_err(io)?;
    fs::remove_dir_all(&replaced).map_err(io)
}

/// How large the values of a log are, at most. They are read only where its files take larger ones than are written now.
fn largest_value(of: &SledJournal) -> Result<usize, JournalError> {
    if of.value_bytes_max() <= VALUE_BYTES_WRITTEN {
        return Ok(VALUE_BYTES_WRITTEN);
    }
    let mut largest = 0;
    for item in of.read(of.first()) {
        let (_, value) = item?;
        largest = largest.max(value.len());
    }
    for key in of.keys(b"")? {
        largest = largest.max(of.lookup(&key)?.map_or(0, |value| value.len()));
    }
    Ok(largest)
}

fn copy(from: &SledJournal, to: &SledJournal) -> Result<(), JournalError> {
    to.begin_at(from.first())?;
    let mut values = Vec::with_capacity(COPIED_AT_ONCE);
    for item in from.read(from.first()) {
        let (position, value) = item?;
        values.push(value.to_vec());
        if values.len() == COPIED_AT_ONCE || position == from.head() {
            to.append(to.head(), &values)?;
            to.sync()?;
            values.clear();
        }
    }
    let mut unflushed = 0;
    for key in from.keys(b"")? {
        if let Some(value) = from.lookup(&key)? {
            to.put(&key, &value)?;
            unflushed += value.len();
        }
        if unflushed >= FLUSHED_BYTES {
            to.sync()?;
            unflushed = 0;
        }
    }
    if let Some(id) = from.store_id()? {
        to.set_store_id(&id)?;
    }
    Ok(())
}
