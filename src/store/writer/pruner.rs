//! Retention: the oldest entries go, whole blocks and frames at a time. What must be known of them later is kept in the
//! *base* of the log: the chain's link, the state, and what questions remember of stays and gaps that go on.
//!
//! ```text
//! plan: which frames may go ─fold→ base: stored, read back ─→ blocks removed, frames trimmed
//! ```
//!
//! **Invariant:** the base is durable before anything that it stands for is removed. After a crash at any moment the old
//! base or the new one is found; what lies before it is removed when the store is opened.

use crate::domain::entry::PageStep;
use crate::domain::names::Names;
use crate::domain::time::Millis;
use crate::limits;
use crate::log::engine::{Durability, JournalError};
use crate::log::frame::{Check, DecodedRecord, FrameHeader, ReadScope};
use crate::log::read::{Frame, FrameBytes, ReadError};
use crate::log::{BaseHeader, Record};
use crate::store::checkpoint::{base_ids, beginning, drop_pruned};
use crate::store::error::StoreError;
use crate::store::locks::held;
use crate::store::read::{ScanScope, ScopedFrames};
use crate::store::retained::{BaseFold, BasePlace};
use crate::store::shared::StoreShared;

/// What pruning has removed, or would remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Pruned {
    /// Sealed blocks.
    pub blocks: u64,
    /// Entries.
    pub entries: u64,
    /// Bytes of these blocks, and of entries that were not sealed yet. The engine's files keep the room of these.
    pub bytes: u64,
    /// Where the store begins now.
    pub retained: Option<Retained>,
}

/// Where a store begins of which older entries were pruned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retained {
    /// The last entry that was pruned.
    pub seq: u64,
    /// From this moment on nothing is missing, Unix ms.
    pub from: Millis,
    /// What was known can be asked from this recording time on, Unix ms.
    pub known_from: Millis,
}

/// What may go.
pub(in crate::store) struct PrunePlan {
    pub pruned: Pruned,
    /// The engine's position where the log will begin; `None`: where it begins already.
    next: Option<u64>,
    /// The largest effective time of what goes.
    effective_at: Millis,
    /// When the last of it was recorded.
    recorded_at: Millis,
}

impl StoreShared {
    pub fn retained(&self) -> Option<Retained> {
        // Before the first entry there may have been rejects and pages, which nobody asks for by their time.
        let base = self.log.blocks().base().filter(|base| base.seq > 0)?;
        Some(Retained {
            seq: base.seq,
            from: base.retained_from(),
            known_from: base.recorded_at,
        })
    }

    /// Finds what may go: about so many entries, but always whole blocks.
    pub fn plan(&self, before: Millis, most: u64) -> Result<PrunePlan, StoreError> {
        let (log, end) = (&self.log, self.published().next);
        let base = log.blocks().base();
        let mut plan = PrunePlan {
            pruned: Pruned {
                retained: self.retained(),
                ..Pruned::default()
            },
            next: None,
            effective_at: base.as_ref().map_or(Millis::MIN, |base| base.effective_at),
            recorded_at: base.as_ref().map_or(Millis::MIN, |base| base.recorded_at),
        };
        let mut frames = log.frames(log.blocks().begin(), end);
        while plan.pruned.entries < most
            && let Some(frame) = frames.next_frame()?
        {
            let next = frame.next();
            // The last frame says where the log ends.
            if next >= end || !is_over(frame.header(), before) {
                break;
            }
            let header = frame.header().clone();
            let (sealed, bytes) = match frame_bytes(&frame) {
                None => break,
                Some(found) => found,
            };
            if header.pages + header.rejects > 0 {
                match self.latest_moment(frame, before)? {
                    Some(moment) => plan.effective_at = plan.effective_at.max(moment),
                    None => break,
                }
            }
            plan.next = Some(next);
            plan.pruned.blocks += u64::from(sealed);
            plan.pruned.entries += header.entries;
            plan.pruned.bytes += bytes;
            if header.entries > 0 {
                plan.effective_at = plan.effective_at.max(header.effective_at.1);
                plan.recorded_at = plan.recorded_at.max(header.recorded_at.1);
            }
        }
        if plan.next.is_some() {
            let known = plan.pruned.retained;
            plan.pruned.retained = Some(Retained {
                seq: known.map_or(0, |known| known.seq) + plan.pruned.entries,
                from: plan.effective_at.saturating_add(1),
                known_from: plan.recorded_at,
            });
        }
        Ok(plan)
    }

