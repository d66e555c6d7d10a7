//! Reads the log as it grows, entry by entry from a position on, for subscribers. Each frame is decoded once for all
//! subscribers: one cursor reads, and each subscriber takes the entries that its filter shows.

use super::answer::HistoryEntry;
use super::history::{EntryFields, HistoryFilter, history_entry};
use crate::domain::entry::Entry;
use crate::domain::names::{NameId, NameTable, Names};
use crate::domain::roster::ChannelState;
use crate::log::frame::{FrameHeader, channel_hash};
use crate::store::{RecentFrame, ScopedRecord, StateCursor, Store, StoreError, channel_of};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

/// An entry, and the channels in which it is shown.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DeliveredEntry {
    /// The entry.
    pub entry: HistoryEntry,
    /// For an entry without a channel: the channels on which its observer had reported so far.
    pub channels: Option<Arc<BTreeSet<String>>>,
}

impl HistoryFilter {
    /// Whether the filter matches an entry. The `limit` is not checked.
    #[must_use]
    pub fn shows(&self, delivered: &DeliveredEntry) -> bool {
        let entry = &delivered.entry;
        let seen = EntryFields {
            seq: entry.seq,
            effective_at: entry.effective_at.0,
            kind: entry.kind,
            inferred: entry.origin == super::answer::OriginAnswer::Inferred,
            topic: entry.topic.as_deref(),
            user: entry.user.as_deref(),
        };
        self.matches(&seen, |wanted| match &entry.channel {
            Some(channel) => channel == wanted,
            None => {
                let channels = delivered.channels.as_deref();
                channels.is_some_and(|channels| channels.contains(wanted))
            }
        })
    }
}

/// A position in the log that advances as the log grows.
pub struct Cursor {
    /// Where reading continues: names and a place, but no state. If it is missing, the place is searched again.
    cursor: Option<StateCursor>,
    /// The only channel whose frames are read, and its hash; `None`: all.
    channel: Option<(String, u64)>,
    speakers: Speakers,
    ahead: VecDeque<DeliveredEntry>,
    ahead_bytes: usize,
    /// The last entry that was delivered, or skipped after that.
    seq: u64,
    /// The last entry that was read or skipped.
    read: u64,
}

/// The channels on which each observer has reported.
type Speakers = HashMap<String, SpokenChannels>;

/// The names are dropped between frames once they have more members than this.
const NAMES_KEPT_MAX: usize = 65_536;

impl Store {
    /// A cursor after the entry `after_seq`, or at the durable head if that is earlier. A cursor for a channel skips
    /// frames that do not touch it; from the other frames it delivers all entries.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let store = rollbook::Store::in_memory(rollbook::Options::default())?;
    /// # let file = tempfile::NamedTempFile::new()?;
    /// # std::fs::write(file.path(), r#"{"t":"join","channel":"room","topic":"chat","user":"tony","ts":1000}"#)?;
    /// let mut cursor = store.cursor(store.head(), None)?;
    /// assert!(cursor.next_batch(&store, 100, 1 << 20)?.is_empty());
    /// # let source = rollbook::ingest::Source::open(file.path())?;
    /// # rollbook::ingest::ingest(&store, source, &Default::default(), &mut ())?;
    /// let batch = cursor.next_batch(&store, 100, 1 << 20)?;
    /// assert_eq!(batch[0].entry.user.as_deref(), Some("tony"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`StoreError::PastRetention`] if entries behind `after_seq` were pruned (0 begins with what is retained); another
    /// error if the log cannot be read.
    pub fn cursor(&self, after_seq: u64, channel: Option<&str>) -> Result<Cursor, StoreError> {
        self.expect_behind(after_seq)?;
        let after_seq = after_seq.max(self.begin() - 1).min(self.head());
        Ok(Cursor {
            cursor: None,
            speakers: self.speakers(after_seq, channel)?,
            channel: channel.map(|channel| (channel.to_owned(), channel_hash(channel))),
            ahead: VecDeque::new(),
            ahead_bytes: 0,
            seq: after_seq,
            read: after_seq,
        })
    }

