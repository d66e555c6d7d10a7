//! What a store answers besides queries: its entries, its state, how far sources were read, and its gauges.

use super::checkpoint;
use super::error::StoreError;
use super::folder::data_dir::DataDir;
use super::locks::held;
use super::meter::Gauges;
use super::read::recent::RecentFrame;
use super::read::{RosterReader, ScanScope, ScanStart, ScopedFrames, ScopedRecord, StateCursor};
use super::{Projection, Store, heard_of};
use crate::domain::names::Names;
use crate::domain::state::State;
use crate::domain::time::Millis;
use crate::limits::MEASURE_MS;
use crate::log::Progress;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

impl Store {
    /// Whether the store is read from a copy because its folder cannot be written.
    #[must_use]
    pub fn is_copy(&self) -> bool {
        held(&self.shared.copy).is_some()
    }

    /// Applies every entry of a range of seqs to a projection, in order. A range without a start begins with the first
    /// entry that is retained ([`retained`](Store::retained)).
    ///
    /// # Errors
    /// [`StoreError::PastRetention`] if the range starts with an entry that was pruned; another one if the log cannot be
    /// read.
    pub fn replay(
        &self,
        range: impl std::ops::RangeBounds<u64>,
        projection: &mut impl Projection,
    ) -> Result<(), StoreError> {
        let (from, scope) = self.scope_of(range);
        let (mut cursor, mut frames) = self.scan(&scope)?;
        while let Some(mut frame) = frames.next(&mut cursor)? {
            while let Some(record) = frame.next(&mut cursor)? {
                let ScopedRecord::Commit(commit) = record else {
                    continue;
                };
                for entry in commit.entries.iter().filter(|entry| entry.seq >= from) {
                    projection.apply(entry, &cursor.names);
                }
            }
        }
        Ok(())
    }

