//! The one writer: it takes lines from a bounded queue, decides what follows from them, and appends; a second
//! thread syncs. So a batch is decided while the one before it becomes durable, and what waits is synced together.
//!
//! **Invariant:** a receipt is given only for what is durable. After a failed append or sync nothing more is
//! written: the writer is poisoned, and what was not durable is gone with it.

use super::checkpoint::{self, Checkpoint, Parts, Place};
use super::digests::Digests;
use super::error::StoreError;
use super::retries::{Remembered, Retries};
use super::scan::{At, Fold, Scope, Start, Visitor, channel_of, read_on, start};
use super::tally::Tally;
use super::{Clock, Shared};
use crate::domain::decide::decide;
use crate::domain::entry::{Commit, Entry, Rules, What};
use crate::domain::event::Event;
use crate::domain::names::{Name, NumberMap};
use crate::domain::time::Millis;
use crate::limits;
use crate::log::frame::{Encoder, Packing, Place as FramePlace};
use crate::log::salts::Salts;
use crate::log::{Progress, Record, Reject};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// One line for the writer.
#[derive(Debug, Clone)]
pub enum Line {
    /// An event, and its line as it came, for the case that it must be refused.
    Event(Event<'static>, Option<Box<Rejected>>),
    /// A line that no event could be made of.
    Rejected(Box<Rejected>),
    /// How far a source has been read with the lines before this one.
    Progress(Progress),
}

/// A line to be kept as a reject.
#[derive(Debug, Clone, Default)]
pub struct Rejected {
    /// The file or feed.
    pub source: Arc<str>,
    /// Its line there, from 1.
    pub line: u64,
    /// Where that line begins.
    pub byte: u64,
    /// Why; for an event that is refused only by the writer, that adds it.
    pub reason: String,
    /// The front of the line, up to [`limits::REJECT_TEXT_BYTES_MAX`].
    pub text: Vec<u8>,
    /// Bytes of the whole line.
    pub length: u64,
    /// BLAKE3 of the whole line, where `text` is not all of it.
    pub blake3: Option<[u8; 32]>,
}

/// Lines that are handed over together.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// The lines, in order.
    pub lines: Vec<Line>,
    /// How they are to be taken.
    pub rules: Rules,
    /// Stop at the first line that is rejected: that one is kept, and nothing behind it is taken.
    pub strict: bool,
}

/// What became of a batch. All of it is durable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Receipt {
    /// The counts.
    pub tally: Tally,
    /// For each event of the batch the first entry that it made; `None` where it made none. A retry has the
    /// entry that it made the first time.
    pub seqs: Vec<Option<u64>>,
    /// The lines that were rejected.
    pub rejected: Vec<Refused>,
    /// The first entries that take effect much later than they occurred.
    pub clamped: Vec<Clamped>,
    /// A strict batch ended at a rejected line.
    pub stopped: bool,
}

/// A line that was rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The file or feed.
    pub source: Arc<str>,
    /// Its line there, from 1.
    pub line: u64,
    /// Where that line begins.
    pub byte: u64,
    /// Why.
    pub reason: String,
}

/// An entry that takes effect more than [`limits::CLAMPED_MS`] after it occurred.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clamped {
    /// The entry.
    pub seq: u64,
    /// Its channel; empty for an entry that names none.
    pub channel: String,
    /// When it occurred.
    pub occurred_at: Millis,
    /// When it takes effect.
    pub effective_at: Millis,
}

type Reply = SyncSender<Result<Receipt, StoreError>>;

/// A receipt to come.
pub struct Ticket(Receiver<Result<Receipt, StoreError>>);

