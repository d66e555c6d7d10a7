//! Format 2, sealed blocks: a folder for them beside the log. The log stays as it is; its frames are sealed later, in the
//! background or by `rollbook compact`.
//!
//! A program that knows only format 1 would find a log that begins in the middle, so it must not open such a store.

use super::Migration;
use crate::log::engine::files::make_folder;
use crate::store::error::StoreError;
use crate::store::folder::manifest::Manifest;
use std::path::Path;

pub(super) const MIGRATION: Migration = Migration {
    to: 2,
    title: "make a folder for sealed blocks",
    replaces: &["store.json"],
    run: sealed_blocks,
};

fn sealed_blocks(dir: &Path) -> Result<(), StoreError> {
    let blocks = dir.join("blocks");
    make_folder(&blocks).map_err(|error| StoreError::io(&blocks, error))?;
    let before = Manifest::read(dir)?;
    let before = before.ok_or_else(|| StoreError::NoSuchStore(dir.to_owned()))?;
    Manifest {
        format: 2,
        ..before
    }
    .write(dir)
}