    /// Reads what a range of seqs means for rosters: who came, changed and left, channel by channel. That is a small part of
    /// each entry, and takes a small part of the time of [`replay`](Store::replay). A range without a start begins with the
    /// first entry that is retained. Who came before the range is not said.
    ///
    /// ```
    /// use rollbook::domain::Rosters;
    /// # fn main() -> Result<(), rollbook::StoreError> {
    /// # let store = rollbook::Store::in_memory(rollbook::Options::default())?;
    /// # store.record(&[rollbook::Event::snapshot("room", [("chat", "lily"), ("chat", "tony")])])?;
    /// # store.record(&[rollbook::Event::leave("room", "chat", "tony")])?;
    /// let (mut rosters, mut present) = (Rosters::new(), Vec::new());
    /// let mut reader = store.roster_entries(..)?;
    /// while let Some((entries, names)) = reader.next_piece()? {
    ///     entries.iter().for_each(|entry| rosters.apply(entry));
    ///     let users = rosters.members().map(|member| names.text(names.key(member).user).to_owned());
    ///     present = users.collect();
    /// }
    /// assert_eq!(present, ["lily"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`replay`](Store::replay), here and while it is read.
    pub fn roster_entries(
        &self,
        range: impl std::ops::RangeBounds<u64>,
    ) -> Result<RosterReader<'_>, StoreError> {
        let (from, scope) = self.scope_of(range);
        let scope = ScanScope {
            textless: true,
            ..scope
        };
        Ok(RosterReader::new(self.scan(&scope)?, from))
    }

    /// The first entry of a range of seqs, and how it is read.
    fn scope_of(&self, range: impl std::ops::RangeBounds<u64>) -> (u64, ScanScope<'static>) {
        use std::ops::Bound::{Excluded, Included, Unbounded};
        let from = match range.start_bound() {
            Included(&from) => from,
            Excluded(&before) => before.saturating_add(1),
            Unbounded => self.begin(),
        };
        let last = match range.end_bound() {
            Included(&last) => Some(last),
            Excluded(&end) => Some(end.saturating_sub(1)),
            Unbounded => None,
        };
        let scope = ScanScope {
            start: ScanStart::Seq(from),
            last,
            ..ScanScope::default()
        };
        (from, scope)
    }

    /// A part of the durable log: the frames that are to be read, and the state before them.
    ///
    /// ```
    /// use rollbook::store::{ScanScope, ScopedRecord};
    /// # fn main() -> Result<(), rollbook::StoreError> {
    /// # let store = rollbook::Store::in_memory(rollbook::Options::default())?;
    /// # store.record(&[rollbook::Event::snapshot("room", [("chat", "lily")])])?;
    /// let mut entries = 0;
    /// let (mut cursor, mut frames) = store.scan(&ScanScope::default())?;
    /// while let Some(mut frame) = frames.next(&mut cursor)? {
    ///     while let Some(record) = frame.next(&mut cursor)? {
    ///         if let ScopedRecord::Commit(commit) = &record {
    ///             entries += commit.entries.len() as u64;
    ///         }
    ///         cursor.apply(&record);
    ///     }
    /// }
    /// assert_eq!((entries, cursor.state.head()), (2, 2));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the log cannot be read.
    #[doc(hidden)]
    pub fn scan(
        &self,
        scope: &ScanScope<'_>,
    ) -> Result<(StateCursor, ScopedFrames<'_>), StoreError> {
        let log = &self.shared.log;
        let end = self.shared.published().next;
        let cursor = checkpoint::load(log, end, scope)?;
        let frames = ScopedFrames::new(log, &cursor, end, scope);
        Ok((cursor, frames.with_index(&self.shared.index)))
    }

    /// Returns a cursor without state at the frame with the entry `seq`, from which reading can continue.
    ///
    /// # Errors
    /// If the log cannot be read.
    #[doc(hidden)]
    pub fn seek(&self, seq: u64) -> Result<StateCursor, StoreError> {
        let base = self.shared.log.blocks().base();
        // Behind the last entry that was pruned nothing is missing.
        let is_base = base.is_some_and(|base| base.seq == seq);
        let scope = ScanScope {
            start: ScanStart::Seq(if is_base { seq + 1 } else { seq }),
            ..ScanScope::default()
        };
        checkpoint::load(&self.shared.log, self.shared.published().next, &scope)
    }

    /// The first entry that is retained.
    pub(crate) fn begin(&self) -> u64 {
        let base = self.shared.log.blocks().base();
        base.map_or(1, |base| base.seq + 1)
    }

    /// The frames after a cursor, up to the durable head.
    #[doc(hidden)]
    #[must_use]
    pub fn frames_after(&self, cursor: &StateCursor) -> ScopedFrames<'_> {
        let end = self.shared.published().next;
        ScopedFrames::new(&self.shared.log, cursor, end, &ScanScope::default())
    }

    /// Keeps what is committed from now on in memory, up to a limit, for cursors that follow the log.
    #[doc(hidden)]
    pub fn keep_recent_frames(&self) {
        self.shared.recent.follow();
    }

    /// The frame after a cursor, if it is kept in memory.
    pub(crate) fn recent_frame_after(&self, cursor: &StateCursor) -> Option<Arc<RecentFrame>> {
        self.shared.recent.get(cursor.place.frame + 1)
    }

    /// Calls `look` with the state at the durable head, or as recorded at `known_at`, or at the entry `last`.
    ///
    /// # Errors
    /// If the log cannot be read.
    #[doc(hidden)]
    pub fn as_of<T>(
        &self,
        known_at: Option<Millis>,
        last: Option<u64>,
        look: impl FnOnce(&State, &Names) -> T,
    ) -> Result<T, StoreError> {
        let scope = ScanScope {
            start: ScanStart::Behind(u64::MAX),
            known_at,
            last,
            ..ScanScope::default()
        };
        if known_at.is_some() || last.is_some() {
            let (mut cursor, mut frames) = self.scan(&scope)?;
            frames.apply_rest(&mut cursor)?;
            return Ok(look(&cursor.state, &cursor.names));
        }
        let mut follower = held(&self.follower);
        let cursor = self.follow(&mut follower)?;
        Ok(look(&cursor.state, &cursor.names))
    }

    /// The whole state at the durable head as text: two stores with the same text decide alike.
    ///
    /// # Errors
    /// If the log cannot be read.
    #[doc(hidden)]
    pub fn described(&self) -> Result<String, StoreError> {
        let scope = ScanScope {
            start: ScanStart::Behind(u64::MAX),
            departed: true,
            ..ScanScope::default()
        };
        let (mut cursor, mut frames) = self.scan(&scope)?;
        frames.apply_rest(&mut cursor)?;
        Ok(cursor.state.describe(&cursor.names))
    }

    /// The same for readers of one channel: of the other channels the state may know less.
    pub(crate) fn as_of_channel<T>(
        &self,
        channel: &str,
        known_at: Option<Millis>,
        last: Option<u64>,
        look: impl FnOnce(&State, &Names) -> T,
    ) -> Result<T, StoreError> {
        // A process that asks once reads one channel. One that asks again follows the log, so that it reads no frame twice.
        let of_now = known_at.is_none() && last.is_none();
        if of_now && (self.asked.swap(true, Ordering::Relaxed) || held(&self.follower).is_some()) {
            return self.as_of(None, None, look);
        }
        // All frames are read, because entries of other channels may be proofs for the observers of this one.
        let scope = ScanScope {
            start: ScanStart::Behind(u64::MAX),
            known_at,
            last,
            ..ScanScope::default()
        };
        let of_channel = ScanScope {
            channel: Some(channel),
            ..scope
        };
        let log = &self.shared.log;
        let end = self.shared.published().next;
        let mut cursor = checkpoint::load(log, end, &of_channel)?;
        ScopedFrames::new(log, &cursor, end, &scope).apply_rest(&mut cursor)?;
        Ok(look(&cursor.state, &cursor.names))
    }

    /// Reads up to the published head.
    pub(super) fn follow<'a>(
        &self,
        follower: &'a mut Option<StateCursor>,
    ) -> Result<&'a mut StateCursor, StoreError> {
        let scope = ScanScope {
            start: ScanStart::Behind(u64::MAX),
            ..ScanScope::default()
        };
        let begin = self.shared.log.blocks().begin();
        // Where the cursor stood was pruned meanwhile, if nobody has asked for long.
        let kept = follower.take().filter(|kept| kept.place.next >= begin);
        let (mut cursor, mut frames) = match kept {
            None => self.scan(&scope)?,
            Some(cursor) => {
                let frames = self.frames_after(&cursor);
                (cursor, frames)
            }
        };
        // A cursor that failed halfway is not kept.
        frames.apply_rest(&mut cursor)?;
        Ok(follower.insert(cursor))
    }

    /// How far each source has been read; the latest source is last.
    ///
    /// # Errors
    /// If the log cannot be read.
    #[doc(hidden)]
    pub fn sources(&self) -> Result<Vec<Progress>, StoreError> {
        let mut follower = held(&self.follower);
        let sources = self.follow(&mut follower)?.bookkeeping.sources.iter();
        Ok(sources.cloned().collect())
    }

    /// The last durable line of an observer's feed, counted from 1; 0 if the feed is not known. [`Progress::of_feed`]
    /// creates its record, which is stored after the lines, in the same batch.
    ///
    /// # Errors
    /// If the log cannot be read.
    #[doc(hidden)]
    pub fn feed_position(&self, observer: &str, feed: &str) -> Result<u64, StoreError> {
        let source = Progress::feed(observer, feed);
        let mut follower = held(&self.follower);
        let known = self.follow(&mut follower)?.bookkeeping.sources.get(&source);
        Ok(known.map_or(0, |known| known.line))
    }

    /// Checks that the log knows a channel.
    pub(crate) fn expect_channel(&self, channel: &str) -> Result<(), StoreError> {
        let known = |state: &State, names: &Names| heard_of(channel, state, names).map(drop);
        self.as_of_channel(channel, None, None, known)?
    }

    /// The store's gauges at its durable head. Channels are walked only if something was recorded since the last
    /// call. Files are measured at most every [`MEASURE_MS`].
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn gauges(&self) -> Result<Gauges, StoreError> {
        let mut stood = held(&self.stood);
        let next = self.shared.published().next;
        if stood.next != next {
            let bytes = stood.gauges.bytes;
            stood.gauges = self.as_of(None, None, |state, _| standing(state))?;
            (stood.next, stood.gauges.bytes) = (next, bytes);
        }
        let measured = stood.measured.map(|at| at.elapsed());
        if measured.is_none_or(|ago| ago >= Duration::from_millis(MEASURE_MS)) {
            stood.gauges.bytes = self.shared.data_dir.as_ref().map_or(0, DataDir::bytes);
            stood.measured = Some(Instant::now());
        }
        Ok(Gauges {
            waiting: self.shared.waiting.load(Ordering::Relaxed),
            ..stood.gauges
        })
    }
}

fn standing(state: &State) -> Gauges {
    let mut gauges = Gauges {
        head: state.head(),
        observers: state.observers().count() as u64,
        connected: state.connected(),
        resyncs_open: state.resyncs_open(),
        ..Gauges::default()
    };
    for (_, channel) in state.channels() {
        gauges.channels += 1;
        gauges.present += channel.roster().len() as u64;
        gauges.gaps_open += u64::from(channel.watching().open_gap().is_some());
    }
    gauges
}