    /// The latest moment of a page or of the end of a connection in a frame; the smallest number without any. `None`: one of
    /// them, or a reject, is not older than `before`.
    fn latest_moment(&self, frame: Frame, before: Millis) -> Result<Option<Millis>, StoreError> {
        let position = frame.position();
        let (_, bytes) = frame.into_parts();
        let mut names = Names::new();
        let blocks = self.log.blocks();
        let mut records = bytes.open(blocks, position, ReadScope::all(Check::Form))?;
        let mut latest = Millis::MIN;
        loop {
            let record = records
                .next(&mut names)
                .map_err(|error| ReadError::Frame { position, error })?;
            let other = match record {
                None => return Ok(Some(latest)),
                Some(DecodedRecord::Commit(..)) => continue,
                Some(DecodedRecord::Other(other, _)) => other,
            };
            let recorded_at = match other {
                Record::Page { page, .. } => {
                    if let PageStep::Begin { begin, .. } = &page.step {
                        latest = latest.max(begin.occurred_at);
                    }
                    page.recorded_at
                }
                Record::Closed(closed) => {
                    latest = latest.max(closed.recorded_at);
                    closed.recorded_at
                }
                Record::Reject(reject) => reject.recorded_at,
                Record::Commit { .. }
                | Record::Settled(_)
                | Record::Progress(_)
                | Record::Forgotten(_) => continue,
            };
            if recorded_at.max(latest) >= before {
                return Ok(None);
            }
        }
    }

    /// Removes what may go, if that is enough.
    pub fn prune(
        &self,
        before: Millis,
        most: u64,
        is_enough: impl FnOnce(&Pruned) -> bool,
    ) -> Result<Pruned, StoreError> {
        let _sealing = held(&self.sealing);
        let mut plan = self.plan(before, most)?;
        let Some(next) = plan.next.filter(|_| is_enough(&plan.pruned)) else {
            let retained = self.retained();
            return Ok(Pruned {
                retained,
                ..Pruned::default()
            });
        };
        let log = &self.log;
        let (header, bytes) = self.base_at(next, plan.effective_at)?;
        if self.options.durability != Durability::Power {
            // What stands behind the base must not be lost while the base is there.
            log.engine().close()?;
        }
        let frame = header.frame;
        log.blocks().prune(header, &bytes)?;
        plan.pruned.retained = self.retained();
        log.engine().trim(next)?;
        drop_pruned(log, frame)?;
        let Pruned { entries, bytes, .. } = plan.pruned;
        self.options.meter.pruned(entries, bytes);
        Ok(plan.pruned)
    }

    /// Makes the base of a log that begins at a position.
    fn base_at(
        &self,
        next: u64,
        effective_at: Millis,
    ) -> Result<(BaseHeader, Vec<u8>), StoreError> {
        let log = &self.log;
        // The writer may have to start from the base.
        let scope = ScanScope {
            departed: true,
            ..ScanScope::default()
        };
        let mut cursor = beginning(log, &scope)?;
        let mut frames = ScopedFrames::new(log, &cursor, next, &scope);
        let now = (self.options.clock)();
        let known_from = now.saturating_sub(limits::RETRY_IDS_PRUNED_MS);
        let mut fold = BaseFold::new(&mut cursor, base_ids(log)?);
        fold.read(&mut cursor, &mut frames)?;
        if cursor.place.next != next {
            let what = "the entries before it could not be read".to_owned();
            return Err(JournalError::Base(what).into());
        }
        let place = BasePlace {
            effective_at,
            ids_from: known_from,
        };
        fold.finish(&cursor, place)
    }
}

/// Whether every entry of a frame took effect and was recorded before a moment.
fn is_over(header: &FrameHeader, before: Millis) -> bool {
    header.entries == 0 || (header.effective_at.1 < before && header.recorded_at.1 < before)
}

/// Whether a frame is a sealed block, and its bytes; `None` for a block of which a part was pruned, which there is not.
fn frame_bytes(frame: &Frame) -> Option<(bool, u64)> {
    match frame.bytes() {
        FrameBytes::Values(values) => {
            let bytes = values.iter().map(|value| value.len() as u64).sum();
            Some((false, bytes))
        }
        FrameBytes::Block(block, 0) => Some((true, block.bytes() as u64)),
        FrameBytes::Block(..) => None,
    }
}
