//! Passes lines to a store, from a task that must not block on it: a separate thread submits them in batches and
//! collects the receipts. The lines are not interpreted here.

use crate::domain::entry::Rules;
use crate::domain::event::{Event, EventPayload, LinkState, ReportedLink, Service};
use crate::domain::order::Stamp;
use crate::ingest::line::source_time;
use crate::ingest::{IngestOutcome, ProgressListener};
use crate::limits::RECORD_AHEAD_BYTES_MAX;
use crate::store::{Batch, BatchLine, Store, StoreError, Ticket};
use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The most lines in one batch.
const BATCH_LINES: usize = 1_024;
/// Batches that may wait for the writer.
const BATCHES_AHEAD: usize = 4;
/// What a line counts in addition to its bytes, so that the number of short lines is limited, too.
const LINE_COST: usize = 256;

/// Passes lines to a store.
pub struct Recorder {
    lines: UnboundedSender<WaitingLine>,
    /// The room for lines that are not durable yet.
    room: Arc<Semaphore>,
    thread: JoinHandle<Result<IngestOutcome, StoreError>>,
}

/// A line, and its permit from the room.
type WaitingLine = (BatchLine, OwnedSemaphorePermit);

impl Recorder {
    /// Starts to record what `observer` sees. If the log says that the observer's link is up, the process that
    /// recorded before has died: a link-down event is recorded first. `watcher` receives rejects and late entries.
    ///
    /// # Errors
    /// When the system cannot start a thread.
    pub fn start(
        store: Arc<Store>,
        observer: &str,
        rules: Rules,
        watcher: impl ProgressListener + Send + 'static,
    ) -> std::io::Result<Recorder> {
        let (lines, waiting) = unbounded_channel();
        let observer = observer.to_owned();
        let intake = RecorderIngest {
            store,
            rules,
            watcher,
            tickets: VecDeque::new(),
            outcome: IngestOutcome::default(),
        };
        let thread = std::thread::Builder::new().name("rollbook-record".into());
        Ok(Recorder {
            lines,
            room: Arc::new(Semaphore::new(RECORD_AHEAD_BYTES_MAX)),
            thread: thread.spawn(move || intake.run(&observer, waiting))?,
        })
    }

    /// Takes a line of `bytes` bytes. Waits while too many bytes are not durable yet. `false`: no more lines are
    /// accepted, and [`finish`](Recorder::finish) returns the reason.
    pub async fn line(&self, line: BatchLine, bytes: usize) -> bool {
        let cost = (bytes + LINE_COST).min(RECORD_AHEAD_BYTES_MAX);
        let cost = u32::try_from(cost).unwrap_or(u32::MAX);
        match Arc::clone(&self.room).acquire_many_owned(cost).await {
            Ok(room) => self.lines.send((line, room)).is_ok(),
            Err(_) => false,
        }
    }

    /// Waits until all lines are durable, and returns the outcome.
    ///
    /// # Errors
    /// When a line could not be written.
    pub fn finish(self) -> Result<IngestOutcome, StoreError> {
        drop(self.lines);
        let gone = |_| {
            Err(StoreError::Stopped(
                "the recording thread has panicked".into(),
            ))
        };
        self.thread.join().unwrap_or_else(gone)
    }
}

struct RecorderIngest<W> {
    store: Arc<Store>,
    rules: Rules,
    watcher: W,
    tickets: VecDeque<(Ticket, u64, Vec<OwnedSemaphorePermit>)>,
    outcome: IngestOutcome,
}

impl<W: ProgressListener> RecorderIngest<W> {
    fn run(
        mut self,
        observer: &str,
        mut waiting: UnboundedReceiver<WaitingLine>,
    ) -> Result<IngestOutcome, StoreError> {
        if self
            .store
            .as_of(None, None, |state, names| state.is_up(names.find(observer)))?
        {
            self.store.record(&[died(observer)])?;
        }
        while let Some(first) = waiting.blocking_recv() {
            let mut batch = vec![first];
            while batch.len() < BATCH_LINES
                && let Ok(next) = waiting.try_recv()
            {
                batch.push(next);
            }
            self.send_decided(batch)?;
            // While the feed is silent, all batches are settled; none waits for the next line.
            let ahead = if waiting.is_empty() { 0 } else { BATCHES_AHEAD };
            while self.tickets.len() > ahead {
                self.settle()?;
            }
        }
        Ok(self.outcome)
    }

    fn send_decided(&mut self, batch: Vec<WaitingLine>) -> Result<(), StoreError> {
        let (lines, room): (Vec<BatchLine>, Vec<_>) = batch.into_iter().unzip();
        self.outcome.lines += lines.len() as u64;
        let latest = lines.iter().filter_map(source_time).max();
        self.outcome.latest_time = self.outcome.latest_time.max(latest);
        let batch = Batch {
            lines,
            rules: self.rules,
            strict: false,
        };
        let ticket = self.store.submit(batch)?;
        self.tickets.push_back((ticket, self.outcome.lines, room));
        Ok(())
    }

    fn settle(&mut self) -> Result<(), StoreError> {
        let Some((ticket, lines, _room)) = self.tickets.pop_front() else {
            return Ok(());
        };
        let receipt = ticket.wait()?;
        self.outcome.tally.add(&receipt.tally);
        self.watcher.receipt(&receipt);
        self.watcher.durable(0, lines);
        Ok(())
    }
}

/// The event for a process that died while it recorded.
fn died(observer: &str) -> Event<'_> {
    Event {
        observer: observer.into(),
        self_user: None,
        id: None,
        stamp: Stamp::NONE,
        payload: EventPayload::Link(ReportedLink {
            state: LinkState::Down,
            channels: Vec::new(),
            unrestored: Vec::new(),
            service: Service::All,
            reason: Some("restart".into()),
        }),
    }
}
