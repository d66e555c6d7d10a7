//! Where the writer decides: lines become entries, entries frames, and now and then the state a checkpoint.

use super::batch::{Batch, Clamped, Line, Receipt, Rejected, Reply};
use super::checkpoint::{self, Checkpoint, Parts, Place};
use super::cut::frames;
use super::digests::Digests;
use super::error::StoreError;
use super::retries::{Remembered, Retries};
use super::scan::{At, Fold, Scope, Start, Visitor, channel_of, read_on, start};
use super::{Clock, Shared};
use crate::domain::decide::decide;
use crate::domain::entry::{Commit, Entry, Page, Recording, Rules, What};
use crate::domain::event::Event;
use crate::domain::names::{Name, NumberMap};
use crate::domain::time::Millis;
use crate::limits;
use crate::log::frame::{Encoder, Packing, Place as FramePlace};
use crate::log::salts::Salts;
use crate::log::{Record, Reject};
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender};

use super::writer::Appended;

/// Where the writer decides.
pub(super) struct Desk {
    shared: Arc<Shared>,
    fold: Fold,
    retries: Retries,
    digests: Digests,
    encoder: Encoder,
    /// The first entry that is not yet in a frame.
    unframed: u64,
    clock: Clock,
    records: Vec<Record>,
    /// Which of them must stand in one frame.
    together: Vec<Range<usize>>,
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
    pub fn open(shared: Arc<Shared>) -> Result<Desk, StoreError> {
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
            together: Vec::new(),
            waiting: 0,
            changed,
            fresh_ids: ids,
            entries_since: entries,
            parts,
            retry_chunks,
        })
    }

    pub fn run(mut self, batches: &Receiver<(Batch, Reply)>, to_sync: &SyncSender<Appended>) {
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
        let start = self.records.len();
        for line in batch.lines {
            let refused = match line {
                Line::Progress(progress) => {
                    // A frame with lines and not their progress, the last one before a crash, would have them read twice.
                    let end = self.records.len() + 1;
                    match self.together.last_mut() {
                        Some(whole) if whole.start == start => whole.end = end,
                        _ => self.together.push(start..end),
                    }
                    self.fold.aside.note_progress(progress.clone());
                    self.records.push(Record::Progress(progress));
                    continue;
                }
                Line::Rejected(rejected) => Some(*rejected),
                Line::Event(event, raw) => {
                    let recording = Recording::default();
                    self.take_event(&event, raw, &batch.rules, recording, &mut receipt)
                }
                Line::Again(event, raw, recording) => {
                    self.take_event(&event, raw, &batch.rules, recording, &mut receipt)
                }
                Line::Retry(event, raw, reject) => {
                    let (begin, recording) = (self.records.len(), Recording::default());
                    let raw = Some(raw);
                    match self.take_event(&event, raw, &batch.rules, recording, &mut receipt) {
                        Some(refused) => receipt.refuse(refused),
                        None => {
                            // Both or neither, so that it is neither lost nor taken twice.
                            self.records.push(Record::Settled(reject));
                            self.together.push(begin..self.records.len());
                        }
                    }
                    continue;
                }
            };
            let Some(refused) = refused else { continue };
            self.reject(refused, &mut receipt);
            if batch.strict {
                receipt.stopped = true;
                break;
            }
        }
        receipt
    }

    /// Takes in an event; gives its line back if it must be refused.
    fn take_event(
        &mut self,
        event: &Event<'static>,
        raw: Option<Box<Rejected>>,
        rules: &Rules,
        recording: Recording,
        receipt: &mut Receipt,
    ) -> Option<Rejected> {
        let rules = recording.rules.unwrap_or(*rules);
        let now = recording.recorded_at.unwrap_or_else(|| (self.clock)());
        let taken = self.decided(event, &rules, now, receipt);
        receipt.seqs.push(taken.as_ref().ok().copied().flatten());
        let reason = taken.err()?;
        let raw = raw.map(|raw| *raw).unwrap_or_default();
        Some(Rejected { reason, ..raw })
    }

    /// Decides about an event, and applies what follows: its first entry.
    fn decided(
        &mut self,
        event: &Event<'static>,
        rules: &Rules,
        now: Millis,
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

    fn reject(&mut self, mut rejected: Rejected, receipt: &mut Receipt) {
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
            text: room.then_some(std::mem::take(&mut rejected.text)),
        };
        receipt.refuse(rejected);
        self.fold.aside.count_reject(&reject);
        self.records.push(Record::Reject(reject));
    }

    /// Hands what was decided to the engine: the position behind it, and a checkpoint if one is due.
    fn append(&mut self, last: bool) -> Result<(u64, Option<Checkpoint>), StoreError> {
        let records = std::mem::take(&mut self.records);
        self.waiting = 0;
        let engine = &*self.shared.engine;
        let together = std::mem::take(&mut self.together);
        for chunk in frames(&records, &together) {
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

/// Notes which channels an entry has changed.
fn touch(changed: &mut NumberMap<Name, ()>, entry: &Entry, fold: &Fold) {
    match channel_of(entry, &fold.names) {
        Some(channel) => {
            changed.insert(channel, ());
        }
        None => {
            for channel in fold.state.channels_of(entry.observer) {
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
                    self.changed
                        .extend(at.state.channels_of(entry.observer).map(|name| (name, ())));
                }
            }
        }
        Ok(())
    }

    fn page(&mut self, _at: At<'_>, _rules: &Rules, page: &Page) -> Result<(), StoreError> {
        self.changed.insert(page.channel, ());
        self.entries += 1;
        Ok(())
    }
}
