//! Where records are cut into frames.

use crate::limits;
use crate::log::Record;
use std::ops::Range;

/// Records, cut into frames; but not within the ranges `together`, which are in order.
pub(super) fn frames<'a>(
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