    /// Which observers had reported on which channels (or on `only`) up to an entry; the state at the head remembers
    /// it.
    fn speakers(&self, seq: u64, only: Option<&str>) -> Result<Speakers, StoreError> {
        // Before the first entry nothing was reported: no state needs to be read for that.
        if seq == 0 {
            return Ok(Speakers::new());
        }
        self.as_of(None, None, |state, names| {
            let mut speakers = HashMap::<String, BTreeSet<String>>::new();
            let mut add = |name: NameId, channel: &ChannelState| {
                for observer in channel.watching().observers_by(seq) {
                    let [observer, name] = [observer, name].map(|it| names.text(it).to_owned());
                    speakers.entry(observer).or_default().insert(name);
                }
            };
            match only {
                None => state
                    .channels()
                    .for_each(|(name, channel)| add(name, channel)),
                Some(only) => {
                    let known = names.find(only);
                    let known = known.and_then(|name| Some((name, state.channel(name)?)));
                    known
                        .into_iter()
                        .for_each(|(name, channel)| add(name, channel));
                }
            }
            let spoken = |(observer, channels)| {
                let spoken = SpokenChannels {
                    all: Arc::new(channels),
                    since: Vec::new(),
                };
                (observer, spoken)
            };
            speakers.into_iter().map(spoken).collect()
        })
    }
}

/// The channels on which an observer has reported.
#[derive(Debug, Default)]
struct SpokenChannels {
    all: Arc<BTreeSet<String>>,
    /// The entry of the first report, for channels that were added while the cursor read.
    since: Vec<(u64, String)>,
}

impl SpokenChannels {
    fn speaks(&mut self, channel: &str, seq: u64) {
        if !self.all.contains(channel) {
            // Entries that were delivered before keep their own set of channels.
            Arc::make_mut(&mut self.all).insert(channel.to_owned());
            self.since.push((seq, channel.to_owned()));
        }
    }

    /// The channels up to an entry: entries that were read ahead may be read again.
    fn by(&self, seq: u64) -> Arc<BTreeSet<String>> {
        let later = self
            .since
            .iter()
            .rev()
            .take_while(|&&(since, _)| since > seq);
        let later: Vec<&String> = later.map(|(_, channel)| channel).collect();
        let mut all = Arc::clone(&self.all);
        if !later.is_empty() {
            let all = Arc::make_mut(&mut all);
            for channel in later {
                all.remove(channel);
            }
        }
        all
    }

    /// Notes that entries up to this one will not be read again.
    fn passed(&mut self, seq: u64) {
        self.since.retain(|&(since, _)| since > seq);
    }
}

impl Cursor {
    /// The last delivered entry; if there are no more yet, the last one that was read.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The approximate size in bytes of the entries that were read but not delivered.
    #[must_use]
    pub fn ahead_bytes(&self) -> usize {
        self.ahead_bytes
    }

    /// Drops the entries that were read but not delivered. They are read again when needed.
    pub fn drop_ahead(&mut self) {
        self.cursor = None;
        self.ahead = VecDeque::new();
        self.ahead_bytes = 0;
        self.read = self.seq;
    }

