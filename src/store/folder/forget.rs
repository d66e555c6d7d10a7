//! Makes a store again without the strings of one person, beside the one that is there. Whose strings are where is the
//! business of `log`; how it takes its place is in `stage`.
//!
//! ```text
//! blocks, base ─erase→ blocks, base        frames ─seal, erase→ blocks        and a frame that says that it was done
//! ```
//!
//! **Invariant:** only blocks are erased from, so nothing of the person is in the engine's files, nor in room of them that is
//! free: they are new. Nothing derived is carried over.

use super::data_dir;
use super::identity::{known_head, random};
use super::manifest::Manifest;
use super::stage::Stage;
use crate::domain::names::Names;
use crate::domain::time::Millis;
use crate::limits;
use crate::log::block::{BaseObject, Block, BlockBuilder, BlockError, Blocks};
use crate::log::engine::objects::{FolderObjects, ObjectStore};
use crate::log::engine::sled::SledJournal;
use crate::log::engine::{Durability, Journal, JournalError};
use crate::log::eraser::{Erased, Eraser};
use crate::log::frame::{Encoder, FrameHeader, FramePosition, Packing};
use crate::log::read::{FrameBytes, Log};
use crate::log::salts::Salts;
use crate::log::{Forgotten, Record};
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::writer::Writer;
use std::io;
use std::path::Path;
use std::time::Duration;

/// Why nothing was forgotten. What was there is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ForgetError {
    /// There is no entry yet.
    #[error("the log is empty")]
    Empty,
    /// The log cannot be read or written, or another process has the store open.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What was made is not whole, or says something else.
    #[error("what was made is not sound behind entry {seq}: {detail}")]
    Unsound {
        /// The last entry before the fault.
        seq: u64,
        /// What is wrong.
        detail: String,
    },
    /// They are forgotten, but not all is in its place yet.
    #[error("it is done, but not all is in its place yet: opening the store ends that ({0})")]
    Unsettled(io::Error),
}

impl From<JournalError> for ForgetError {
    fn from(error: JournalError) -> Self {
        ForgetError::Store(error.into())
    }
}

/// A store that is being made without the strings of a person. What was made of it is removed if this is dropped before it
/// took its place.
pub struct Forgetting {
    /// The last entry.
    pub head: u64,
    /// What was found of them.
    pub found: Erased,
    /// Whether anything was found, if only in what is derived.
    pub is_known: bool,
    /// Whether it is to take its place. What was pruned may still be in the engine's free room: then it is, whatever was found.
    pub is_needed: bool,
    /// What stands for their name.
    pub stand_in: String,
    stage: Stage,
}

impl Forgetting {
    /// Makes the store in a folder again. Nobody else may have it open meanwhile: waits up to `patience`.
    ///
    /// # Errors
    /// There is no store, it is in use, empty or damaged, or the folder cannot be written.
    pub fn begin(
        dir: &Path,
        (user, channel): (&str, Option<&str>),
        now: Millis,
        patience: Duration,
    ) -> Result<Forgetting, ForgetError> {
        data_dir::expect(dir)?;
        let eraser = Eraser::new(user, channel, random()?);
        let stage = Stage::begin(dir, patience)?;
        let manifest = data_dir::expect(dir)?;
        let engine = SledJournal::open(&dir.join("log"), Durability::Power)?;
        let id = engine.store_id()?;
        let blocks = Blocks::open(Box::new(FolderObjects::open(&dir.join("blocks"))?))?;
        let log = Log::open(Box::new(engine), blocks).map_err(StoreError::from)?;
        let objects = FolderObjects::open(&stage.path.join("blocks"))?;
        let mut made = Made {
            log: &log,
            eraser: &eraser,
            objects,
            found: Erased::default(),
            is_found: false,
        };
        made.blocks(dir)?;
        let end = made.frames()?;
        let (found, is_found) = (made.found, made.is_found);
        let (last, next) = end.ok_or(ForgetError::Empty)?;
        let forgetting = Forgetting {
            head: (last.first_seq + last.entries).saturating_sub(1),
            found,
            is_known: is_found,
            is_needed: is_found || log.blocks().base().is_some(),
            stand_in: eraser.stand_in(user),
            stage,
        };
        if forgetting.is_needed {
            let forgotten = Forgotten {
                recorded_at: now,
                stand_in: forgetting.stand_in.as_str().into(),
                channel: channel.map(Into::into),
                changes: found.changes,
                texts: found.texts,
                rejects: found.rejects,
            };
            forgetting.note(forgotten, (&last, next), id.as_deref(), manifest)?;
        }
        Ok(forgetting)
    }

