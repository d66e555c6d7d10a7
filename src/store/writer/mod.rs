//! The writer, in three threads. The decider takes lines from a bounded queue and decides what follows from them; the
//! committer writes frames, appends and syncs. So one batch is decided while the previous one becomes durable, and
//! waiting batches share a sync. A small batch that comes alone is committed in the first thread. The third seals old
//! frames, and nothing waits for it.
//!
//! **Invariant:** a receipt is sent only for durable lines. After a failed append or sync the writer is poisoned:
//! nothing more is written, and what was not durable is lost. A panic of one of the threads poisons the writer, too.

//!
//! | file | what |
//! | --- | --- |
//! | `decider` | makes entries from lines; at times a checkpoint from the state |
//! | `committer` | frames, appends, syncs, publishes, and sends receipts |
//! | `sealer` | old frames become blocks, and the oldest go |
//! | `sealed_state` | the state where the blocks end, of which the next one gets a part |
//! | `pruner` | what may go of the log, and how it goes |
//! | `dirty_set` | what has changed since the last checkpoint, and when the next is due |
//! | `recovery` | the writer's state when it starts |
//! | `retries`, `content_hash` | which ids have been recorded, and a hash of what their lines reported |
//! | `digests` | the roster digests of snapshot entries |
//! | `clamped` | entries far behind the time of their channel, and the entry that moved that time |
//! | `rewriter` | decides and commits in the caller's thread, for a repair |
//! | `reject_quota` | how many rejected lines of a source are kept |

mod clamped;
mod committer;
pub(in crate::store) mod content_hash;
mod decider;
pub(in crate::store) mod digests;
mod dirty_set;
pub(in crate::store) mod pruner;
mod recovery;
mod reject_quota;
pub(in crate::store) mod retries;
pub(in crate::store) mod rewriter;
pub(in crate::store) mod sealed_state;
pub(in crate::store) mod sealer;

use super::batch::{Batch, Reply};
use super::error::StoreError;
use super::shared::StoreShared;
use crate::limits;
use committer::{CommitQueue, Committer};
use decider::Decider;
use recovery::recover;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

/// The writer's threads, and the queue to them.
pub(in crate::store) struct Writer {
    queue: SyncSender<(Batch, Reply)>,
    threads: Vec<JoinHandle<()>>,
    /// Tells the third thread to seal nothing more.
    ends: Arc<AtomicBool>,
}

impl Writer {
    pub fn start(shared: &Arc<StoreShared>) -> Result<Writer, StoreError> {
        let (to_sealer, wakes) = sync_channel(1);
        let mut recovered = recover(&shared.log)?;
        let cursor = &recovered.cursor;
        let committer = Committer::new(
            Arc::clone(shared),
            cursor.names.table().clone(),
            cursor.place,
            cursor.state.head(),
            std::mem::take(&mut recovered.parts),
            to_sealer,
        )?;
        let decider = Decider::new(Arc::clone(shared), recovered);
        let (queue, batches) = sync_channel(limits::WRITER_QUEUE_MAX);
        let (committer, commits) = CommitQueue::new(committer);
        let spawn = |name: &str, work: Box<dyn FnOnce() + Send>| {
            let thread = std::thread::Builder::new().name(name.into()).spawn(work);
            thread.map_err(|error| StoreError::io("the writer's thread", error))
        };
        let ends = Arc::new(AtomicBool::new(false));
        let (sealed, stop) = (Arc::clone(shared), Arc::clone(&ends));
        let threads = vec![
            spawn(
                "rollbook-sealer",
                Box::new(move || sealer::run(&sealed, &wakes, &stop)),
            )?,
            spawn(
                "rollbook-decider",
                Box::new(move || decider.run(&batches, &committer)),
            )?,
            spawn("rollbook-committer", Box::new(commits))?,
        ];
        Ok(Writer {
            queue,
            threads,
            ends,
        })
    }

    /// The queue for batches.
    pub fn queue(&self) -> SyncSender<(Batch, Reply)> {
        self.queue.clone()
    }

    /// Lets the writer finish the queued batches, and waits for its threads.
    pub fn finish(self) {
        let Writer {
            queue,
            threads,
            ends,
        } = self;
        ends.store(true, Ordering::Relaxed);
        drop(queue);
        // The sealer ends last.
        for thread in threads.into_iter().rev() {
            // A thread that panicked has poisoned the store.
            let _ = thread.join();
        }
    }
}
