//! The frames that were committed last, as they were decided: a reader that follows the log takes them from here, and
//! need not decode what this process has just encoded. What is not kept any more is read from the log.
//!
//! **Invariant:** everything here is durable.

use super::frame_index::IndexedFrame;
use super::record::ScopedRecord;
use super::scope::{ScanScope, ScopeEnd};
use crate::domain::entry::Entry;
use crate::domain::names::NameTable;
use crate::limits;
use crate::log::Record;
use crate::log::frame::DecodedRecord;
use crate::store::locks::held;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// A committed frame.
#[derive(Debug)]
pub(crate) struct RecentFrame {
    pub frame: IndexedFrame,
    pub(in crate::store) records: Vec<Record>,
    /// The dictionary that resolves the numbers in the records.
    pub names: NameTable,
}

impl RecentFrame {
    /// Its records, in the form in which readers of the log get them.
    pub fn records(&self) -> impl Iterator<Item = ScopedRecord<'_>> {
        let end = ScopeEnd::of(&ScanScope::default());
        let mut next = self.frame.header.first_seq;
        self.records.iter().map(move |record| {
            let decoded = match record {
                Record::Commit { rules, entries } => {
                    next += entries.len() as u64;
                    DecodedRecord::Commit(rules, entries)
                }
                other => DecodedRecord::Other(other, next),
            };
            ScopedRecord::of(decoded, &end)
        })
    }

    /// About how much memory it needs. Names are not counted, because the writer has them in any case.
    fn bytes(&self) -> usize {
        let header = &self.frame.header;
        let entries = usize::try_from(header.entries).unwrap_or(usize::MAX);
        let texts = usize::try_from(header.plain_len).unwrap_or(usize::MAX);
        let fixed = size_of::<Entry>().saturating_mul(entries);
        let records = size_of::<Record>().saturating_mul(self.records.len());
        fixed.saturating_add(records).saturating_add(texts)
    }
}

/// The last frames of the log, in order. Nothing is kept until a reader follows the log.
#[derive(Debug, Default)]
pub(in crate::store) struct RecentFrames {
    followed: AtomicBool,
    kept: Mutex<KeptFrames>,
}

#[derive(Debug, Default)]
struct KeptFrames {
    frames: VecDeque<Arc<RecentFrame>>,
    bytes: usize,
}

impl RecentFrames {
    /// From now on committed frames are kept.
    pub fn follow(&self) {
        self.followed.store(true, Ordering::Relaxed);
    }

    pub fn is_followed(&self) -> bool {
        self.followed.load(Ordering::Relaxed)
    }

    /// Keeps durable frames, which continue those that are kept.
    pub fn push(&self, frames: impl IntoIterator<Item = RecentFrame>) {
        let mut kept = held(&self.kept);
        for frame in frames {
            kept.bytes += frame.bytes();
            kept.frames.push_back(Arc::new(frame));
        }
        // The last frame is kept whatever its size: it is in memory anyway, and readers are waiting for it.
        while kept.bytes > limits::RECENT_FRAMES_BYTES_MAX && kept.frames.len() > 1 {
            let oldest = kept.frames.pop_front();
            kept.bytes -= oldest.map_or(0, |oldest| oldest.bytes());
        }
    }

    /// The frame with this number, if it is kept.
    pub fn get(&self, frame: u64) -> Option<Arc<RecentFrame>> {
        let kept = held(&self.kept);
        let first = kept.frames.front()?.frame.header.frame;
        let at = usize::try_from(frame.checked_sub(first)?).ok()?;
        kept.frames.get(at).cloned()
    }
}