    /// Writes the frame that says that it was done, behind the last one, which ends before the position `next`.
    fn note(
        &self,
        forgotten: Forgotten,
        (last, next): (&FrameHeader, u64),
        id: Option<&[u8]>,
        manifest: Manifest,
    ) -> Result<(), ForgetError> {
        let salts = Salts::from_system();
        let salts = salts.map_err(|error| StoreError::Randomness(error.to_string()))?;
        let frame = Encoder::new(salts, Packing::default()).encode(
            FramePosition::after(last),
            &[Record::Forgotten(forgotten)],
            Names::new().table(),
        );
        let frame = frame.map_err(StoreError::from)?;
        let engine = SledJournal::open(&self.stage.path.join("log"), Durability::None)?;
        engine.begin_at(next)?;
        let position = engine.append(engine.head(), &frame.values)?;
        if let Some(id) = id {
            engine.set_store_id(id)?;
        }
        engine.close()?;
        let manifest = Manifest {
            head: Some(known_head(engine.head(), &frame.header)),
            forgotten_at: Some(position),
            ..manifest
        };
        Ok(manifest.write(&self.stage.path)?)
    }

    /// What was made. What is derived from the log is derived, so that the next one who opens it need not.
    ///
    /// # Errors
    /// It is no whole store.
    pub fn staged(&self) -> Result<Store, ForgetError> {
        let store = self.stage.opened()?;
        Writer::start(&store.shared)?.finish();
        Ok(store)
    }

    /// Puts what was made in the place of what is there. It must not be open any more.
    ///
    /// # Errors
    /// The files cannot be moved.
    pub fn take_place(self) -> Result<(), ForgetError> {
        self.stage.take_place()?.map_err(ForgetError::Unsettled)
    }
}

/// What is made of a log.
struct Made<'a> {
    log: &'a Log,
    eraser: &'a Eraser,
    objects: FolderObjects,
    found: Erased,
    is_found: bool,
}

impl Made<'_> {
    /// Makes the blocks and the base again. Those that have nothing of the person stay the same files.
    fn blocks(&mut self, dir: &Path) -> Result<(), StoreError> {
        let dir = dir.join("blocks");
        let io = |error| StoreError::io(&dir, error);
        let from = FolderObjects::open(&dir)?;
        for object in self.log.blocks().objects_from(0) {
            let (number, bytes) = object?;
            let erased = match number {
                0 => {
                    let base = BaseObject::read(bytes).map_err(|error| damaged(0, &error))?;
                    let erased = base.erase(self.eraser);
                    erased.map_err(|error| damaged(0, &error))?
                }
                number => {
                    let erased = Block::erase(&bytes, self.eraser);
                    erased.map_err(|error| damaged(number, &error))?
                }
            };
            match erased {
                Some((bytes, found)) => self.put(number, &bytes, Some(found))?,
                None => self.objects.link(&from, number).map_err(io)?,
            }
        }
        self.objects.sync().map_err(io)
    }

    /// Seals all frames that the engine holds. Returns the header of the last one, and the position behind it.
    fn frames(&mut self) -> Result<Option<(FrameHeader, u64)>, StoreError> {
        let end = self.log.engine().head().saturating_add(1);
        let mut frames = self.log.frames(self.log.blocks().end().max(1), end);
        let mut builder = BlockBuilder::default();
        while let Some(frame) = frames.next_frame()? {
            let position = frame.position();
            if let (_, FrameBytes::Values(values)) = frame.into_parts() {
                let added = builder.add(position, &values);
                added.map_err(|error| damaged(position, &error))?;
            }
            if builder.entries() >= limits::BLOCK_ENTRIES
                || builder.bytes() >= limits::BLOCK_BYTES_MAX
            {
                self.seal(std::mem::take(&mut builder))?;
            }
        }
        self.seal(builder)?;
        // The engine always has the last frame.
        let last = self.log.header_ending_before(end)?;
        Ok(last.map(|last| (last, end)))
    }

    fn seal(&mut self, builder: BlockBuilder) -> Result<(), StoreError> {
        let position = self.log.blocks().end();
        let made = builder.finish(None);
        let Some((block, bytes)) = made.map_err(|error| damaged(position, &error))? else {
            return Ok(());
        };
        let number = block.position;
        let erased = Block::erase(&bytes, self.eraser);
        match erased.map_err(|error| damaged(number, &error))? {
            Some((bytes, found)) => self.put(number, &bytes, Some(found)),
            None => self.put(number, &bytes, None),
        }
    }

    fn put(&mut self, number: u64, bytes: &[u8], found: Option<Erased>) -> Result<(), StoreError> {
        if let Some(found) = found {
            self.is_found = true;
            self.found.add(found);
        }
        Ok(self.objects.put(number, bytes)?)
    }
}

fn damaged(number: u64, error: &BlockError) -> StoreError {
    let what = error.to_string();
    JournalError::Block { number, what }.into()
}
