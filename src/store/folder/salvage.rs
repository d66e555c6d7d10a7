//! The folder of a store that may be damaged in any way: what of it is there, and where to look for its log. It is only read.

use super::manifest::Manifest;
use super::migrate::FORMAT;
use super::unfinished::{COMPACTED, REPLACED, RESTORED};
use super::{data_dir, manifest};
use crate::log::carve::{CarveFault, CarveSources, Carving, carve, files_of_engine};
use crate::log::engine::mark;
use crate::store::error::StoreError;
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// A folder that may be damaged. While this lives, no process can open it.
#[derive(Debug)]
pub struct DamagedFolder {
    dir: PathBuf,
    manifest: Option<Manifest>,
    faults: Vec<CarveFault>,
    /// The folders of the engine, as an interrupted exchange may have left several.
    logs: Vec<PathBuf>,
    _lock: Option<File>,
}

/// How far a log went, as far as anything beside it tells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KnownEnd {
    /// It went to this entry, or farther.
    pub seq: Option<u64>,
    /// It went to this position, or farther.
    pub position: Option<u64>,
}

impl DamagedFolder {
    /// Looks at the folder, and takes its lock if there is one.
    ///
    /// # Errors
    /// Another process has the store open, a newer program wrote it, or there is none.
    pub fn open(dir: &Path) -> Result<DamagedFolder, StoreError> {
        let restored = dir.join(RESTORED);
        let logs = match restored.exists() {
            // The exchange had begun: what was not moved yet is there.
            true => vec![of_exchange(dir, &restored, "log")],
            false => vec![dir.join("log"), dir.join(REPLACED), dir.join(COMPACTED)],
        };
        let logs: Vec<PathBuf> = logs.into_iter().filter(|log| log.is_dir()).collect();
        let card = of_exchange(dir, &restored, "store.json");
        let known = card.parent().unwrap_or(dir);
        let mut faults = Vec::new();
        let mut fault = |file: PathBuf, what: String| {
            let bytes = None;
            faults.push(CarveFault { file, bytes, what });
        };
        let lock = lock(dir)?;
        let manifest = match Manifest::read(known) {
            Ok(Some(found)) if found.format > FORMAT => {
                return Err(StoreError::NewerFormat {
                    dir: dir.to_owned(),
                    found: found.format,
                    known: FORMAT,
                });
            }
            Ok(None) if logs.is_empty() => return Err(StoreError::NoSuchStore(dir.to_owned())),
            Ok(None) => {
                fault(card, "it is missing".to_owned());
                None
            }
            Err(StoreError::NotAFolder(path)) => return Err(StoreError::NotAFolder(path)),
            Err(error) => {
                fault(card, reason(error));
                None
            }
            Ok(Some(found)) => match found.key(known) {
                Ok(_) => Some(found),
                Err(error) => {
                    fault(card, reason(error));
                    None
                }
            },
        };
        if !logs.iter().any(|log| log.join("db").exists()) {
            fault(dir.join("log").join("db"), "it is missing".to_owned());
        }
        Ok(DamagedFolder {
            dir: dir.to_owned(),
            manifest,
            faults,
            logs,
            _lock: lock,
        })
    }

    /// Looks for the frames and blocks of the log.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn carve(&self) -> Result<Carving, StoreError> {
        let failed = |error| StoreError::io(&self.dir, error);
        let mut sources = CarveSources {
            objects: of_exchange(&self.dir, &self.dir.join(RESTORED), "blocks"),
            ..CarveSources::default()
        };
        for log in &self.logs {
            let files = files_of_engine(log).map_err(failed)?;
            sources.files.extend(files);
        }
        let mut carving = carve(sources).map_err(failed)?;
        carving.faults.extend(self.faults.iter().cloned());
        Ok(carving)
    }

    /// How far the log went.
    #[must_use]
    pub fn known_end(&self) -> KnownEnd {
        let card = self.manifest.as_ref().and_then(|card| card.head.as_ref());
        let marks = self.logs.iter().filter_map(|log| mark::synced(log));
        KnownEnd {
            seq: card.map(|head| head.seq),
            position: marks.chain(card.map(|head| head.position)).max(),
        }
    }

    /// Whether the card is lost, and with it the key of the rosters' digests.
    #[must_use]
    pub fn is_without_card(&self) -> bool {
        self.manifest.is_none()
    }

    pub(super) fn manifest(&self) -> Option<&manifest::Manifest> {
        self.manifest.as_ref()
    }
}

/// Where a part of the folder is, while a restored store may be taking its place.
fn of_exchange(dir: &Path, restored: &Path, part: &str) -> PathBuf {
    let waiting = restored.join(part);
    match waiting.exists() {
        true => waiting,
        false => dir.join(part),
    }
}

/// What is wrong with a file, without its path.
fn reason(error: StoreError) -> String {
    match error {
        StoreError::Layout { detail, .. } => detail,
        error => error.to_string(),
    }
}

/// Takes the lock of a folder without writing to it.
fn lock(dir: &Path) -> Result<Option<File>, StoreError> {
    let path = dir.join("lock");
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            return Err(manifest::no_folder(dir));
        }
        // Without a lock to be had, nobody else can have it either.
        Err(_) => return Ok(None),
    };
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse {
            dir: dir.to_owned(),
            holder: data_dir::holder(file),
        }),
        _ => Ok(Some(file)),
    }
}
