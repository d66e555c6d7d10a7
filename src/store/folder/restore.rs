//! Makes a folder of backups again, beside what is there, and puts it in its place when it is whole.
//! How it takes its place is in `stage`.

use super::data_dir::DataDir;
use super::identity::{ID_BYTES, random};
use super::manifest::{KnownHead, Manifest};
use super::migrate::FORMAT;
use super::salvage::DamagedFolder;
use super::stage::Stage;
use super::unfinished::RESTORING;
use crate::limits::VALUE_BYTES_MAX;
use crate::log::archive::{
    ArchiveEnd, ArchiveError, ArchiveItem, ArchivePlace, ArchiveReader, ArchiveStart,
};
use crate::log::engine::objects::{FolderObjects, ObjectStore};
use crate::log::engine::sled::SledJournal;
use crate::log::engine::{Durability, Journal, JournalError};
use crate::store::backup::Backup;
use crate::store::error::StoreError;
use crate::store::hex::hex;
use crate::store::{Options, Store};
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Values that are appended at a time.
const VALUES_AT_ONCE: usize = 64;

/// Why nothing was restored. What was there is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// There is a store, and it is not to be replaced.
    #[error("there is a store in {} already", .0.display())]
    Exists(PathBuf),
    /// There is something in the folder.
    #[error("{} is not empty", .0.display())]
    NotEmpty(PathBuf),
    /// No backup was given.
    #[error("there is nothing to restore")]
    Nothing,
    /// A backup is damaged, or none.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A backup does not continue the one before it.
    #[error("{0}")]
    Order(&'static str),
    /// The folder could not be written, or another process has the store open.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// All was restored, but it is not in its place yet.
    #[error("everything is restored, but not yet in its place: opening the store ends that ({0})")]
    Unsettled(io::Error),
    /// What the backups hold is no whole log.
    #[error("what the backups hold is damaged behind entry {seq}: {detail}")]
    Unsound {
        /// The last entry before the damage.
        seq: u64,
        /// What is wrong.
        detail: String,
    },
}

impl From<JournalError> for RestoreError {
    fn from(error: JournalError) -> Self {
        RestoreError::Store(error.into())
    }
}

/// A store that is being restored. What was made of it is removed if this is dropped before it took its place.
pub struct Restoring {
    objects: FolderObjects,
    engine: Option<SledJournal>,
    /// Values that wait to be appended.
    values: Vec<Vec<u8>>,
    last: Option<(ArchiveStart, ArchiveEnd)>,
    /// Dropped last: the engine has files in it.
    stage: Stage,
}

impl Restoring {
    /// Begins to restore into a folder, which nobody else may have open meanwhile.
    ///
    /// # Errors
    /// There is a store that is not to be replaced, or the folder is in use or cannot be written.
    pub fn begin(dir: &Path, replace: bool) -> Result<Restoring, RestoreError> {
        let stage = Stage::begin(dir, Duration::ZERO)?;
        if !replace && stage.replaces() {
            return Err(RestoreError::Exists(dir.to_owned()));
        }
        Ok(Restoring {
            objects: FolderObjects::open(&stage.path.join("blocks"))?,
            engine: None,
            values: Vec::new(),
            last: None,
            stage,
        })
    }

    /// Takes a backup: first a whole one, then those that continue it, in their order.
    ///
    /// # Errors
    /// It is not whole, or does not continue the one before it; or it cannot be written.
    pub fn take(&mut self, source: impl Read) -> Result<Backup, RestoreError> {
        let mut archive = ArchiveReader::new(source)?;
        let start = archive.start().clone();
        match (&self.last, start.after) {
            (None, None) => {}
            (None, Some(_)) => {
                let what = "the first backup is no whole one: it continues an earlier one, which must be given before it";
                return Err(RestoreError::Order(what));
            }
            (Some(_), None) => {
                let what = "only the first backup may be a whole one: those behind it continue it";
                return Err(RestoreError::Order(what));
            }
            (Some((before, end)), Some(after)) => {
                if before.store != start.store {
                    return Err(RestoreError::Order("the backups are of different stores"));
                }
                if end.place != after {
                    let what = "a backup does not begin where the one before it ends: one is missing, or they are in another order";
                    return Err(RestoreError::Order(what));
                }
            }
        }
        while let Some(item) = archive.next_item()? {
            match item {
                ArchiveItem::Object(number, bytes) => self.objects.put(number, &bytes)?,
                ArchiveItem::Value(position, bytes) => self.value(position, bytes)?,
            }
        }
        self.append()?;
        let end = archive.end().cloned().ok_or(ArchiveError::Short)?;
        let backup = Backup::of(&start, &end);
        self.last = Some((start, end));
        Ok(backup)
    }

