//! The log as it grows, entry by entry, from a place on: what subscribers are told. Each frame is decoded once, however
//! many there are: one cursor reads on, and each of them takes what its filter shows.

use super::answer::HistoryEntry;
use super::history::{EntryFields, HistoryFilter, history_entry};
use crate::domain::entry::{Entry, Page, Rules};
use crate::domain::names::{NameId, Names};
use crate::domain::state::State;
use crate::log::frame::{FrameHeader, channel_hash};
use crate::store::{
    ScanFlow, ScanScope, ScanStart, StateCursor, StateView, Store, StoreError, Visitor,
};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

/// An entry, and where it is shown.
#[derive(Debug, Clone)]
pub struct DeliveredEntry {
    /// The entry.
    pub entry: HistoryEntry,
    /// Of an entry that names no channel: those that its observer had spoken of by then.
    pub channels: Option<Arc<BTreeSet<String>>>,
}

impl HistoryFilter {
    /// Whether an entry is among those asked for. How many there may be (`limit`) is not looked at.
    #[must_use]
    pub fn shows(&self, told: &DeliveredEntry) -> bool {
        let entry = &told.entry;
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
                let channels = told.channels.as_deref();
                channels.is_some_and(|channels| channels.contains(wanted))
            }
        })
    }
}

/// A place in the log that moves on as the log grows.
pub struct Cursor {
    /// It holds names and a place; no state is kept.
    fold: StateCursor,
    /// The only channel whose frames are decoded, by its hash.
    channel: Option<u64>,
    /// The channels that each observer has spoken of.
    spoken: HashMap<String, Arc<BTreeSet<String>>>,
    ahead: VecDeque<DeliveredEntry>,
    /// The last entry that was given, or passed over behind it.
    seq: u64,
    /// The last entry that was read, or passed over.
    read: u64,
}

/// Names of so many members are kept from one frame to the next.
const NAMES_KEPT_MAX: usize = 65_536;

impl Store {
    /// A cursor that stands behind the entry `after_seq`, or at the durable head if that is earlier. One for a channel
    /// passes over frames that do not touch it; of the others it gives all entries.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let store = rollbook::Store::in_memory(rollbook::Options::default())?;
    /// # let file = tempfile::NamedTempFile::new()?;
    /// # std::fs::write(file.path(), r#"{"t":"join","channel":"room","topic":"chat","user":"tony","ts":1000}"#)?;
    /// let mut cursor = store.cursor(store.head(), None)?;
    /// assert!(cursor.next_batch(&store, 100)?.is_empty());
    /// # let source = rollbook::ingest::source::Source::open(file.path())?;
    /// # rollbook::ingest::ingest(&store, source, &Default::default(), &mut ())?;
    /// let told = cursor.next_batch(&store, 100)?;
    /// assert_eq!(told[0].entry.user.as_deref(), Some("tony"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub fn cursor(&self, after_seq: u64, channel: Option<&str>) -> Result<Cursor, StoreError> {
        let after_seq = after_seq.min(self.head());
        let spoken = |state: &State, names: &Names| {
            let observers = state.observers();
            let all = observers.map(|(observer, _)| {
                let channels = state.channels_of(observer);
                let channels = channels.map(|name| names.text(name).to_owned());
                (
                    names.text(observer).to_owned(),
                    Arc::new(channels.collect()),
                )
            });
            all.collect()
        };
        let scope = ScanScope {
            channel,
            start: ScanStart::Behind(after_seq),
            last: Some(after_seq),
            ..ScanScope::default()
        };
        let before = self.scan(&scope, &mut StateOnly)?;
        Ok(Cursor {
            spoken: spoken(&before.state, &before.names),
            channel: channel.map(channel_hash),
            fold: self.seek(after_seq)?,
            ahead: VecDeque::new(),
            seq: after_seq,
            read: after_seq,
        })
    }
}

impl Cursor {
    /// The last entry that was given; where there are no more yet, the last that was read.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The next entries that are durable, at most `most`; none where there are no more yet.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub fn next_batch(
        &mut self,
        store: &Store,
        most: usize,
    ) -> Result<Vec<DeliveredEntry>, StoreError> {
        if self.ahead.len() < most && self.read < store.head() {
            if self.fold.names.members() > NAMES_KEPT_MAX {
                self.fold.names = Names::new();
            }
            let mut reading = ReadAhead {
                channel: self.channel,
                spoken: &mut self.spoken,
                ahead: &mut self.ahead,
                behind: self.read,
                read: &mut self.read,
                most,
            };
            store.advance(&mut self.fold, &mut reading)?;
        }
        let given: Vec<DeliveredEntry> = self.ahead.drain(..most.min(self.ahead.len())).collect();
        self.seq = match given.last() {
            Some(last) if !self.ahead.is_empty() => last.entry.seq,
            _ => self.read,
        };
        Ok(given)
    }
}

/// The state is wanted, and nothing on the way to it.
struct StateOnly;

impl Visitor for StateOnly {
    fn renumbers(&self) -> bool {
        true
    }
}

struct ReadAhead<'a> {
    channel: Option<u64>,
    spoken: &'a mut HashMap<String, Arc<BTreeSet<String>>>,
    ahead: &'a mut VecDeque<DeliveredEntry>,
    /// The last entry that is ahead already, or was given.
    behind: u64,
    read: &'a mut u64,
    most: usize,
}

impl ReadAhead<'_> {
    fn speaks(&mut self, observer: NameId, channel: NameId, names: &Names) {
        let [observer, channel] = [observer, channel].map(|name| names.text(name));
        let known = self.spoken.get(observer);
        if known.is_some_and(|known| known.contains(channel)) {
            return;
        }
        let spoken = self.spoken.entry(observer.to_owned()).or_default();
        // Entries that were told before keep what they were shown in.
        Arc::make_mut(spoken).insert(channel.to_owned());
    }
}

impl Visitor for ReadAhead<'_> {
    fn wants(&mut self, header: &FrameHeader) -> bool {
        let last = (header.first_seq + header.entries).saturating_sub(1);
        *self.read = last.max(self.behind);
        self.channel.is_none_or(|channel| header.may_touch(channel))
    }

    fn goes_on(&self) -> bool {
        self.ahead.len() < self.most
    }

    fn entry(&mut self, at: StateView<'_>, entry: &Entry) -> Result<ScanFlow, StoreError> {
        let channel = at.channel_of(entry);
        if let Some(channel) = channel {
            self.speaks(entry.observer, channel, at.names);
        }
        if entry.seq > self.behind {
            let spoken = || self.spoken.get(at.names.text(entry.observer)).cloned();
            let channels = if channel.is_none() { spoken() } else { None };
            let entry = history_entry(entry, at.names);
            self.ahead.push_back(DeliveredEntry { entry, channels });
        }
        Ok(ScanFlow::Skip)
    }

    fn page(
        &mut self,
        at: StateView<'_>,
        _rules: &Rules,
        page: &Page,
    ) -> Result<ScanFlow, StoreError> {
        self.speaks(page.observer, page.channel, at.names);
        Ok(ScanFlow::Skip)
    }
}
