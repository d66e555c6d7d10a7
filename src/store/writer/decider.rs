//! The first half of the writer: makes entries from lines, and at times a checkpoint from the state. Nothing is
//! written to the log here.

use super::clamped::{Frontiers, is_clamped};
use super::content_hash::content_hash;
use super::digests::Digests;
use super::dirty_set::DirtySet;
use super::recovery::Recovered;
use super::reject_quota::RejectQuota;
use super::retries::{Remembered, Retries};
use crate::domain::decide::decide;
use crate::domain::entry::{Commit, Entry, Payload, Rules};
use crate::domain::event::{Connection, Event, EventPayload, ReportedConnection};
use crate::domain::order::Stamp;
use crate::domain::resolve::{ResolvedEvent, resolve};
use crate::domain::resync::{occupancy_behind, resyncs_before};
use crate::domain::time::Millis;
use crate::limits;
use crate::log::{Record, Reject};
use crate::store::batch::{Batch, BatchEvent, BatchLine, FeedLine, LongLine, Receipt, Reply};
use crate::store::check;
use crate::store::checkpoint::{self, PendingCheckpoint};
use crate::store::error::StoreError;
use crate::store::options::Clock;
use crate::store::read::{StateCursor, channel_of};
use crate::store::reject_reason::kept_reason;
use crate::store::shared::{PoisonOnPanic, StoreShared};
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::time::Instant;

use super::committer::{CommitQueue, DecidedBatch, NewNames};

/// Decides about the lines of all batches.
pub(in crate::store) struct Decider {
    shared: Arc<StoreShared>,
    pub(super) cursor: StateCursor,
    retries: Retries,
    digests: Digests,
    frontiers: Frontiers,
    clock: Clock,
    /// The time of recording of the batch that is being taken: its lines came together.
    now: Millis,
    pub(super) records: Vec<Record>,
    /// Ranges of records; each range must be in one frame.
    together: Vec<Range<usize>>,
    waiting: usize,
    /// A connection was up at the end of the last frame, or has been opened since.
    connected: bool,
    /// The changes since the last checkpoint.
    since: DirtySet,
    retry_chunks: Vec<u64>,
    quota: RejectQuota,
}

/// How many ids one chunk among the key values holds.
const RETRY_CHUNK_IDS: usize = 4_096;

impl Decider {
    /// A decider that continues from the recovered state.
    pub fn new(shared: Arc<StoreShared>, recovered: Recovered) -> Decider {
        let cursor = recovered.cursor;
        Decider {
            digests: Digests::new(shared.digest_key),
            frontiers: Frontiers::default(),
            clock: Arc::clone(&shared.options.clock),
            now: 0,
            shared,
            connected: cursor.state.connected() > 0,
            cursor,
            retries: recovered.retries,
            records: Vec::new(),
            together: Vec::new(),
            waiting: 0,
            since: recovered.since,
            retry_chunks: recovered.retry_chunks,
            quota: RejectQuota::default(),
        }
    }

    pub fn run(mut self, batches: &Receiver<(Batch, Reply)>, committer: &CommitQueue) {
        let mut settled = false;
        let mut replies: Vec<(Reply, Receipt)> = Vec::new();
        // Dropped before the replies, so that the store is poisoned before any caller learns of a panic.
        let _guard = PoisonOnPanic(Arc::clone(&self.shared));
        while let Ok(first) = batches.recv() {
            if self.shared.poison().is_some() {
                break;
            }
            if !std::mem::replace(&mut settled, true) {
                self.settle();
            }
            let (mut next, mut bytes) = (Some(first), 0);
            while let Some((batch, reply)) = next {
                bytes += batch.weight();
                replies.push((reply, Receipt::default()));
                let receipt = self.take(&batch);
                if let Some((_, given)) = replies.last_mut() {
                    *given = receipt;
                }
                let more = committer.lets_grow(self.waiting, bytes);
                next = if more { batches.try_recv().ok() } else { None };
            }
            let decided = self.send_decided(std::mem::take(&mut replies), false);
            // If the committer has ended, it has poisoned the store.
            if !committer.send(decided) {
                break;
            }
        }
        if self.shared.poison().is_some() {
            return;
        }
        let rest = self.quota.rest();
        self.keep(rest);
        if !self.since.is_empty() || !self.records.is_empty() {
            let decided = self.send_decided(Vec::new(), true);
            // If the committer has ended, the checkpoint is not wanted either.
            committer.send(decided);
        }
    }

