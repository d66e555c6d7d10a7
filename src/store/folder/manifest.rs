//! `store.json`: what is known of a store besides its log. `data_dir` holds the lock under which it is written.

use crate::log::engine::files::for_owner;
use crate::store::error::StoreError;
use crate::store::hex::from_hex;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;

/// The content of `store.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// The format version of everything in the folder.
    pub format: u32,
    /// The key of the rosters' digests, hexadecimal. No secret from the owner, but unknown to clients that choose
    /// names.
    pub digest_key: String,
    /// When the store was created, Unix ms.
    pub created_at: i64,
    /// The id of the store, hexadecimal; the log has the same id. Stores of older programs have none until they are
    /// opened for writing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store_id: Option<String>,
    /// How far the log was known to be durable when this was last written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<KnownHead>,
    /// The engine's position of the frame that says when a person was last forgotten. No backup may continue an earlier one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forgotten_at: Option<u64>,
}

/// A place up to which the log was durable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KnownHead {
    /// The last entry before this place.
    pub seq: u64,
    /// The engine's position of the last value before it.
    pub position: u64,
    /// The chain link there, hexadecimal.
    pub link: String,
}

impl Manifest {
    /// Reads the manifest; `None` if there is no store.
    pub fn read(dir: &Path) -> Result<Option<Manifest>, StoreError> {
        let path = dir.join("store.json");
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => {
                return Err(no_folder(dir));
            }
            Err(error) => return Err(StoreError::io(path, error)),
        };
        let manifest = serde_json::from_slice::<Manifest>(&text).map_err(|error| error.to_string());
        let manifest = manifest.and_then(|manifest| match manifest.format {
            // Otherwise the first migration would run again, and write another key.
            0 => Err("there is no format 0".to_owned()),
            _ => Ok(Some(manifest)),
        });
        manifest.map_err(|detail| StoreError::Layout { path, detail })
    }

    /// Writes the manifest so that after a crash either the old or the new one is there, complete.
    pub fn write(&self, dir: &Path) -> Result<(), StoreError> {
        let (path, fresh) = (dir.join("store.json"), dir.join("store.json.new"));
        let mut text = serde_json::to_string_pretty(self).map_err(|error| StoreError::Layout {
            path: path.clone(),
            detail: error.to_string(),
        })?;
        text.push('\n');
        let mut options = OpenOptions::new();
        let options = for_owner(options.write(true).create(true).truncate(true));
        let before = fs::metadata(&path).ok();
        let written = options
            .open(&fresh)
            .and_then(|mut file| {
                // Users to whom the owner has given access keep it.
                if let Some(before) = before {
                    file.set_permissions(before.permissions())?;
                }
                file.write_all(text.as_bytes())
                    .and_then(|()| file.sync_all())
            })
            .and_then(|()| fs::rename(&fresh, &path))
            .and_then(|()| File::open(dir)?.sync_all());
        written.map_err(|error| StoreError::io(path, error))
    }

    pub fn key(&self, dir: &Path) -> Result<[u8; 32], StoreError> {
        from_hex(&self.digest_key).ok_or_else(|| StoreError::Layout {
            path: dir.join("store.json"),
            detail: "digest_key is not 64 hexadecimal digits".into(),
        })
    }
}

/// The error if `dir` or one of its parents is a file; it names that file.
pub(in crate::store) fn no_folder(dir: &Path) -> StoreError {
    let file = dir.ancestors().find(|path| path.is_file());
    StoreError::NotAFolder(file.unwrap_or(dir).to_owned())
}
