//! Finds entries that lie far behind the time of their channel, and the entry that moved that time ahead. The result
//! is for the notices that users see; `decide` does not use it.

use crate::domain::entry::{Disposition, Entry, Payload};
use crate::domain::names::{NameId, Names, NumberMap};
use crate::domain::renumbering::Renumbering;
use crate::domain::time::Millis;
use crate::limits;
use crate::store::batch::{Clamped, FeedLine, Frontier};
use crate::store::checkpoint;
use crate::store::error::StoreError;
use crate::store::read::{ScanScope, ScanStart, ScopedFrames, channel_of};
use crate::store::shared::StoreShared;
use std::sync::Arc;

/// How often at most the log is searched for an entry that was recorded before this writer began.
const SEARCHES_MAX: u32 = 10;

/// For each channel, the entry that set its current time, as far as this writer has seen it.
#[derive(Debug, Default)]
pub(in crate::store) struct Frontiers {
    known: NumberMap<NameId, Frontier>,
    source: LastSource,
    searches: u32,
}

/// The source of the last line. Most lines have the same source as the line before, and share its name.
#[derive(Debug, Default)]
struct LastSource(Option<Arc<str>>);

impl LastSource {
    fn name(&mut self, source: &str) -> Arc<str> {
        let last = self.0.take().filter(|last| **last == *source);
        let name = last.unwrap_or_else(|| Arc::from(source));
        self.0 = Some(Arc::clone(&name));
        name
    }
}

impl Frontiers {
    /// Replaces the numbers of names after the dictionary was renumbered.
    pub fn renumber(&mut self, renumbering: &Renumbering) {
        self.known = renumbering.by_name(std::mem::take(&mut self.known));
    }

    /// Notes an entry about `channel`, made by `line`, if it moved the time of the channel.
    pub fn note(&mut self, entry: &Entry, channel: Option<NameId>, line: Option<&FeedLine<'_>>) {
        let moves = matches!(entry.payload, Payload::Change(_) | Payload::Snapshot(_));
        let Some(channel) = channel.filter(|_| moves) else {
            return;
        };
        if entry.effective_at > entry.occurred_at {
            return;
        }
        let Some(known) = self.known.get_mut(&channel) else {
            let place = line.map(|line| (self.source.name(line.source), line.line));
            self.known.insert(channel, frontier(entry, place));
            return;
        };
        if known.effective_at >= entry.effective_at {
            return;
        }
        known.seq = entry.seq;
        known.effective_at = entry.effective_at;
        known.untimed = is_untimed(entry);
        match (&mut known.line, line) {
            // Most lines have the source of the line before: its name is then not even counted again.
            (Some((source, at)), Some(line)) if **source == *line.source => *at = line.line,
            (place, line) => {
                *place = line.map(|line| (self.source.name(line.source), line.line));
            }
        }
    }

    /// Describes an entry that lies far behind its channel's time. `shared` gives access to the log, for entries that
    /// were recorded before this writer began.
    pub fn clamped(&mut self, entry: &Entry, names: &Names, shared: &StoreShared) -> Clamped {
        let channel = channel_of(entry, names);
        let at = entry.effective_at;
        Clamped {
            seq: entry.seq,
            channel: channel.map_or("", |name| names.text(name)).to_owned(),
            occurred_at: entry.occurred_at,
            effective_at: at,
            disposition: disposition(entry),
            frontier: channel.and_then(|channel| self.find(channel, at, names, shared)),
        }
    }

    fn find(
        &mut self,
        channel: NameId,
        effective_at: Millis,
        names: &Names,
        shared: &StoreShared,
    ) -> Option<Frontier> {
        let known = self.known.get(&channel).cloned();
        if known.is_some() || self.searches >= SEARCHES_MAX {
            return known;
        }
        self.searches += 1;
        // If it cannot be found, the notice omits it.
        let found = search(names.text(channel), effective_at, shared).ok()??;
        self.known.insert(channel, found.clone());
        Some(found)
    }
}

fn frontier(entry: &Entry, line: Option<(Arc<str>, u64)>) -> Frontier {
    Frontier {
        seq: entry.seq,
        effective_at: entry.effective_at,
        untimed: is_untimed(entry),
        line,
    }
}

fn is_untimed(entry: &Entry) -> bool {
    !entry.is_inferred() && entry.counted().ts.is_none()
}

fn disposition(entry: &Entry) -> Disposition {
    match &entry.payload {
        Payload::Change(change) => change.disposition,
        Payload::Snapshot(snapshot) if snapshot.stale => Disposition::Stale,
        Payload::Snapshot(_) | Payload::Link(_) | Payload::Token(_) => Disposition::Applied,
    }
}

/// The first entry of a channel in the durable log that takes effect at or after this moment.
fn search(
    channel: &str,
    effective_at: Millis,
    shared: &StoreShared,
) -> Result<Option<Frontier>, StoreError> {
    let scope = ScanScope {
        channel: Some(channel),
        start: ScanStart::InEffectAt(effective_at.saturating_sub(1)),
        ..ScanScope::default()
    };
    let (engine, end) = (&shared.log, shared.published().next);
    let mut cursor = checkpoint::load(engine, end, &scope)?;
    let mut frames = ScopedFrames::new(engine, &cursor, end, &scope);
    while let Some(mut frame) = frames.next(&mut cursor)? {
        while let Some(commit) = frame.next_commit(&mut cursor)? {
            for entry in commit.entries {
                let moves = matches!(entry.payload, Payload::Change(_) | Payload::Snapshot(_));
                let of = channel_of(entry, &cursor.names).map(|name| cursor.names.text(name));
                if moves && of == Some(channel) && entry.effective_at >= effective_at {
                    return Ok(Some(frontier(entry, None)));
                }
                cursor.apply_entry(entry);
            }
        }
    }
    Ok(None)
}

/// Whether an entry lies so far behind its channel's time that users see a notice.
pub(in crate::store) fn is_clamped(entry: &Entry) -> bool {
    entry.effective_at.saturating_sub(entry.occurred_at) > limits::CLAMPED_MS
}