    fn take(&mut self, batch: &Batch) -> Receipt {
        let mut receipt = Receipt::default();
        let start = self.records.len();
        self.now = (self.clock)();
        self.records.reserve(batch.lines().len());
        receipt.seqs.reserve(batch.lines().len());
        for (at, line) in batch.lines().iter().enumerate() {
            batch.look_ahead(at, &self.cursor.state, &self.cursor.names);
            let refused = match line {
                BatchLine::Progress(progress) => {
                    // If a crash kept a frame with lines but lost their progress, the lines would be read twice.
                    let end = self.records.len() + 1;
                    match self.together.last_mut() {
                        Some(whole) if whole.start == start => whole.end = end,
                        _ => self.together.push(start..end),
                    }
                    self.cursor.bookkeeping.sources.note(progress.clone());
                    self.records.push(Record::Progress(progress.clone()));
                    continue;
                }
                BatchLine::Connection { observer, what, at } => {
                    self.connection(observer, *what, *at, batch.rules(), self.now, &mut receipt);
                    continue;
                }
                BatchLine::Rejected(line, reason) => Some((*line, Cow::Borrowed(&**reason))),
                BatchLine::Forbidden(line, reason) => {
                    receipt.forbid(line, reason);
                    None
                }
                BatchLine::Event(event) => {
                    let refused = self.take_event(event, batch.rules(), &mut receipt);
                    refused.map(|(line, reason)| (line, Cow::Owned(reason)))
                }
            };
            receipt.lines += 1;
            if let Some((line, reason)) = &refused {
                self.reject(line, reason, &mut receipt);
            }
            let forbidden = matches!(line, BatchLine::Forbidden(..));
            if batch.is_strict() && (refused.is_some() || forbidden) {
                receipt.stopped = true;
                break;
            }
        }
        let lines = batch.lines().len() as u64;
        self.shared.waiting.fetch_sub(lines, Ordering::Relaxed);
        receipt
    }

    /// Ends the connections that are up in the log: they were up when the previous process with the store open ended.
    fn settle(&mut self) {
        let StateCursor { state, names, .. } = &self.cursor;
        let up = state
            .observers()
            .filter(|(_, observer)| observer.is_connected());
        let mut up: Vec<String> = up.map(|(name, _)| names.text(name).to_owned()).collect();
        up.sort_unstable();
        let rules = self.shared.options.rules;
        for observer in up {
            let unasked = &mut Receipt::default();
            let now = (self.clock)();
            self.connection(&observer, Connection::Restart, None, &rules, now, unasked);
        }
    }

    pub(super) fn connection(
        &mut self,
        observer: &str,
        what: Connection,
        at: Option<Millis>,
        rules: &Rules,
        now: Millis,
        receipt: &mut Receipt,
    ) {
        let event = Event {
            observer: observer.into(),
            self_user: None,
            id: None,
            stamp: Stamp::NONE,
            payload: EventPayload::Connection(ReportedConnection { what, at }),
        };
        // A connection is never refused.
        let _ = self.decided(&event, None, rules, now, receipt);
        self.connected |= self.cursor.state.connected() > 0;
    }