    /// The next durable entries: at most `most`, and no more once they have about `most_bytes`; none if there are no
    /// more yet.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn next_batch(
        &mut self,
        store: &Store,
        most: usize,
        most_bytes: usize,
    ) -> Result<Vec<DeliveredEntry>, StoreError> {
        let wanted = self.ahead.len() < most && self.ahead_bytes < most_bytes;
        if wanted && self.read < store.head() {
            let mut cursor = match self.cursor.take() {
                Some(cursor) => cursor,
                None => {
                    store.expect_behind(self.read)?;
                    store.seek(self.read)?
                }
            };
            let read = self.read_ahead(store, &mut cursor, most, most_bytes);
            // Also after an error: reading continues before the damaged frame.
            self.cursor = Some(cursor);
            read?;
        }
        let (mut given, mut bytes) = (Vec::new(), 0);
        while given.len() < most
            && bytes < most_bytes
            && let Some(next) = self.ahead.pop_front()
        {
            bytes += next.bytes();
            given.push(next);
        }
        self.ahead_bytes -= bytes;
        self.seq = match given.last() {
            Some(last) if !self.ahead.is_empty() => last.entry.seq,
            _ => self.read,
        };
        for spoken in self.speakers.values_mut() {
            spoken.passed(self.seq);
        }
        Ok(given)
    }

    /// Reads frames until so many entries, or so many bytes, are ready for delivery.
    fn read_ahead(
        &mut self,
        store: &Store,
        cursor: &mut StateCursor,
        most: usize,
        most_bytes: usize,
    ) -> Result<(), StoreError> {
        if cursor.names.members() > NAMES_KEPT_MAX {
            cursor.names = Names::new();
        }
        // Entries up to this one are in `ahead` already, or were delivered.
        let known = self.read;
        let mut frames = None;
        while self.ahead.len() < most && self.ahead_bytes < most_bytes {
            if let Some(recent) = store.recent_frame_after(cursor) {
                self.take_recent(&recent, known);
                cursor.move_to(recent.frame.behind());
                frames = None;
                continue;
            }
            let frames = frames.get_or_insert_with(|| store.frames_after(cursor));
            let Some(mut frame) = frames.next(cursor)? else {
                break;
            };
            if !self.reach(frame.header(), known) {
                frame.skip(cursor);
                continue;
            }
            while let Some(record) = frame.next(cursor)? {
                self.take_record(&record, known, &cursor.names);
            }
        }
        Ok(())
    }

    /// Takes a frame that this process has committed.
    fn take_recent(&mut self, frame: &RecentFrame, known: u64) {
        let header = &frame.frame.header;
        if !self.reach(header, known) {
            return;
        }
        for record in frame.records() {
            self.take_record(&record, known, &frame.names);
        }
    }

    /// Takes a record. One without entries counts from the next entry on.
    fn take_record(&mut self, record: &ScopedRecord<'_>, known: u64, names: &NameTable) {
        match record {
            ScopedRecord::Commit(commit) => {
                for entry in commit.entries {
                    self.take(entry, known, names);
                }
            }
            ScopedRecord::Page { page, next_seq, .. } => {
                self.speaks(page.observer, page.channel, *next_seq, names);
            }
            _ => {}
        }
    }

    /// Notes that a frame was reached. Returns whether its entries are wanted.
    fn reach(&mut self, header: &FrameHeader, known: u64) -> bool {
        let end = header.first_seq + header.entries;
        self.read = end.saturating_sub(1).max(known);
        let channel = self.channel.as_ref();
        channel.is_none_or(|&(_, hash)| header.may_touch(hash))
    }

    /// Takes an entry that was read; it is delivered if it comes after the entry `known`.
    fn take(&mut self, entry: &Entry, known: u64, names: &NameTable) {
        let channel = channel_of(entry, names);
        if let Some(channel) = channel {
            self.speaks(entry.observer, channel, entry.seq, names);
        }
        if entry.seq > known {
            let channels = if channel.is_none() {
                let spoken = self.speakers.get(names.text(entry.observer));
                spoken.map(|spoken| spoken.by(entry.seq))
            } else {
                None
            };
            let entry = history_entry(entry, names);
            let delivered = DeliveredEntry { entry, channels };
            self.ahead_bytes += delivered.bytes();
            self.ahead.push_back(delivered);
        }
    }

    fn speaks(&mut self, observer: NameId, channel: NameId, seq: u64, names: &NameTable) {
        let [observer, channel] = [observer, channel].map(|name| names.text(name));
        let only = self.channel.as_ref();
        if only.is_some_and(|(only, _)| only != channel) {
            return;
        }
        match self.speakers.get_mut(observer) {
            Some(spoken) => spoken.speaks(channel, seq),
            None => {
                let mut spoken = SpokenChannels::default();
                spoken.speaks(channel, seq);
                self.speakers.insert(observer.to_owned(), spoken);
            }
        }
    }
}

impl DeliveredEntry {
    /// The approximate size in bytes. Channels are not counted, because they are shared.
    fn bytes(&self) -> usize {
        let HistoryEntry {
            channel,
            topic,
            user,
            connection,
            observer,
            reason,
            id,
            meta,
            ..
        } = &self.entry;
        let names = [channel, topic, user, connection, reason, id];
        let names: usize = names
            .iter()
            .filter_map(|it| it.as_ref())
            .map(String::len)
            .sum();
        let meta = meta.as_deref().map_or(0, |meta| meta.get().len());
        size_of::<DeliveredEntry>() + names + observer.len() + meta
    }
}
