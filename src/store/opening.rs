//! Opening a store and closing it.

use super::batch::{Batch, Ticket};
use super::byte_budget::ByteBudget;
use super::error::StoreError;
use super::folder::copy_folder::CopyFolder;
use super::folder::data_dir::DataDir;
use super::folder::identity;
use super::folder::manifest::Manifest;
use super::locks::held;
use super::shared::{Published, StoreShared};
use super::{Durability, Options, Store};
use crate::limits::WRITER_BYTES_MAX;
use crate::log::block::Blocks;
use crate::log::engine::Engine;
use crate::log::engine::memory::MemoryJournal;
use crate::log::engine::objects::{FolderObjects, MemoryObjects, ObjectStore};
use crate::log::engine::sled::SledJournal;
use crate::log::read::Log;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex};

impl Store {
    /// Opens the store in a folder, and creates it if there is none.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let dir = tempfile::tempdir()?;
    /// let store = rollbook::Store::open(dir.path(), rollbook::Options::default())?;
    /// assert_eq!(store.head(), 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`StoreError::InUse`] if another process has it open, [`StoreError::NewerFormat`], [`StoreError::NoSuchStore`]
    /// if it does not exist and may not be created, [`StoreError::Corrupt`].
    pub fn open(dir: impl AsRef<Path>, options: Options) -> Result<Store, StoreError> {
        let data_dir = DataDir::open(dir.as_ref(), options.create, options.patience)?;
        let durability = options.durability;
        let retains = options.retain_ms.is_some();
        let (store, connected) = Store::open_data_dir(data_dir, options)?;
        if retains {
            // The writer has the thread that prunes. Its first act also ends connections that an earlier process left up.
            drop(store.submit(Batch::default()).and_then(Ticket::wait));
        } else if connected {
            store.settle();
        } else if durability == Durability::Power {
            // A manifest with an older head is no failure.
            drop(store.shared.note_head());
        }
        Ok(store)
    }

    /// Opens the log of a folder. Also returns whether connections were up at its end.
    pub(super) fn open_data_dir(
        data_dir: DataDir,
        options: Options,
    ) -> Result<(Store, bool), StoreError> {
        let key = data_dir.manifest().key(&data_dir.dir)?;
        identity::expect_log(&data_dir)?;
        let engine = SledJournal::open(&data_dir.log_dir(), options.durability)?;
        identity::compare_ids(&data_dir, &engine)?;
        let blocks = FolderObjects::open(&data_dir.blocks_dir())?;
        let log = open_log(Box::new(engine), Box::new(blocks))?;
        Store::assemble(log, key, Some(data_dir), options)
    }

    /// Opens the log of a folder that is being repaired, to continue it: it may end with a block, or with its base.
    pub(super) fn open_to_continue(
        data_dir: DataDir,
        options: Options,
    ) -> Result<Store, StoreError> {
        let key = data_dir.manifest().key(&data_dir.dir)?;
        let engine = SledJournal::open(&data_dir.log_dir(), options.durability)?;
        let blocks = Blocks::open(Box::new(FolderObjects::open(&data_dir.blocks_dir())?))?;
        let log = Log::open_to_continue(Box::new(engine), blocks)?;
        Ok(Store::assemble(log, key, Some(data_dir), options)?.0)
    }

    /// A store that lives in memory and is lost when it is dropped.
    ///
    /// # Errors
    /// None in practice; the signature matches the other ways to open a store.
    pub fn in_memory(options: Options) -> Result<Store, StoreError> {
        Store::on(Box::new(MemoryJournal::new()), options)
    }

    /// A store on an engine that the caller supplies.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if the engine does not hold a log.
    #[doc(hidden)]
    pub fn on(engine: Box<dyn Engine>, options: Options) -> Result<Store, StoreError> {
        Store::on_parts(engine, Box::new(MemoryObjects::default()), options)
    }

    /// The same, with sealed blocks that the caller supplies.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if they do not hold a log.
    #[doc(hidden)]
    pub fn on_parts(
        engine: Box<dyn Engine>,
        blocks: Box<dyn ObjectStore>,
        options: Options,
    ) -> Result<Store, StoreError> {
        let log = open_log(engine, blocks)?;
        let (store, connected) = Store::assemble(log, [0; 32], None, options)?;
        if connected {
            store.settle();
        }
        Ok(store)
    }

