//! Checks that the folder's manifest and its log belong together: the log has the store's id, and reaches at least as
//! far as the manifest's head. Without the check a missing log, another store's log or an old copy would open without
//! an error.
//!
//! **Invariant:** the manifest's head was durable before the manifest was written. After a crash the head may be too
//! old, but never too new.

use super::data_dir::DataDir;
use super::manifest::{KnownHead, Manifest};
use crate::log::engine::sled::SledJournal;
use crate::log::frame::FrameHeader;
use crate::log::read::Log;
use crate::store::error::StoreError;
use crate::store::hex::hex;
use std::path::PathBuf;

/// The length of a store's id.
pub(super) const ID_BYTES: usize = 16;
/// Advice for a user who cannot restore the right log.
const GO_ON: &str = "put back the log that belongs to it; to go on without what is lost, take \"head\" out of store.json";

/// Bytes that nobody can guess, for an id or a key.
pub(super) fn random<const BYTES: usize>() -> Result<[u8; BYTES], StoreError> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(|error| StoreError::Randomness(error.to_string()))?;
    Ok(bytes)
}

/// Checks that the log's file exists if the manifest knows of entries: the engine would create a missing log anew.
pub(in crate::store) fn expect_log(data_dir: &DataDir) -> Result<(), StoreError> {
    let known = data_dir.manifest().head.map_or(0, |head| head.seq);
    let db = data_dir.log_dir().join("db");
    let bytes = std::fs::metadata(&db).map_or(0, |file| file.len());
    if known > 0 && bytes == 0 {
        return Err(lost(db, "it is gone or empty", 0, known));
    }
    Ok(())
}

/// Compares the ids of the store and of its log. An empty log without an id gets the store's id; a store without an
/// id gets the log's, or both get a new one.
pub(in crate::store) fn compare_ids(
    data_dir: &DataDir,
    log: &SledJournal,
) -> Result<(), StoreError> {
    let manifest = data_dir.manifest();
    let known = manifest.head.as_ref().map_or(0, |head| head.seq);
    let of_log = log.store_id()?;
    let id = match (&manifest.store_id, of_log) {
        (Some(id), Some(of_log)) if *id == hex(&of_log) => return Ok(()),
        (Some(_), Some(_)) => {
            return Err(StoreError::Layout {
                path: data_dir.log_dir(),
                detail: format!(
                    "this log is of another store: put back this store's own, of which {known} entries are known"
                ),
            });
        }
        (Some(id), None) if log_is_empty(log) && known == 0 => {
            log.set_store_id(&bytes_of(id))?;
            return Ok(());
        }
        (Some(_), None) if log_is_empty(log) => {
            return Err(lost(data_dir.log_dir(), "the log is empty", 0, known));
        }
        (Some(_), None) => {
            return Err(StoreError::Layout {
                path: data_dir.log_dir(),
                detail: format!(
                    "this log bears no store's id: it is another one, or an old copy: put back this store's own, of which {known} entries are known"
                ),
            });
        }
        (None, Some(of_log)) => of_log,
        (None, None) => {
            let id: [u8; ID_BYTES] = random()?;
            log.set_store_id(&id)?;
            id.to_vec()
        }
    };
    let store_id = Some(hex(&id));
    data_dir.replace_manifest(Manifest {
        store_id,
        ..manifest
    })
}

/// Checks that the log reaches as far as the manifest's head, and has the same chain link there.
pub(in crate::store) fn compare_heads(
    manifest: &Manifest,
    log_dir: PathBuf,
    log: &Log,
    last: Option<&FrameHeader>,
) -> Result<(), StoreError> {
    let Some(known) = &manifest.head else {
        return Ok(());
    };
    let seq = last.map_or(0, |last| last.first_seq + last.entries - 1);
    if log.engine().head() < known.position {
        return Err(lost(log_dir, "the log ends too early", seq, known.seq));
    }
    if known.position < log.engine().first() {
        return Ok(());
    }
    let there = log.header_ending_before(known.position + 1)?;
    if there.is_some_and(|header| hex(&header.link_after) == known.link) {
        return Ok(());
    }
    Err(StoreError::Layout {
        path: log_dir,
        detail: format!(
            "this log has another history than the one of which store.json knows {} entries: {GO_ON}",
            known.seq
        ),
    })
}

/// The manifest's head for a log that is durable up to a frame.
pub(in crate::store) fn known_head(position: u64, last: &FrameHeader) -> KnownHead {
    KnownHead {
        seq: last.first_seq + last.entries - 1,
        position,
        link: hex(&last.link_after),
    }
}

fn log_is_empty(log: &SledJournal) -> bool {
    use crate::log::engine::Journal;
    log.head() < log.first()
}

fn bytes_of(id: &str) -> Vec<u8> {
    let digits = id.as_bytes().chunks(2);
    let byte = |two: &[u8]| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok();
    digits.filter_map(byte).collect()
}

fn lost(path: PathBuf, what: &str, seq: u64, known: u64) -> StoreError {
    let first = seq + 1;
    let lost = if seq < known {
        format!("entries {first} to {known}")
    } else {
        "lines that made no entry".to_owned()
    };
    let detail = format!("{what}: {lost} are lost: {GO_ON}");
    StoreError::Layout { path, detail }
}
