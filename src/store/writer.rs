//! The one writer: it takes lines from a bounded queue, decides what follows from them, and appends; a second
//! thread syncs. So a batch is decided while the one before it becomes durable, and what waits is synced together.
//!
//! **Invariant:** a receipt is given only for what is durable. After a failed append or sync nothing more is
//! written: the writer is poisoned, and what was not durable is gone with it.

use super::Shared;
use super::batch::{Batch, Receipt, Reply};
use super::checkpoint::Checkpoint;
use super::desk::Desk;
use super::error::StoreError;
use crate::limits;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Instant;

/// The threads, and the queue to them.
pub(super) struct Writer {
    queue: Option<SyncSender<(Batch, Reply)>>,
    threads: Vec<JoinHandle<()>>,
}

impl Writer {
    pub fn start(shared: &Arc<Shared>) -> Result<Writer, StoreError> {
        let desk = Desk::open(Arc::clone(shared))?;
        let (queue, batches) = sync_channel(limits::WRITER_QUEUE_MAX);
        let (to_sync, appended) = sync_channel(4);
        let of_syncer = Arc::clone(shared);
        let spawn = |name: &str, work: Box<dyn FnOnce() + Send>| {
            let thread = std::thread::Builder::new().name(name.into()).spawn(work);
            thread.map_err(|error| StoreError::io("the writer's thread", error))
        };
        let threads = vec![
            spawn(
                "rollbook-write",
                Box::new(move || desk.run(&batches, &to_sync)),
            )?,
            spawn(
                "rollbook-sync",
                Box::new(move || sync_all(&of_syncer, &appended)),
            )?,
        ];
        Ok(Writer {
            queue: Some(queue),
            threads,
        })
    }

    pub fn submit(&self, batch: Batch, reply: Reply) {
        if let Some(queue) = &self.queue {
            // Where the writer has ended the reply is dropped, which says so.
            let _ = queue.send((batch, reply));
        }
    }

    /// Lets the writer finish what is in hand.
    pub fn finish(mut self) {
        self.queue = None;
        for thread in self.threads.drain(..) {
            // A writer that panicked has poisoned nothing but itself: its tickets say so.
            let _ = thread.join();
        }
    }
}

/// What has been appended, and waits to become durable.
pub(super) struct Appended {
    /// The engine's position behind it.
    pub next: u64,
    pub seq: u64,
    pub replies: Vec<(Reply, Receipt)>,
    pub checkpoint: Option<Checkpoint>,
}

/// Makes what was appended durable, publishes it, and gives the receipts.
fn sync_all(shared: &Shared, appended: &Receiver<Appended>) {
    while let Ok(first) = appended.recv() {
        let mut all = vec![first];
        all.extend(appended.try_iter());
        let began = Instant::now();
        let synced = shared.engine.sync();
        let took = began.elapsed();
        let checkpoints = all
            .iter_mut()
            .filter_map(|appended| appended.checkpoint.take())
            .last();
        let saved = synced.map_err(StoreError::from).and_then(|()| {
            if let Some(last) = all.last() {
                let before = shared.published().seq;
                shared.publish(last.next, last.seq);
                shared.options.meter.synced(took, last.seq - before);
            }
            checkpoints.map_or(Ok(()), |checkpoint| checkpoint.save(&*shared.engine))
        });
        if let Err(error) = &saved {
            shared.poison_with(error);
        }
        for (reply, receipt) in all.into_iter().flat_map(|appended| appended.replies) {
            let outcome = match shared.poison() {
                None => {
                    shared.options.meter.committed(&receipt.tally);
                    Ok(receipt)
                }
                Some(reason) => Err(StoreError::Poisoned(reason)),
            };
            reply(outcome);
        }
        if shared.poison().is_some() {
            return;
        }
    }
}
