//! What the store's threads share: the engine, how far the log is durable, whether the writer is poisoned, and who is
//! called with a new head.

use super::byte_budget::ByteBudget;
use super::error::StoreError;
use super::folder::copy_folder::CopyFolder;
use super::folder::data_dir::DataDir;
use super::locks::held;
use super::options::Options;
use super::read::frame_index::FrameIndex;
use super::read::recent::{RecentFrame, RecentFrames};
use super::writer::sealed_state::SealedState;
use crate::log::read::Log;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// What the store's threads share.
pub(super) struct StoreShared {
    pub log: Log,
    pub options: Options,
    pub digest_key: [u8; 32],
    /// The folder, if the store has one; kept for its lock.
    pub data_dir: Option<DataDir>,
    /// The private copy that is read in place of a store that cannot be written; removed after the engine is dropped.
    pub copy: Mutex<Option<CopyFolder>>,
    pub published: Mutex<Published>,
    pub poisoned: Mutex<Option<String>>,
    /// Held while a block is sealed. It has the state where the blocks end, once it was needed.
    pub sealing: Mutex<Option<SealedState>>,
    /// A checkpoint could not be saved: the next one must not point to its parts.
    pub checkpoint_lost: AtomicBool,
    /// Limits the bytes of the batches in the writer.
    pub room: Arc<ByteBudget>,
    /// Lines that wait for the writer.
    pub waiting: AtomicU64,
    pub listeners: Mutex<Vec<HeadListener>>,
    pub index: FrameIndex,
    pub recent: RecentFrames,
}

/// Called with each new head.
pub(super) type HeadListener = Box<dyn Fn(u64) + Send + Sync>;

/// How far the log is durable.
#[derive(Debug, Clone, Copy)]
pub(super) struct Published {
    /// The engine's position after the last durable value.
    pub next: u64,
    pub seq: u64,
}

impl StoreShared {
    /// Publishes a new head, and the frames that lead to it.
    pub fn publish(&self, head: Published, recent: impl IntoIterator<Item = RecentFrame>) {
        *held(&self.published) = head;
        self.recent.push(recent);
        held(&self.listeners)
            .iter()
            .for_each(|listener| listener(head.seq));
    }

    pub fn published(&self) -> Published {
        *held(&self.published)
    }

    pub fn poison(&self) -> Option<String> {
        held(&self.poisoned).clone()
    }

    pub fn poison_with(&self, error: &StoreError) {
        self.poison_once(error.to_string());
    }

    /// The first reason counts.
    fn poison_once(&self, reason: String) {
        let mut poisoned = held(&self.poisoned);
        if poisoned.is_none() {
            self.options.meter.write_failed(&reason);
            *poisoned = Some(reason);
        }
    }

    /// Notes a lost checkpoint. It is derived data: without it more of the log is read again, and nothing is lost.
    pub fn checkpoint_failed(&self, error: &StoreError) {
        self.checkpoint_lost.store(true, Ordering::Relaxed);
        self.options.meter.checkpoint_failed(error);
    }
}

/// Poisons the store when its thread panics: without the thread nothing more can be written.
pub(super) struct PoisonOnPanic(pub Arc<StoreShared>);

impl Drop for PoisonOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let thread = std::thread::current();
            let name = thread.name().unwrap_or("a thread of the writer");
            self.0.poison_once(format!("{name} has panicked"));
        }
    }
}
