//! How far sources were read: the latest files and feeds, by the log's records of progress. When such a record is made
//! is the business of `ingest`.

use crate::limits::SOURCES_MAX;
use crate::log::Progress;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How far sources were read. Each has one place in the order of their last records.
#[derive(Debug, Clone, Default)]
pub(crate) struct SourceOffsets {
    /// By place; the latest is last.
    in_order: BTreeMap<u64, Progress>,
    by_source: HashMap<[u8; 32], u64>,
    /// The places of the files. There are thousands of short-lived feeds, which must not push out a file's progress.
    files: BTreeSet<u64>,
    /// The places of the feeds.
    feeds: BTreeSet<u64>,
    next: u64,
}

impl SourceOffsets {
    /// Notes a record, and forgets the oldest of its kind if there are too many.
    pub fn note(&mut self, progress: Progress) {
        self.remove_source(&progress.source);
        let of_kind = self.of_kind(&progress);
        let is_full = of_kind.len() >= SOURCES_MAX;
        let oldest = of_kind.first().copied();
        if let Some(oldest) = oldest.filter(|_| is_full) {
            self.remove(oldest);
        }
        self.push(progress);
    }

    /// How far a source was read.
    pub fn get(&self, source: &[u8; 32]) -> Option<&Progress> {
        let place = self.by_source.get(source)?;
        self.in_order.get(place)
    }

    /// All of them; the latest is last.
    pub fn iter(&self) -> impl Iterator<Item = &Progress> {
        self.in_order.values()
    }

    fn of_kind(&mut self, progress: &Progress) -> &mut BTreeSet<u64> {
        if progress.is_of_feed() {
            &mut self.feeds
        } else {
            &mut self.files
        }
    }

    fn push(&mut self, progress: Progress) {
        let place = self.next;
        self.next += 1;
        self.of_kind(&progress).insert(place);
        self.by_source.insert(progress.source, place);
        self.in_order.insert(place, progress);
    }

    fn remove_source(&mut self, source: &[u8; 32]) {
        if let Some(&place) = self.by_source.get(source) {
            self.remove(place);
        }
    }

    fn remove(&mut self, place: u64) {
        if let Some(known) = self.in_order.remove(&place) {
            self.by_source.remove(&known.source);
            self.of_kind(&known).remove(&place);
        }
    }
}

/// From records in order. There may be more than [`SourceOffsets::note`] would keep.
impl FromIterator<Progress> for SourceOffsets {
    fn from_iter<I: IntoIterator<Item = Progress>>(records: I) -> Self {
        let mut sources = SourceOffsets::default();
        for progress in records {
            sources.remove_source(&progress.source);
            sources.push(progress);
        }
        sources
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]
    use super::*;

    fn of_file(number: u64, line: u64) -> Progress {
        let mut source = [0; 32];
        source[..8].copy_from_slice(&number.to_le_bytes());
        Progress {
            source,
            hashed_len: 4_096,
            byte: line * 10,
            line,
            path: format!("{number}.jsonl").into(),
        }
    }

    fn of_feed(number: u64, line: u64) -> Progress {
        Progress::of_feed("o", &number.to_string(), line)
    }

    #[test]
    fn the_latest_are_last_and_the_oldest_of_a_kind_gives_way() {
        let most = SOURCES_MAX as u64;
        let mut sources = SourceOffsets::default();
        sources.note(of_file(0, 1));
        for number in 0..most + 2 {
            sources.note(of_feed(number, 1));
        }
        // Feeds push out feeds only; one that is read further is no longer the oldest.
        sources.note(of_feed(2, 5));
        sources.note(of_feed(most + 2, 1));
        let kept: Vec<&Progress> = sources.iter().collect();
        assert_eq!(kept.len() as u64, most + 1);
        assert_eq!(*kept[0], of_file(0, 1));
        assert_eq!(*kept[1], of_feed(4, 1));
        assert_eq!(*kept[kept.len() - 2], of_feed(2, 5));
        assert_eq!(*kept[kept.len() - 1], of_feed(most + 2, 1));
        assert_eq!(sources.get(&of_feed(2, 0).source), Some(&of_feed(2, 5)));
        assert_eq!(sources.get(&of_feed(3, 0).source), None);
        // Files push out files.
        for number in 1..=most {
            sources.note(of_file(number, 1));
        }
        assert_eq!(sources.get(&of_file(0, 1).source), None);
        assert_eq!(sources.iter().count() as u64, 2 * most);
        let again: SourceOffsets = sources.iter().cloned().collect();
        assert!(again.iter().eq(sources.iter()));
    }
}
