//! The tailer thread takes each new entry once, as it was committed, and publishes it to subscribers. The writer wakes it,
//! and never waits for it.

use super::hub::Hub;
use crate::limits;
use crate::query::answer::{EntryType, HistoryEntry, OriginAnswer};
use crate::query::{Cursor, DeliveredEntry};
use crate::store::{Store, StoreError};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// The number of entries per read.
const READ_ENTRIES: usize = 1_024;

/// The tailer thread, from the first subscriber until it is stopped. Without subscribers nothing is read, so that an
/// `ingest` is not slowed down.
pub struct LogTailer {
    store: Arc<Store>,
    hub: Arc<Hub>,
    running: Mutex<Option<Running>>,
}

struct Running {
    calls: SyncSender<TailerCall>,
    thread: JoinHandle<()>,
}

/// Closes the hub when it is dropped.
struct Closed(Arc<Hub>);

impl Drop for Closed {
    fn drop(&mut self) {
        self.0.close();
    }
}

enum TailerCall {
    News,
    Stop,
}

impl LogTailer {
    /// A tailer that does not run yet.
    #[must_use]
    pub fn new(store: Arc<Store>) -> LogTailer {
        LogTailer {
            hub: Arc::new(Hub::new(store.head())),
            store,
            running: Mutex::default(),
        }
    }

    /// The hub to which entries are published.
    #[must_use]
    pub fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    /// Starts the thread at the store's head, unless it runs. The hub must not have subscribers before. It calls the
    /// store.
    ///
    /// # Errors
    /// When the log cannot be read, or the system cannot start a thread.
    pub fn start(&self) -> Result<(), StoreError> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if running.is_some() {
            return Ok(());
        }
        let (calls, called) = sync_channel(64);
        let news = calls.clone();
        // One waiting call is enough, so it does not matter if the channel is full.
        self.store
            .on_published(move |_| drop(news.try_send(TailerCall::News)));
        self.store.keep_recent_frames();
        let cursor = self.store.cursor(self.store.head(), None)?;
        self.hub.begin_behind(cursor.seq());
        let (store, hub) = (Arc::clone(&self.store), Arc::clone(&self.hub));
        let work = move || {
            // However the thread ends, the hub is closed, so that no subscriber waits forever.
            let hub = Closed(hub);
            let done = run(&store, cursor, &hub.0, &called);
            if let Err(error) = done {
                tracing::error!(
                    event = "delivery_failed",
                    "entries are no longer delivered: {error}"
                );
            }
        };
        let thread = std::thread::Builder::new()
            .name("rollbook-tell".into())
            .spawn(work);
        let thread = thread.map_err(|source| StoreError::Io {
            path: "a thread".into(),
            source,
        })?;
        *running = Some(Running { calls, thread });
        Ok(())
    }

    /// Stops the thread, if it runs.
    pub fn stop(&self) {
        let running = self
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(Running { calls, thread }) = running {
            drop(calls.send(TailerCall::Stop));
            // A panic needs no handling here: the server ends anyway.
            let _ = thread.join();
        }
    }
}

fn run(
    store: &Store,
    mut cursor: Cursor,
    hub: &Hub,
    called: &Receiver<TailerCall>,
) -> Result<(), StoreError> {
    let mut differences = ChangedCounts::default();
    while let Ok(TailerCall::News) = called.recv() {
        loop {
            match called.try_recv() {
                Ok(TailerCall::News) => {}
                Ok(TailerCall::Stop) | Err(TryRecvError::Disconnected) => return Ok(()),
                Err(TryRecvError::Empty) => break,
            }
        }
        loop {
            let delivered = cursor.next_batch(store, READ_ENTRIES, limits::LIVE_BYTES_MAX)?;
            if delivered.is_empty() {
                break;
            }
            if tracing::enabled!(tracing::Level::DEBUG) {
                differences.note(&delivered);
            }
            hub.publish_entries(delivered);
        }
        differences.tell();
    }
    Ok(())
}

/// The changes that a snapshot revealed, for the debug log.
#[derive(Default)]
struct ChangedCounts {
    snapshot: Option<(u64, String)>,
    joined: Vec<String>,
    left: Vec<String>,
    updated: Vec<String>,
}

impl ChangedCounts {
    fn note(&mut self, delivered: &[DeliveredEntry]) {
        for DeliveredEntry { entry, .. } in delivered {
            match (entry.kind, entry.origin) {
                (EntryType::Snapshot, _) => {
                    self.tell();
                    let channel = entry.channel.clone().unwrap_or_default();
                    self.snapshot = Some((entry.seq, channel));
                }
                (kind, OriginAnswer::Inferred) => self.differs(kind, entry),
                _ => {}
            }
        }
    }

    fn differs(&mut self, kind: EntryType, entry: &HistoryEntry) {
        let (topic, user) = (entry.topic.as_deref(), entry.user.as_deref());
        let member = format!("{}/{}", topic.unwrap_or_default(), user.unwrap_or_default());
        match kind {
            EntryType::Join => self.joined.push(member),
            EntryType::Leave => self.left.push(member),
            _ => self.updated.push(member),
        }
    }

    fn tell(&mut self) {
        let ChangedCounts {
            snapshot,
            joined,
            left,
            updated,
        } = std::mem::take(self);
        if let Some((seq, channel)) = snapshot {
            tracing::debug!(
                event = "snapshot",
                seq,
                channel,
                ?joined,
                ?left,
                ?updated,
                "snapshot"
            );
        }
    }
}