impl Ticket {
    /// Waits until the batch is durable.
    ///
    /// # Errors
    /// Where it could not be written.
    pub fn wait(self) -> Result<Receipt, StoreError> {
        let gone = || StoreError::Poisoned("the writer has ended".into());
        self.0.recv().unwrap_or_else(|_| Err(gone()))
    }
}

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

    pub fn submit(&self, batch: Batch) -> Ticket {
        let (reply, receipt) = sync_channel(1);
        if let Some(queue) = &self.queue {
            // Where the writer has ended the ticket says so.
            let _ = queue.send((batch, reply));
        }
        Ticket(receipt)
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
struct Appended {
    /// The engine's position behind it.
    next: u64,
    seq: u64,
    replies: Vec<(Reply, Receipt)>,
    checkpoint: Option<Checkpoint>,
}

/// Where the writer decides.
struct Desk {
    shared: Arc<Shared>,
    fold: Fold,
    retries: Retries,
    digests: Digests,
    encoder: Encoder,
    /// The first entry that is not yet in a frame.
    unframed: u64,
    clock: Clock,
    records: Vec<Record>,
    waiting: usize,
    /// Since the last checkpoint.
    changed: NumberMap<Name, ()>,
    fresh_ids: Vec<Remembered>,
    entries_since: usize,
    parts: Parts,
    retry_chunks: Vec<u64>,
}

/// How many ids one chunk on the shelf holds.
const RETRY_CHUNK_IDS: usize = 4_096;
/// A checkpoint is made after so many entries, or as many more as make its cost small beside theirs.
const CHECKPOINT_ENTRIES_MIN: usize = 65_536;
const CHECKPOINT_ENTRIES_PER_MEMBER: usize = 4;
/// Entries that are decided before they are handed to the engine, though more lines are waiting.
const APPEND_ENTRIES_MAX: usize = 16_384;

impl Desk {
    fn open(shared: Arc<Shared>) -> Result<Desk, StoreError> {
        let engine = &*shared.engine;
        let end = engine.head() + 1;
        let scope = Scope {
            start: Start::Behind(u64::MAX),
            ..Scope::default()
        };
        let mut fold = start(engine, end, &scope)?;
        let (parts, mut retry_chunks) = checkpoint::pointers(engine, &mut fold)?;
        let mut retries = Retries::default();
        let mut whole = true;
        for &chunk in &retry_chunks {
            match checkpoint::load_retries(engine, chunk)? {
                Some(ids) => ids.into_iter().for_each(|id| retries.remember(id)),
                None => whole = false,
            }
        }
        if !whole {
            // A chunk is gone: read everything again, so that no line is taken twice.
            fold = Fold::default();
            retries = Retries::default();
            retry_chunks.clear();
        }
        let mut tail = Tail {
            retries: &mut retries,
            changed: NumberMap::default(),
            ids: Vec::new(),
            entries: 0,
        };
        read_on(engine, &mut fold, end, &Scope::default(), &mut tail)?;
        let Tail {
            changed,
            ids,
            entries,
            ..
        } = tail;
        let salts =
            Salts::from_system().map_err(|error| StoreError::Randomness(error.to_string()))?;
        let unframed = fold.state.head() + 1;
        Ok(Desk {
            digests: Digests::new(shared.digest_key),
            clock: Arc::clone(&shared.options.clock),
            shared,
            fold,
            retries,
            encoder: Encoder::new(salts, Packing::default()),
            unframed,
            records: Vec::new(),
            waiting: 0,
            changed,
            fresh_ids: ids,
            entries_since: entries,
            parts,
            retry_chunks,
        })
    }

    fn run(mut self, batches: &Receiver<(Batch, Reply)>, to_sync: &SyncSender<Appended>) {
        while let Ok(first) = batches.recv() {
            if self.shared.poison().is_some() {
                break;
            }
            let mut replies = Vec::new();
            let mut next = Some(first);
            while let Some((batch, reply)) = next {
                let receipt = self.take(batch);
                replies.push((reply, receipt));
                next = if self.waiting < APPEND_ENTRIES_MAX {
                    batches.try_recv().ok()
                } else {
                    None
                };
            }
            match self.append(false) {
                Ok((next, checkpoint)) => {
                    let seq = self.fold.state.head();
                    if to_sync
                        .send(Appended {
                            next,
                            seq,
                            replies,
                            checkpoint,
                        })
                        .is_err()
                    {
                        break;
                    }
                }
                Err(error) => {
                    self.shared.poison_with(&error);
                    break;
                }
            }
        }
        if self.shared.poison().is_none()
            && self.entries_since > 0
            && let Ok((next, checkpoint)) = self.append(true)
        {
            let (seq, replies) = (self.fold.state.head(), Vec::new());
            // A syncer that has ended has poisoned the store: then no checkpoint is wanted.
            let _ = to_sync.send(Appended {
                next,
                seq,
                replies,
                checkpoint,
            });
        }
    }

    fn take(&mut self, batch: Batch) -> Receipt {
        let mut receipt = Receipt::default();
        for line in batch.lines {
            let refused = match line {
                Line::Progress(progress) => {
                    self.fold.aside.note_progress(progress.clone());
                    self.records.push(Record::Progress(progress));
                    continue;
                }
                Line::Rejected(rejected) => *rejected,
                Line::Event(event, raw) => {
                    match self.take_event(&event, &batch.rules, &mut receipt) {
                        Ok(seq) => {
                            receipt.seqs.push(seq);
                            continue;
                        }
                        Err(reason) => {
                            receipt.seqs.push(None);
                            Rejected {
                                reason,
                                ..raw.map(|raw| *raw).unwrap_or_default()
                            }
                        }
                    }
                }
            };
            self.reject(refused, &mut receipt);
            if batch.strict {
                receipt.stopped = true;
                break;
            }
        }
        receipt
    }

    fn take_event(
        &mut self,
        event: &Event<'static>,
        rules: &Rules,
        receipt: &mut Receipt,
    ) -> Result<Option<u64>, String> {
        let id = event
            .id
            .as_deref()
            .map(|id| Retries::key(&event.observer, id));
        if let Some(seq) = id.and_then(|(key, _)| self.retries.find(key)) {
            receipt.tally.retries += 1;
            return Ok(Some(seq));
        }
        let now = (self.clock)();
        let Fold { state, names, .. } = &mut self.fold;
        let commit =
            decide(state, names, event, rules, now).map_err(|refusal| refusal.to_string())?;
        match commit {
            Commit::Nothing => Ok(None),
            Commit::Page(page) => {
                self.fold.state.apply_page(&page);
                self.changed.insert(page.channel, ());
                self.records.push(Record::Page {
                    rules: *rules,
                    page,
                });
                Ok(None)
            }
            Commit::Entries(mut entries) => {
                let seq = entries.first().map(|entry| entry.seq);
                self.take_in(&mut entries, receipt);
                if let (Some((key, observer)), Some(seq)) = (id, seq) {
                    let id = Remembered { key, observer, seq };
                    self.retries.remember(id);
                    self.fresh_ids.push(id);
                }
                self.records.push(Record::Commit {
                    rules: *rules,
                    entries,
                });
                Ok(seq)
            }
        }
    }

    /// Applies the entries of a commit, and stamps the digest of the roster on its snapshot.
    fn take_in(&mut self, entries: &mut [Entry], receipt: &mut Receipt) {
        for entry in entries.iter() {
            self.digests
                .before(entry, &self.fold.state, &self.fold.names);
            self.fold.state.apply(entry, &self.fold.names);
            receipt.tally.count(entry);
            if entry.effective_at.saturating_sub(entry.occurred_at) > limits::CLAMPED_MS {
                receipt.tally.clamped += 1;
                if receipt.clamped.len() < limits::CLAMPED_SHOWN_MAX {
                    let &Entry {
                        seq,
                        occurred_at,
                        effective_at,
                        ..
                    } = entry;
                    let channel = channel_of(entry, &self.fold.names);
                    let channel = channel
                        .map_or("", |name| self.fold.names.text(name))
                        .to_owned();
                    receipt.clamped.push(Clamped {
                        seq,
                        channel,
                        occurred_at,
                        effective_at,
                    });
                }
            }
            touch(&mut self.changed, entry, &self.fold);
        }
        self.waiting += entries.len();
        self.entries_since += entries.len();
        if let Some(Entry {
            what: What::Snapshot(snapshot),
            ..
        }) = entries.first_mut()
            && !snapshot.stale
        {
            snapshot.digest = self
                .digests
                .of(snapshot.channel, &self.fold.state, &self.fold.names);
        }
        receipt.tally.line(entries);
    }

    fn reject(&mut self, rejected: Rejected, receipt: &mut Receipt) {
        let room =
            self.fold.aside.reject_bytes + rejected.text.len() as u64 <= limits::REJECTS_BYTES_MAX;
        let reject = Reject {
            recorded_at: (self.clock)(),
            source: Arc::clone(&rejected.source),
            line: rejected.line,
            byte: rejected.byte,
            reason: Arc::from(rejected.reason.as_str()),
            length: rejected.length,
            blake3: rejected
                .blake3
                .unwrap_or_else(|| *blake3::hash(&rejected.text).as_bytes()),
            text: room.then_some(rejected.text),
        };
        self.fold.aside.count_reject(&reject);
        self.records.push(Record::Reject(reject));
        receipt.tally.rejected += 1;
        let Rejected {
            source,
            line,
            byte,
            reason,
            ..
        } = rejected;
        receipt.rejected.push(Refused {
            source,
            line,
            byte,
            reason,
        });
    }

    /// Hands what was decided to the engine: the position behind it, and a checkpoint if one is due.
    fn append(&mut self, last: bool) -> Result<(u64, Option<Checkpoint>), StoreError> {
        let records = std::mem::take(&mut self.records);
        self.waiting = 0;
        let engine = &*self.shared.engine;
        for chunk in frames(&records) {
            let Place { next, frame, link } = self.fold.place;
            let place = FramePlace {
                frame: frame + 1,
                first_seq: self.unframed,
                link,
            };
            let encoded = self.encoder.encode(place, chunk, &self.fold.names)?;
            let head = engine.append(next - 1, &encoded.values)?;
            self.unframed += encoded.header.entries;
            self.fold.place = Place {
                next: head + 1,
                frame: frame + 1,
                link: encoded.header.link_after,
            };
        }
        let weight = self
            .fold
            .names
            .members()
            .saturating_mul(CHECKPOINT_ENTRIES_PER_MEMBER);
        let due = self.entries_since >= CHECKPOINT_ENTRIES_MIN.max(weight)
            || (last && self.entries_since > 0);
        let checkpoint = if due { Some(self.checkpoint()?) } else { None };
        Ok((self.fold.place.next, checkpoint))
    }

    fn checkpoint(&mut self) -> Result<Checkpoint, StoreError> {
        let engine = &*self.shared.engine;
        for ids in self.fresh_ids.chunks(RETRY_CHUNK_IDS) {
            let chunk = self.retry_chunks.last().map_or(1, |last| last + 1);
            checkpoint::save_retries(engine, chunk, ids)?;
            self.retry_chunks.push(chunk);
        }
        self.fresh_ids.clear();
        let kept = (limits::RETRY_IDS_MAX
            + limits::RETRY_OBSERVERS_MAX * limits::RETRY_IDS_PER_OBSERVER_MIN)
            / RETRY_CHUNK_IDS;
        while self.retry_chunks.len() > 2 * kept {
            let oldest = self.retry_chunks.remove(0);
            // What is still remembered of it goes into the next chunk.
            let ids = checkpoint::load_retries(engine, oldest)?.unwrap_or_default();
            self.fresh_ids.extend(
                ids.into_iter()
                    .filter(|id| self.retries.find(id.key).is_some()),
            );
            checkpoint::drop_retries(engine, oldest)?;
        }
        let made = checkpoint::make(
            &self.fold,
            &self.changed,
            &mut self.parts,
            &self.retry_chunks,
        )?;
        self.changed.clear();
        self.entries_since = 0;
        Ok(made)
    }
}

/// Records, cut into frames.
fn frames(records: &[Record]) -> impl Iterator<Item = &[Record]> {
    let mut rest = records;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut entries = 0;
        let full = rest.iter().position(|record| {
            entries += match record {
                Record::Commit { entries, .. } => entries.len(),
                _ => 1,
            };
            entries > limits::FRAME_ENTRIES_MAX
        });
        let (frame, left) = rest.split_at(full.unwrap_or(rest.len()).max(1));
        rest = left;
        Some(frame)
    })
}

