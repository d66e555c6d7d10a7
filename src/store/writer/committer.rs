//! The second half of the writer: turns decided batches into frames, appends and syncs them, publishes the head, and
//! then sends the receipts. Batches that arrive meanwhile share the next sync. Nothing is decided here.

use super::sealer::DUE_ENTRIES;
use crate::domain::names::NameTable;
use crate::domain::renumbering::Renumbering;
use crate::limits;
use crate::log::Record;
use crate::log::engine::Durability;
use crate::log::frame::{Encoded, Encoder, FramePosition as FramePlace, Packing};
use crate::log::salts::Salts;
use crate::store::batch::{Receipt, Reply};
use crate::store::checkpoint::{self, Checkpoint, PartFrames, PendingCheckpoint};
use crate::store::error::{RecordError, StoreError};
use crate::store::read::LogPosition;
use crate::store::read::frame_index::IndexedFrame;
use crate::store::read::recent::RecentFrame;
use crate::store::shared::{PoisonOnPanic, Published, StoreShared};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// A batch that the decider has decided, and the replies that wait for it.
pub(in crate::store) struct DecidedBatch {
    pub records: Vec<Record>,
    /// Ranges of records; each range must be in one frame.
    pub together: Vec<Range<usize>>,
    /// A connection was up before the batch, or was opened in it.
    pub connected: bool,
    pub replies: Vec<(Reply, Receipt)>,
    /// The state after the batch, if a checkpoint is due.
    pub checkpoint: Option<PendingCheckpoint>,
    /// The dictionary of everything that is decided after this batch, if it has changed.
    pub respelt: Option<NewNames>,
}

/// A dictionary with new numbers.
pub(in crate::store) struct NewNames {
    pub names: NameTable,
    pub renumbering: Renumbering,
}

/// Appends frames to the log.
pub(in crate::store) struct Committer {
    shared: Arc<StoreShared>,
    encoder: Encoder,
    names: NameTable,
    place: LogPosition,
    /// The first entry that is not yet in a frame.
    unframed: u64,
    parts: PartFrames,
    /// A checkpoint was saved, and older ones may be dropped.
    saved: bool,
    /// Frames that are appended and not yet durable.
    indexed: Vec<IndexedFrame>,
    /// The same, for readers that follow the log.
    recent: Vec<RecentFrame>,
    /// Wakes the thread that seals.
    sealer: SyncSender<()>,
}

impl Committer {
    /// A committer that continues at `place`, after the entry `head`, with the dictionary `names`.
    pub fn new(
        shared: Arc<StoreShared>,
        names: NameTable,
        place: LogPosition,
        head: u64,
        parts: PartFrames,
        sealer: SyncSender<()>,
    ) -> Result<Committer, StoreError> {
        let salts =
            Salts::from_system().map_err(|error| StoreError::Randomness(error.to_string()))?;
        Ok(Committer {
            shared,
            encoder: Encoder::new(salts, Packing::default()),
            names,
            place,
            unframed: head + 1,
            parts,
            saved: false,
            indexed: Vec::new(),
            recent: Vec::new(),
            sealer,
        })
    }

    /// Makes batches durable, and sends their receipts. Returns whether the writer may go on.
    fn commit(&mut self, all: &mut Vec<DecidedBatch>) -> bool {
        if let Err(error) = self.write(all) {
            self.shared.poison_with(&error);
        }
        let poison = self.shared.poison();
        for (reply, receipt) in all.drain(..).flat_map(|decided| decided.replies) {
            let outcome = match &poison {
                None => {
                    let meter = &self.shared.options.meter;
                    meter.committed(&receipt.tally);
                    if receipt.tally.rejected + receipt.tally.forbidden > 0 {
                        meter.refused(&receipt.rejected, &receipt.forbidden);
                    }
                    Ok(receipt)
                }
                Some(reason) => Err(RecordError::Poisoned(reason.clone())),
            };
            reply(outcome);
        }
        // No reply waits for this.
        if poison.is_none()
            && std::mem::take(&mut self.saved)
            && let Err(error) = checkpoint::drop_excess(&self.shared.log)
        {
            self.shared.options.meter.checkpoint_failed(&error);
        }
        if poison.is_none() && self.shared.unsealed() >= DUE_ENTRIES {
            // If it is at work it has been woken already; if it has ended, the frames stay.
            let _ = self.sealer.try_send(());
        }
        poison.is_none()
    }

