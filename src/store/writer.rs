//! The writer, in two threads. The decider takes lines from a bounded queue and decides what follows from them; the
//! committer writes frames, appends and syncs. So one batch is decided while the previous one becomes durable, and
//! waiting batches share a sync. A small batch that comes alone is committed in the first thread.
//!
//! **Invariant:** a receipt is sent only for durable lines. After a failed append or sync the writer is poisoned:
//! nothing more is written, and what was not durable is lost. A panic of one of the threads poisons the writer, too.

use super::batch::{Batch, Reply};
use super::committer::{CommitQueue, Committer};
use super::decider::Decider;
use super::error::StoreError;
use super::recovery::recover;
use super::shared::StoreShared;
use crate::limits;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

/// The writer's threads, and the queue to them.
pub(super) struct Writer {
    queue: SyncSender<(Batch, Reply)>,
    threads: Vec<JoinHandle<()>>,
}

impl Writer {
    pub fn start(shared: &Arc<StoreShared>) -> Result<Writer, StoreError> {
        let mut recovered = recover(&*shared.engine)?;
        let cursor = &recovered.cursor;
        let committer = Committer::new(
            Arc::clone(shared),
            cursor.names.table().clone(),
            cursor.place,
            cursor.state.head(),
            std::mem::take(&mut recovered.parts),
        )?;
        let decider = Decider::new(Arc::clone(shared), recovered);
        let (queue, batches) = sync_channel(limits::WRITER_QUEUE_MAX);
        let (committer, commits) = CommitQueue::new(committer);
        let spawn = |name: &str, work: Box<dyn FnOnce() + Send>| {
            let thread = std::thread::Builder::new().name(name.into()).spawn(work);
            thread.map_err(|error| StoreError::io("the writer's thread", error))
        };
        let threads = vec![
            spawn(
                "rollbook-decider",
                Box::new(move || decider.run(&batches, &committer)),
            )?,
            spawn("rollbook-committer", Box::new(commits))?,
        ];
        Ok(Writer { queue, threads })
    }

    /// The queue for batches.
    pub fn queue(&self) -> SyncSender<(Batch, Reply)> {
        self.queue.clone()
    }

    /// Lets the writer finish the queued batches, and waits for its threads.
    pub fn finish(self) {
        let Writer { queue, threads } = self;
        drop(queue);
        for thread in threads {
            // A thread that panicked has poisoned the store.
            let _ = thread.join();
        }
    }
}
