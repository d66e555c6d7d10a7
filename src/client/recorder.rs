//! Passes lines to a store, from a task that must not block on it: a separate thread submits them in batches and
//! collects the receipts. The lines are not interpreted here.

use crate::domain::event::{Event, EventPayload, LinkState, ReportedLink, Service};
use crate::domain::order::Stamp;
use crate::ingest::source::LineText;
use crate::ingest::{
    Batcher, IngestOptions, IngestOutcome, LineLocation, ProgressListener, Submitter,
};
use crate::limits::RECORD_AHEAD_BYTES_MAX;
use crate::store::{Store, StoreError};
use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

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

/// A line that waits for the thread.
struct WaitingLine {
    source: Arc<str>,
    line: u64,
    byte: u64,
    text: Vec<u8>,
    room: OwnedSemaphorePermit,
}

impl Recorder {
    /// Starts to record what the observer of `how` sees. If the log says that the observer's link is up, the process
    /// that recorded before has died: a link-down event is recorded first. `listener` receives rejects and late
    /// entries.
    ///
    /// # Errors
    /// When the system cannot start a thread.
    pub fn start(
        store: Arc<Store>,
        how: IngestOptions,
        listener: impl ProgressListener + Send + 'static,
    ) -> std::io::Result<Recorder> {
        let (lines, waiting) = unbounded_channel();
        let thread = std::thread::Builder::new().name("rollbook-record".into());
        Ok(Recorder {
            lines,
            room: Arc::new(Semaphore::new(RECORD_AHEAD_BYTES_MAX)),
            thread: thread.spawn(move || record(&store, &how, listener, waiting))?,
        })
    }

    /// Takes a line. Waits while too many bytes are not durable yet. `false`: no more lines are accepted, and
    /// [`finish`](Recorder::finish) returns the reason.
    pub(crate) async fn line(&self, at: LineLocation<'_>, text: &[u8]) -> bool {
        let cost = (text.len() + LINE_COST).min(RECORD_AHEAD_BYTES_MAX);
        let cost = u32::try_from(cost).unwrap_or(u32::MAX);
        let Ok(room) = Arc::clone(&self.room).acquire_many_owned(cost).await else {
            return false;
        };
        let line = WaitingLine {
            source: Arc::clone(at.source),
            line: at.line,
            byte: at.byte,
            text: text.to_vec(),
            room,
        };
        self.lines.send(line).is_ok()
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

/// Submits the lines that wait, until no more will come.
fn record(
    store: &Store,
    how: &IngestOptions,
    mut listener: impl ProgressListener,
    mut waiting: UnboundedReceiver<WaitingLine>,
) -> Result<IngestOutcome, StoreError> {
    let observer = &*how.observer;
    if store.as_of(None, None, |state, names| state.is_up(names.find(observer)))? {
        store.record(&[died(observer)])?;
    }
    let mut batcher = Batcher::default();
    let mut submitter = Submitter::new(store, &mut listener, 0);
    // For each batch on its way, the room that its lines take.
    let mut rooms = VecDeque::new();
    while let Some(first) = waiting.blocking_recv() {
        let (mut next, mut room) = (Some(first), Vec::new());
        while let Some(line) = next {
            let at = LineLocation {
                source: &line.source,
                line: line.line,
                byte: line.byte,
            };
            batcher.push(at, LineText::of(&line.text), None);
            room.push(line.room);
            next = if batcher.is_full() {
                None
            } else {
                waiting.try_recv().ok()
            };
        }
        submitter.submit(batcher.take(how), 0)?;
        rooms.push_back(room);
        // While the feed is silent, all batches are settled; none waits for the next line.
        let ahead = if waiting.is_empty() { 0 } else { BATCHES_AHEAD };
        while submitter.settle(ahead)? {
            rooms.pop_front();
        }
    }
    Ok(submitter.outcome)
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