    /// Appends all batches, syncs once, and publishes.
    pub(super) fn write(&mut self, all: &mut [DecidedBatch]) -> Result<(), StoreError> {
        let mut checkpoint: Option<Checkpoint> = None;
        for decided in all {
            self.append(decided)?;
            if let Some(draft) = decided.checkpoint.take() {
                match draft.finish(&self.place, &mut self.parts, &self.names) {
                    Ok(made) => match &mut checkpoint {
                        Some(earlier) => earlier.followed_by(made),
                        None => checkpoint = Some(made),
                    },
                    Err(error) => self.shared.checkpoint_failed(&error),
                }
            }
            if let Some(respelt) = decided.respelt.take() {
                let NewNames { names, renumbering } = respelt;
                self.parts = renumbering.by_name(std::mem::take(&mut self.parts));
                self.encoder.renumber(&renumbering);
                self.names = names;
            }
        }
        let began = Instant::now();
        self.shared.log.engine().sync()?;
        let before = self.shared.published().seq;
        let head = self.unframed - 1;
        let (next, seq) = (self.place.next, head);
        self.shared.index.push(self.indexed.drain(..));
        let recent = self.recent.drain(..);
        self.shared.publish(Published { next, seq }, recent);
        let meter = &self.shared.options.meter;
        meter.synced(began.elapsed(), head - before);
        if checkpoint.is_some() && self.shared.options.durability == Durability::Power {
            // A manifest with an older head is no reason to stop.
            drop(self.shared.note_head());
        }
        if let Some(checkpoint) = checkpoint {
            match checkpoint.save(self.shared.log.engine()) {
                Ok(()) => self.saved = true,
                // The lines are durable and published without the checkpoint, too.
                Err(error) => self.shared.checkpoint_failed(&error),
            }
        }
        Ok(())
    }

    fn append(&mut self, decided: &mut DecidedBatch) -> Result<(), StoreError> {
        let mut appended = Vec::new();
        for chunk in frames(&decided.records, &decided.together) {
            let LogPosition { next, frame, link } = self.place;
            let place = FramePlace {
                frame: frame + 1,
                first_seq: self.unframed,
                link,
                // Every frame has the flag: a crash may leave only the first of them.
                connected: decided.connected,
            };
            let Encoded { values, header } = self.encoder.encode(place, chunk, &self.names)?;
            self.shared.log.engine().append(next - 1, &values)?;
            self.unframed += header.entries;
            let position = next;
            let frame = IndexedFrame { header, position };
            self.place = frame.behind();
            appended.push((frame, chunk.len()));
        }
        if self.shared.recent.is_followed() {
            let mut records = std::mem::take(&mut decided.records).into_iter();
            let frames = appended.iter().map(|(frame, length)| RecentFrame {
                frame: frame.clone(),
                records: records.by_ref().take(*length).collect(),
                names: self.names.clone(),
            });
            self.recent.extend(frames);
        }
        let frames = appended.into_iter().map(|(frame, _)| frame);
        self.indexed.extend(frames);
        Ok(())
    }
}

/// The way of decided batches to the committer.
pub(in crate::store) struct CommitQueue {
    shared: Arc<StoreShared>,
    committer: Arc<Mutex<Committer>>,
    to_thread: SyncSender<DecidedBatch>,
    /// How many batches were sent to the thread and are not durable yet.
    on_way: Arc<AtomicUsize>,
}