    fn value(&mut self, position: u64, bytes: Vec<u8>) -> Result<(), RestoreError> {
        let waiting = self.values.len() as u64;
        let next = self
            .engine
            .as_ref()
            .map(|engine| engine.head().saturating_add(waiting + 1));
        if next != Some(position) {
            if next.is_some_and(|next| position < next) {
                return Err(ArchiveError::Damaged("its values are in another order").into());
            }
            // Blocks stand for the values before it, and so for all that there were until now.
            let log = self.stage.path.join("log");
            drop(self.engine.take());
            if log.exists() {
                fs::remove_dir_all(&log).map_err(|error| StoreError::io(&log, error))?;
            }
            let engine = SledJournal::open_for(&log, Durability::None, VALUE_BYTES_MAX)?;
            engine.begin_at(position)?;
            self.engine = Some(engine);
        }
        self.values.push(bytes);
        if self.values.len() == VALUES_AT_ONCE {
            self.append()?;
        }
        Ok(())
    }

    fn append(&mut self) -> Result<(), RestoreError> {
        if let Some(engine) = &self.engine
            && !self.values.is_empty()
        {
            engine.append(engine.head(), &self.values)?;
            self.values.clear();
        }
        Ok(())
    }

    /// Ends the making, and opens what was made, to be read only and tried. Its format is brought up to date.
    ///
    /// # Errors
    /// No backup was taken, it cannot be written, or it is no whole store.
    pub fn staged(&mut self) -> Result<Store, RestoreError> {
        let (start, end) = self.last.clone().ok_or(RestoreError::Nothing)?;
        let id = self.close_engine(end.place.position.saturating_add(1))?;
        let ArchivePlace {
            seq,
            position,
            link,
        } = end.place;
        let manifest = Manifest {
            format: start.format,
            digest_key: start.digest_key,
            created_at: start.created_at,
            store_id: Some(hex(&id)),
            head: (position > 0).then(|| KnownHead {
                seq,
                position,
                link: hex(&link),
            }),
            forgotten_at: None,
        };
        manifest.write(&self.stage.path)?;
        let store = self.stage.opened();
        let store = store.map_err(|error| match error.is_damage() {
            true => RestoreError::Unsound {
                seq: 0,
                detail: error
                    .to_string()
                    .replace(&*self.stage.path.to_string_lossy(), ""),
            },
            false => error.into(),
        })?;
        store.shared.poison_with(&StoreError::ReadOnly);
        Ok(store)
    }

    /// Puts what was made in the place of what is there. It must not be open any more.
    ///
    /// # Errors
    /// The files cannot be moved: the next opening ends that.
    pub fn take_place(self) -> Result<(), RestoreError> {
        drop(self.engine);
        self.stage.take_place()?.map_err(RestoreError::Unsettled)
    }
}

/// For a repair: what can be taken as it is, and then a store that is written on.
impl Restoring {
    /// Begins to make a store in a folder that is empty or missing.
    ///
    /// # Errors
    /// There is something in the folder, or it cannot be written.
    pub fn begin_empty(dir: &Path) -> Result<Restoring, RestoreError> {
        // What an interrupted attempt left is no content.
        let left = [RESTORING, "lock"];
        let mut items = fs::read_dir(dir).into_iter().flatten().flatten();
        if items.any(|item| !left.iter().any(|name| item.file_name() == *name)) {
            return Err(RestoreError::NotEmpty(dir.to_owned()));
        }
        Restoring::begin(dir, false)
    }

    /// Takes the base or a block. They come before values.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn take_object(&mut self, number: u64, bytes: &[u8]) -> Result<(), RestoreError> {
        Ok(self.objects.put(number, bytes)?)
    }

    /// Takes the value at a position; the next one stands behind it.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn take_value(&mut self, position: u64, bytes: Vec<u8>) -> Result<(), RestoreError> {
        self.value(position, bytes)
    }

    /// Opens what was taken as a store, to be written on; nobody waits for it to be durable before the end. `next` is the position
    /// behind what was taken. Where the damaged folder has no card, it gets a new key.
    ///
    /// # Errors
    /// It cannot be written, or what was taken is no log.
    pub fn taken(&mut self, next: u64, of: &DamagedFolder) -> Result<Store, RestoreError> {
        self.append()?;
        let id = self.close_engine(next)?;
        let known = of.manifest();
        let key: [u8; 32] = random()?;
        let created_at = (Options::default().clock)();
        let manifest = Manifest {
            format: FORMAT,
            digest_key: known.map_or_else(|| hex(&key), |known| known.digest_key.clone()),
            created_at: known.map_or(created_at, |known| known.created_at),
            store_id: Some(hex(&id)),
            head: None,
            forgotten_at: None,
        };
        manifest.write(&self.stage.path)?;
        let data_dir = DataDir::open(&self.stage.path, false, Duration::ZERO)?;
        let options = Options::default()
            .create(false)
            .durability(Durability::None);
        Ok(Store::open_to_continue(data_dir, options)?)
    }

    /// Ends the engine's part of what was taken, and gives it an id of its own.
    fn close_engine(&mut self, next: u64) -> Result<[u8; ID_BYTES], RestoreError> {
        let engine = match self.engine.take() {
            Some(engine) => engine,
            None => {
                let engine = SledJournal::open(&self.stage.path.join("log"), Durability::None)?;
                engine.begin_at(next)?;
                engine
            }
        };
        // Another id: what is recorded from now on is another history than that of the store that was backed up, and no backup
        // of the one may continue one of the other.
        let id = random()?;
        engine.set_store_id(&id)?;
        engine.close()?;
        Ok(id)
    }
}