    /// Records an event. If it must be refused, returns its line, and why.
    fn take_event<'a>(
        &mut self,
        event: &BatchEvent<'a>,
        rules: &Rules,
        receipt: &mut Receipt,
    ) -> Option<(FeedLine<'a>, String)> {
        let BatchEvent {
            event,
            line,
            recording,
        } = event;
        let recording = recording.as_deref().copied().unwrap_or_default();
        let rules = recording.rules.unwrap_or(*rules);
        let now = recording.recorded_at.unwrap_or(self.now);
        let begin = self.records.len();
        let taken = match recording.connection {
            Some(what) => {
                let at = event.stamp.ts;
                self.connection(&event.observer, what, at, &rules, now, receipt);
                Ok(None)
            }
            None => self.decided(event, line.as_ref(), &rules, now, receipt),
        };
        receipt.seqs.push(taken.as_ref().ok().copied().flatten());
        let line = line.unwrap_or_default();
        match taken {
            Err(reason) => return Some((line, reason)),
            Ok(_) => {
                if let Some(ordinal) = line.retry_of {
                    // Both records or neither, so that the line is neither lost nor recorded twice.
                    self.records.push(Record::Settled(ordinal));
                    self.together.push(begin..self.records.len());
                }
            }
        }
        None
    }

    /// Decides about an event and applies what follows; `line` is its line. Returns the seq of its first entry.
    pub(super) fn decided(
        &mut self,
        event: &Event<'_>,
        line: Option<&FeedLine<'_>>,
        rules: &Rules,
        now: Millis,
        receipt: &mut Receipt,
    ) -> Result<Option<u64>, String> {
        let id = event
            .id
            .as_deref()
            .map(|id| Retries::key(&event.observer, id));
        if let Some((seq, said)) = id.and_then(|(key, _)| self.retries.find(key)) {
            receipt.tally.retries += 1;
            if said.is_some_and(|said| said != content_hash(event)) {
                receipt.differs(event, line, seq);
            }
            return Ok(Some(seq));
        }
        // A feed takes observer and `self` from the line or from its settings.
        check::whose(event).map_err(|unfit| unfit.to_string())?;
        let resolved = resolve(event, &mut self.cursor.names);
        let StateCursor { state, names, .. } = &self.cursor;
        for resync in resyncs_before(state, names, &resolved, rules, now) {
            // If a resync cannot be decided, nothing remains to be decided about it.
            let _ = self.decide_one(&resync, line, rules, now, receipt);
        }
        let seq = self.decide_one(&resolved, line, rules, now, receipt)?;
        if let (Some((key, observer)), Some(seq)) = (id, seq) {
            let said = Some(content_hash(event));
            let id = Remembered {
                key,
                observer,
                seq,
                said,
            };
            self.retries.remember(id);
            self.since.ids.push(id);
        }
        if let Some(occupancy) = occupancy_behind(&resolved) {
            self.decide_one(&occupancy, line, rules, now, receipt)?;
        }
        Ok(seq)
    }

    /// Decides about one event that was not recorded before.
    fn decide_one(
        &mut self,
        event: &ResolvedEvent<'_>,
        line: Option<&FeedLine<'_>>,
        rules: &Rules,
        now: Millis,
        receipt: &mut Receipt,
    ) -> Result<Option<u64>, String> {
        let StateCursor { state, names, .. } = &self.cursor;
        let began = event.is_snapshot().then(Instant::now);
        let commit =
            decide(state, names, event, rules, now).map_err(|refusal| refusal.to_string())?;
        if let Some(began) = began {
            self.shared.options.meter.reconciled(began.elapsed());
        }
        match commit {
            Commit::Nothing => Ok(None),
            Commit::Page(page) => {
                self.cursor.state.apply_page(&page);
                self.since.note_page(&page);
                self.records.push(Record::Page {
                    rules: *rules,
                    page,
                });
                Ok(None)
            }
            Commit::Closed(closed) => {
                self.cursor.state.apply_closed(&closed);
                self.records.push(Record::Closed(closed));
                Ok(None)
            }
            Commit::Entries(mut entries) => {
                let seq = entries.first().map(|entry| entry.seq);
                self.apply_commit(&mut entries, line, receipt);
                self.records.push(Record::Commit {
                    rules: *rules,
                    entries,
                });
                Ok(seq)
            }
        }
    }

    /// Applies the entries of a commit, and writes the roster's digest into its snapshot.
    fn apply_commit(
        &mut self,
        entries: &mut [Entry],
        line: Option<&FeedLine<'_>>,
        receipt: &mut Receipt,
    ) {
        for entry in entries.iter() {
            let StateCursor { state, names, .. } = &mut self.cursor;
            let channel = channel_of(entry, names);
            self.digests.before(entry, state, names);
            state.apply(entry, names);
            receipt.tally.count(entry);
            self.frontiers.note(entry, channel, line);
            if is_clamped(entry) {
                receipt.tally.clamped += 1;
                if receipt.clamped.len() < limits::CLAMPED_SHOWN_MAX {
                    let clamped = self.frontiers.clamped(entry, names, &self.shared);
                    receipt.clamped.push(clamped);
                }
            }
            self.since.note(state, entry, channel);
        }
        self.waiting += entries.len();
        if let Some(Entry {
            payload: Payload::Snapshot(snapshot),
            ..
        }) = entries.first_mut()
            && !snapshot.stale
        {
            snapshot.digest =
                self.digests
                    .of(snapshot.channel, &self.cursor.state, &self.cursor.names);
        }
        receipt.tally.line(entries);
    }

    /// Keeps a rejected line. A retry is kept already.
    fn reject(&mut self, line: &FeedLine<'_>, reason: &str, receipt: &mut Receipt) {
        receipt.reject(line, reason);
        if line.retry_of.is_some() {
            return;
        }
        let whole = || LongLine {
            length: line.text.len() as u64,
            blake3: *blake3::hash(line.text).as_bytes(),
        };
        let LongLine { length, blake3 } = line.too_long.unwrap_or_else(whole);
        let head = line.text.get(..limits::REJECT_TEXT_BYTES_MAX);
        let reject = Reject {
            recorded_at: self.now,
            source: Arc::from(line.source),
            line: line.line,
            byte: line.byte,
            reason: kept_reason(reason, line.limited),
            length,
            blake3,
            text: Some(head.unwrap_or(line.text).to_vec()),
        };
        let base = self.shared.log.blocks().base();
        let pruned = base.map_or((0, 0), |base| (base.rejects, base.reject_bytes));
        let kept = self.quota.of(reject, &self.cursor.bookkeeping, pruned);
        self.keep(kept);
    }

    pub(super) fn keep(&mut self, reject: Option<Reject>) {
        if let Some(reject) = reject {
            self.cursor.bookkeeping.count_reject(&reject);
            self.records.push(Record::Reject(reject));
        }
    }

    /// The batch of everything decided since the last call, with a checkpoint if one is due.
    pub(super) fn send_decided(
        &mut self,
        replies: Vec<(Reply, Receipt)>,
        last: bool,
    ) -> DecidedBatch {
        self.waiting = 0;
        let still = self.cursor.state.connected() > 0;
        let connected = std::mem::replace(&mut self.connected, still);
        let checkpoint = if self.since.is_due(&self.cursor.names, last) {
            let made = self.checkpoint();
            // After a failure the next attempt is made when the next checkpoint is due.
            self.since.count_from_here();
            made.map_err(|error| self.shared.checkpoint_failed(&error))
                .ok()
        } else {
            None
        };
        let room = Vec::with_capacity(self.records.len());
        DecidedBatch {
            records: std::mem::replace(&mut self.records, room),
            together: std::mem::take(&mut self.together),
            connected,
            replies,
            checkpoint,
            respelt: self.forget_absent(),
        }
    }

    /// Forgets the names that nothing needs. At this point no waiting record holds a number of theirs.
    fn forget_absent(&mut self) -> Option<NewNames> {
        let renumbering = self.cursor.forget_absent()?;
        self.digests.renumber(&renumbering);
        self.frontiers.renumber(&renumbering);
        self.since.renumber(&renumbering);
        Some(NewNames {
            names: self.cursor.names.table().clone(),
            renumbering,
        })
    }

    fn checkpoint(&mut self) -> Result<PendingCheckpoint, StoreError> {
        if self.shared.checkpoint_lost.swap(false, Ordering::Relaxed) {
            let channels = self.cursor.state.channels();
            self.since
                .changed
                .extend(channels.map(|(name, _)| (name, ())));
        }
        self.save_retries()?;
        let changed = &self.since.changed;
        let made = checkpoint::draft(&self.cursor, changed, &self.retry_chunks)?;
        self.since.drafted();
        Ok(made)
    }

    fn save_retries(&mut self) -> Result<(), StoreError> {
        let engine = self.shared.log.engine();
        while !self.since.ids.is_empty() {
            let chunk = self.retry_chunks.last().map_or(1, |last| last + 1);
            let length = self.since.ids.len().min(RETRY_CHUNK_IDS);
            let ids = self.since.ids.get(..length).unwrap_or_default();
            checkpoint::save_retries(engine, chunk, ids)?;
            self.retry_chunks.push(chunk);
            self.since.ids.drain(..length);
        }
        let kept = (limits::RETRY_IDS_MAX
            + limits::RETRY_OBSERVERS_MAX * limits::RETRY_IDS_PER_OBSERVER_MIN)
            / RETRY_CHUNK_IDS;
        while self.retry_chunks.len() > 2 * kept {
            let Some(&oldest) = self.retry_chunks.first() else {
                break;
            };
            // Its ids that are still remembered go into the next chunk.
            let ids = checkpoint::load_retries(engine, oldest)?.unwrap_or_default();
            self.since.ids.extend(
                ids.into_iter()
                    .filter(|id| self.retries.find(id.key).is_some()),
            );
            self.retry_chunks.remove(0);
            checkpoint::drop_retries(engine, oldest)?;
        }
        Ok(())
    }
}