/// A batch with this many entries is sent even if more lines are waiting.
const ENTRIES_MAX: usize = 16_384;
/// The same if the committer would run out of work: it writes one batch while the next is decided.
const ENTRIES_MIN: usize = 1_000;
/// The same for the bytes of the lines: what is sent together may become one frame, and a reader holds a frame as a whole.
const BYTES_MAX: u64 = 1 << 20;
/// How many decided batches may wait for the committer.
const DECIDED_AHEAD: usize = 4;
/// A batch with at most this many records is committed by the decider itself, if no other batch is on its way: waking
/// another thread for it would cost more than deciding the next batch meanwhile saves.
const SMALL_RECORDS: usize = 16;

impl CommitQueue {
    /// A queue to this committer, and the work of the committer's thread.
    pub fn new(committer: Committer) -> (CommitQueue, impl FnOnce() + Send + 'static) {
        let (to_thread, decided) = sync_channel(DECIDED_AHEAD);
        let shared = Arc::clone(&committer.shared);
        let queue = CommitQueue {
            shared: Arc::clone(&shared),
            committer: Arc::new(Mutex::new(committer)),
            to_thread,
            on_way: Arc::default(),
        };
        let (committer, on_way) = (Arc::clone(&queue.committer), Arc::clone(&queue.on_way));
        let work = move || {
            // Dropped before the replies, so that the store is poisoned before any caller learns of a panic.
            let mut all = Vec::new();
            let _guard = PoisonOnPanic(shared);
            while let Ok(first) = decided.recv() {
                all.push(first);
                all.extend(decided.try_iter());
                let batches = all.len();
                // After a panic in the other thread the store is poisoned.
                let Ok(mut committer) = committer.lock() else {
                    return;
                };
                if !committer.commit(&mut all) {
                    return;
                }
                on_way.fetch_sub(batches, Ordering::Release);
            }
        };
        (queue, work)
    }

    /// Whether more lines may join a batch that has so many entries, from so many bytes, before it is sent.
    pub fn lets_grow(&self, entries: usize, bytes: u64) -> bool {
        // One that it commits, and one to go on with.
        let is_busy = self.on_way.load(Ordering::Acquire) >= 2;
        let most = if is_busy { ENTRIES_MAX } else { ENTRIES_MIN };
        entries < most && bytes < BYTES_MAX
    }

    /// Commits a batch, or passes it on to be committed. Returns whether the writer may go on.
    pub fn send(&self, decided: DecidedBatch) -> bool {
        let is_small = decided.records.len() <= SMALL_RECORDS && decided.checkpoint.is_none();
        if is_small && self.on_way.load(Ordering::Acquire) == 0 {
            let mut all = vec![decided];
            // Dropped before the replies, as in the thread.
            let _guard = PoisonOnPanic(Arc::clone(&self.shared));
            let committer = self.committer.lock();
            return committer.is_ok_and(|mut committer| committer.commit(&mut all));
        }
        self.on_way.fetch_add(1, Ordering::Release);
        self.to_thread.send(decided).is_ok()
    }
}

/// Cuts records into frames, but never inside one of the ranges `together`, which are in order.
fn frames<'a>(
    records: &'a [Record],
    together: &'a [Range<usize>],
) -> impl Iterator<Item = &'a [Record]> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = records.get(start..).filter(|rest| !rest.is_empty())?;
        let mut entries = 0;
        let full = rest.iter().position(|record| {
            entries += match record {
                Record::Commit { entries, .. } => entries.len(),
                _ => 1,
            };
            entries > limits::FRAME_ENTRIES_MAX
        });
        let mut end = start + full.unwrap_or(rest.len()).max(1);
        if let Some(whole) = together
            .iter()
            .find(|whole| whole.start < end && end < whole.end)
        {
            end = if whole.start > start {
                whole.start
            } else {
                whole.end
            };
        }
        let frame = records.get(start..end);
        start = end;
        frame
    })
}
