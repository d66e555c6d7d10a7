//! Format 1, the first layout: a folder for the log, and the store's identity card with a fresh digest key.
//!
//! The bytes in the log are described in `src/log/FORMAT.md`.

use super::Migration;
use crate::log::engine::files::make_folder;
use crate::store::error::StoreError;
use crate::store::folder::data_dir::GONE;
use crate::store::folder::manifest::Manifest;
use crate::store::hex::hex;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

pub(super) const MIGRATION: Migration = Migration {
    to: 1,
    title: "make the first layout: store.json and an empty log",
    replaces: &[],
    run: first_layout,
};

fn first_layout(dir: &Path) -> Result<(), StoreError> {
    let log = dir.join("log");
    // The engine's file is made later than the card: where there is one, a card was there and is gone. With another key
    // the snapshots in that log would seem damaged.
    if log.join("db").exists() {
        return Err(StoreError::Layout {
            path: dir.join("store.json"),
            detail: GONE.into(),
        });
    }
    make_folder(&log).map_err(|error| StoreError::io(&log, error))?;
    let mut key = [0_u8; 32];
    getrandom::fill(&mut key).map_err(|error| StoreError::Randomness(error.to_string()))?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let created_at = now.map_or(0, |now| i64::try_from(now.as_millis()).unwrap_or(i64::MAX));
    Manifest {
        format: 1,
        digest_key: hex(&key),
        created_at,
        store_id: None,
        head: None,
        forgotten_at: None,
    }
    .write(dir)
}
