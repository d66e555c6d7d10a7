//! Batches on their way to the writer: submits them, waits for the oldest, and adds up what became of their lines.

use super::batcher::ReadBatch;
use super::listener::ProgressListener;
use super::outcome::IngestOutcome;
use crate::store::{Store, StoreError, Ticket};
use std::collections::VecDeque;

/// Batches of a source that may wait for the writer: enough that it never waits for the reader.
pub(super) const BATCHES_AHEAD: usize = 16;

/// Submits batches, and collects their receipts.
pub struct Submitter<'a> {
    store: &'a Store,
    /// Hears what becomes of the lines.
    pub listener: &'a mut dyn ProgressListener,
    in_flight: VecDeque<InFlight>,
    /// What became of the lines so far.
    pub outcome: IngestOutcome,
    /// The number of lines in settled batches.
    settled: u64,
    /// All of the source before this byte is durable.
    pub durable: u64,
}

struct InFlight {
    ticket: Ticket,
    /// The number of lines up to the end of the batch.
    lines: u64,
    /// The byte of the source up to which it reaches.
    byte: u64,
}

impl<'a> Submitter<'a> {
    /// A submitter for a source that is durable up to the byte `durable`.
    pub fn new(
        store: &'a Store,
        listener: &'a mut dyn ProgressListener,
        durable: u64,
    ) -> Submitter<'a> {
        Submitter {
            store,
            listener,
            in_flight: VecDeque::new(),
            outcome: IngestOutcome::default(),
            settled: 0,
            durable,
        }
    }

    /// Hands a batch to the writer. It reaches up to the byte `byte` of its source.
    ///
    /// # Errors
    /// If the store accepts no more lines.
    pub fn submit(&mut self, read: ReadBatch, byte: u64) -> Result<(), StoreError> {
        self.outcome.lines += read.lines;
        self.outcome.latest_time = self.outcome.latest_time.max(read.latest_time);
        let ticket = self.store.submit(read.batch)?;
        self.in_flight.push_back(InFlight {
            ticket,
            lines: self.outcome.lines,
            byte,
        });
        Ok(())
    }

    /// Waits for the oldest batch, if more than `ahead` are on their way. Returns whether one was waited for.
    ///
    /// # Errors
    /// If the batch could not be written.
    pub fn settle(&mut self, ahead: usize) -> Result<bool, StoreError> {
        if self.in_flight.len() <= ahead {
            return Ok(false);
        }
        let Some(oldest) = self.in_flight.pop_front() else {
            return Ok(false);
        };
        let receipt = oldest.ticket.wait()?;
        self.outcome.tally.add(&receipt.tally);
        if receipt.stopped {
            // Lines after the one at which it stopped were read, but not recorded.
            self.outcome.stopped = true;
            self.outcome.lines = self.settled + receipt.lines;
        }
        self.settled = oldest.lines;
        self.listener.receipt(&receipt);
        self.durable = oldest.byte;
        self.listener.durable(oldest.byte, oldest.lines);
        Ok(true)
    }

    /// Whether a batch is on its way.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        !self.in_flight.is_empty()
    }
}