/// Notes which channels an entry has changed.
fn touch(changed: &mut NumberMap<Name, ()>, entry: &Entry, fold: &Fold) {
    match channel_of(entry, &fold.names) {
        Some(channel) => {
            changed.insert(channel, ());
        }
        None => {
            for &channel in fold.state.channels_of(entry.observer) {
                changed.insert(channel, ());
            }
        }
    }
}

/// Reads what lies behind the last checkpoint when the writer starts.
struct Tail<'a> {
    retries: &'a mut Retries,
    changed: NumberMap<Name, ()>,
    ids: Vec<Remembered>,
    entries: usize,
}

impl Visitor for Tail<'_> {
    fn committed(&mut self, at: At<'_>, entries: &[Entry]) -> Result<(), StoreError> {
        self.entries += entries.len();
        if let Some((id, first)) = entries
            .first()
            .and_then(|entry| Some((entry.id.as_deref()?, entry)))
        {
            let (key, observer) = Retries::key(at.names.text(first.observer), id);
            let id = Remembered {
                key,
                observer,
                seq: first.seq,
            };
            self.retries.remember(id);
            self.ids.push(id);
        }
        for entry in entries {
            match at.channel_of(entry) {
                Some(channel) => {
                    self.changed.insert(channel, ());
                }
                None => {
                    self.changed.extend(
                        at.state
                            .channels_of(entry.observer)
                            .iter()
                            .map(|&name| (name, ())),
                    );
                }
            }
        }
        Ok(())
    }

    fn page(&mut self, channel: Name) {
        self.changed.insert(channel, ());
        self.entries += 1;
    }
}

/// Makes what was appended durable, publishes it, and gives the receipts.
fn sync_all(shared: &Shared, appended: &Receiver<Appended>) {
    while let Ok(first) = appended.recv() {
        let mut all = vec![first];
        all.extend(appended.try_iter());
        let synced = shared.engine.sync();
        let checkpoints = all
            .iter_mut()
            .filter_map(|appended| appended.checkpoint.take())
            .last();
        let saved = synced.map_err(StoreError::from).and_then(|()| {
            if let Some(last) = all.last() {
                shared.publish(last.next, last.seq);
            }
            checkpoints.map_or(Ok(()), |checkpoint| checkpoint.save(&*shared.engine))
        });
        if let Err(error) = &saved {
            shared.poison_with(error);
        }
        for (reply, receipt) in all.into_iter().flat_map(|appended| appended.replies) {
            let outcome = match shared.poison() {
                None => Ok(receipt),
                Some(reason) => Err(StoreError::Poisoned(reason)),
            };
            // Nobody has to wait for a receipt.
            let _ = reply.send(outcome);
        }
        if shared.poison().is_some() {
            return;
        }
    }
}