    fn assemble(
        log: Log,
        digest_key: [u8; 32],
        data_dir: Option<DataDir>,
        options: Options,
    ) -> Result<(Store, bool), StoreError> {
        let next = log.engine().head() + 1;
        let last = log.header_ending_before(next)?;
        let base = log.blocks().base().filter(|base| base.next == next);
        if last.is_none() && next > 1 && base.is_none() {
            let detail = format!("the value at position {} is no end of a frame", next - 1);
            return Err(StoreError::Corrupt { seq: 0, detail });
        }
        if let Some(data_dir) = &data_dir {
            identity::compare_heads(
                &data_dir.manifest(),
                data_dir.log_dir(),
                &log,
                last.as_ref(),
            )?;
        }
        let connected = last.as_ref().is_some_and(|header| header.connected);
        let seq = match (last, base) {
            (Some(header), _) => header.first_seq + header.entries - 1,
            (None, base) => base.map_or(0, |base| base.seq),
        };
        let published = Mutex::new(Published { next, seq });
        let shared = StoreShared {
            log,
            options,
            digest_key,
            data_dir,
            copy: Mutex::default(),
            published,
            poisoned: Mutex::default(),
            sealing: Mutex::default(),
            checkpoint_lost: AtomicBool::new(false),
            room: ByteBudget::new(WRITER_BYTES_MAX),
            waiting: AtomicU64::new(0),
            listeners: Mutex::default(),
            index: Default::default(),
            recent: Default::default(),
        };
        let store = Store {
            shared: Arc::new(shared),
            writer: Mutex::default(),
            follower: Mutex::default(),
            asked: AtomicBool::new(false),
            stood: Mutex::default(),
            retrying: Mutex::default(),
        };
        Ok((store, connected))
    }

    /// Keeps the folder of a copy for as long as the store lives.
    pub(super) fn keep(&self, copy: CopyFolder) {
        held(&self.shared.copy).replace(copy);
    }

    /// Ends connections that the process before this one left up when it died. The writer's first act records that.
    /// If it fails, the next write fails and reports why.
    fn settle(&self) {
        let settled = self.submit(Batch::default()).and_then(Ticket::wait);
        drop(settled);
        drop(self.close());
    }

    /// Waits until all queued lines are durable or have failed, and ends the writer. A later batch starts another
    /// writer, which treats connections that are still up as those of a dead server. Dropping the store does the
    /// same, but cannot report a failure.
    ///
    /// # Errors
    /// If the log cannot be synced, or an earlier write failed.
    pub fn close(&self) -> Result<(), StoreError> {
        let Some(writer) = held(&self.writer).take() else {
            return Ok(());
        };
        writer.finish();
        if let Some(reason) = self.shared.poison() {
            return Err(StoreError::Poisoned(reason));
        }
        let closed = self.shared.log.engine().close().map_err(StoreError::from);
        if let Err(error) = &closed {
            // A second sync may succeed although it wrote nothing.
            self.shared.poison_with(error);
        }
        closed?;
        // A manifest with an older head is no failure: everything is durable.
        drop(self.shared.note_head());
        Ok(())
    }
}

fn open_log(engine: Box<dyn Engine>, blocks: Box<dyn ObjectStore>) -> Result<Log, StoreError> {
    let blocks = Blocks::open(blocks)?;
    Ok(Log::open(engine, blocks)?)
}

impl StoreShared {
    /// Writes to the folder's manifest how far the log goes. Only for a log that is durable up to there.
    pub(super) fn note_head(&self) -> Result<(), StoreError> {
        let Some(data_dir) = &self.data_dir else {
            return Ok(());
        };
        let next = self.published().next;
        let Some(last) = self.log.header_ending_before(next)? else {
            return Ok(());
        };
        let head = Some(identity::known_head(next - 1, &last));
        let manifest = data_dir.manifest();
        data_dir.replace_manifest(Manifest { head, ..manifest })
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        drop(self.close());
    }
}
