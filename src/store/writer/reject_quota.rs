//! Limits how many rejects, and how many bytes of them, are kept: for each source and in all. Further rejects are
//! only counted, in merged records that each stand for more and more of them. The text of a reject is not looked at
//! here.

use crate::domain::time::Millis;
use crate::limits;
use crate::log::Reject;
use crate::store::read::Bookkeeping;
use std::collections::HashMap;
use std::sync::Arc;

/// What was kept of each source since the store was opened, and the rejects beyond the limits.
#[derive(Default)]
pub(in crate::store) struct RejectQuota {
    kept: HashMap<Arc<str>, SourceQuota>,
    merged: Option<MergedRejects>,
    /// The number of rejects in earlier merged records.
    merged_before: u64,
}

#[derive(Default)]
struct SourceQuota {
    rejects: u64,
    bytes: u64,
}

/// Rejects that are only counted.
struct MergedRejects {
    first: Reject,
    /// When the last of them was rejected.
    last: Millis,
    rejects: u64,
    bytes: u64,
    /// Hash over the checksums of their lines.
    hasher: blake3::Hasher,
}

/// A merged record stands for at least this fraction (1/8) of all rejects merged before it: so there are few records.
const MERGED_PART: u64 = 8;

impl RejectQuota {
    /// What to record for a reject: the reject itself, one record for many, or nothing yet. `pruned` are the rejects that
    /// are no longer kept, and their bytes.
    pub fn of(
        &mut self,
        mut reject: Reject,
        bookkeeping: &Bookkeeping,
        pruned: (u64, u64),
    ) -> Option<Reject> {
        let rejects = bookkeeping.rejects.saturating_sub(pruned.0);
        let reject_bytes = bookkeeping.reject_bytes.saturating_sub(pruned.1);
        if self.kept.len() >= limits::REJECT_SOURCES_MAX && !self.kept.contains_key(&reject.source)
        {
            self.kept.clear();
        }
        let kept = self.kept.entry(Arc::clone(&reject.source)).or_default();
        if kept.rejects >= limits::REJECTS_PER_SOURCE_MAX || rejects >= limits::REJECTS_MAX {
            return self.merge(reject);
        }
        let bytes = reject.text.as_ref().map_or(0, |text| text.len() as u64);
        if kept.bytes + bytes > limits::REJECTS_PER_SOURCE_BYTES_MAX
            || reject_bytes + bytes > limits::REJECTS_BYTES_MAX
        {
            reject.text = None;
        } else {
            kept.bytes += bytes;
        }
        kept.rejects += 1;
        Some(reject)
    }

    fn merge(&mut self, reject: Reject) -> Option<Reject> {
        let (length, blake3, last) = (reject.length, reject.blake3, reject.recorded_at);
        let merged = self.merged.get_or_insert_with(|| MergedRejects {
            first: reject,
            last,
            rejects: 0,
            bytes: 0,
            hasher: blake3::Hasher::new(),
        });
        merged.last = last;
        merged.rejects += 1;
        merged.bytes = merged.bytes.saturating_add(length);
        merged.hasher.update(&blake3);
        let due = limits::REJECTS_MERGED_MIN.max(self.merged_before / MERGED_PART);
        if merged.rejects < due {
            return None;
        }
        self.rest()
    }

    /// The merged record of the rejects that are in no record yet.
    pub fn rest(&mut self) -> Option<Reject> {
        let merged = self.merged.take()?;
        self.merged_before += merged.rejects;
        let reason = format!(
            "{} lines from this one on, of this source or others, are only counted: too many could not be taken",
            merged.rejects
        );
        Some(Reject {
            recorded_at: merged.last,
            reason: reason.into(),
            text: None,
            length: merged.bytes,
            blake3: *merged.hasher.finalize().as_bytes(),
            ..merged.first
        })
    }
}
