//! Entries on their way to subscribers. One thread reads each new entry off the log, once; it lays it into the
//! buffers of those channels that somebody listens to. A subscriber takes from its buffer when it can: nobody waits
//! for it. What it has not taken when its buffer is full is dropped, and then it knows that it was too slow.

use crate::limits;
use crate::query::DeliveredEntry;
use axum::extract::ws::Utf8Bytes;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// An entry, ready to be sent.
#[derive(Debug)]
pub struct LiveEntry {
    /// What it is.
    pub delivered: DeliveredEntry,
    /// As JSON.
    pub json: Utf8Bytes,
}

impl LiveEntry {
    /// Makes one ready; `None` where it has no JSON, which no entry lacks.
    #[must_use]
    pub fn of(delivered: DeliveredEntry) -> Option<LiveEntry> {
        let mut json = serde_json::to_string(&delivered.entry).ok()?;
        // It may be kept for long.
        json.shrink_to_fit();
        Some(LiveEntry {
            delivered,
            json: json.into(),
        })
    }
}

/// All buffers.
pub struct Hub {
    buffers: Mutex<RingBuffers>,
}

#[derive(Default)]
struct RingBuffers {
    /// Of one channel, or (`None`) of all.
    open: HashMap<Option<String>, RingBuffer>,
    /// The last entry that was laid out.
    seq: u64,
    /// In what order buffers were filled, for the bound of all together.
    order: VecDeque<(Option<String>, u64, usize)>,
    bytes: usize,
    /// Seats that were ever taken.
    sat: u64,
    closed: bool,
}

struct RingBuffer {
    items: VecDeque<Arc<LiveEntry>>,
    /// The last entry that it does not have any more.
    floor: u64,
    /// Who sits there, and the last entry that each has taken.
    subscribers: HashMap<u64, u64>,
    /// The last entry laid into it.
    news: watch::Sender<u64>,
}

/// A subscriber's place at a buffer.
pub struct Subscriber {
    hub: Arc<Hub>,
    channel: Option<String>,
    number: u64,
    news: watch::Receiver<u64>,
}

/// What a buffer has for a subscriber.
pub enum NextEntries {
    /// These, in order; perhaps none yet.
    Items(Vec<Arc<LiveEntry>>),
    /// Some are gone that it has not taken.
    TooSlow,
    /// There will be no more.
    Closed,
}

impl Hub {
    /// One that goes on behind the entry `seq`.
    #[must_use]
    pub fn new(seq: u64) -> Hub {
        let buffers = RingBuffers {
            seq,
            ..RingBuffers::default()
        };
        Hub {
            buffers: Mutex::new(buffers),
        }
    }

    fn buffers(&self) -> MutexGuard<'_, RingBuffers> {
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has entries behind `seq` come. Only for one at which nobody has sat yet.
    pub fn begin_behind(&self, seq: u64) {
        self.buffers().seq = seq;
    }

    /// How many listen.
    #[must_use]
    pub fn subscribers(&self) -> usize {
        self.buffers()
            .open
            .values()
            .map(|buffer| buffer.subscribers.len())
            .sum()
    }

    /// How many entries, at most, the subscriber furthest behind has not taken: what its buffer holds for it, and
    /// what is durable up to `head` and not laid out yet. Those who still read the history are not counted.
    #[must_use]
    pub fn lag(&self, head: u64) -> u64 {
        let buffers = self.buffers();
        let behind = buffers.open.values().filter_map(RingBuffer::lag).max();
        behind.map_or(0, |behind| behind + head.saturating_sub(buffers.seq))
    }

    /// Lays out entries, in order.
    pub fn publish_entries(&self, entries: Vec<DeliveredEntry>) {
        let wanted: Vec<bool> = {
            let mut buffers = self.buffers();
            if buffers.open.is_empty() {
                buffers.seq = entries.last().map_or(buffers.seq, |last| last.entry.seq);
                return;
            }
            let wanted = entries
                .iter()
                .map(|entry| !buffers.listening(entry).is_empty());
            wanted.collect()
        };
        // Subscribers take the lock for their entries: while JSON is made for a batch, they do not wait.
        let entries = entries.into_iter().zip(wanted);
        let entries = entries.map(|(entry, wanted)| match wanted {
            true => (entry.entry.seq, Ok(LiveEntry::of(entry))),
            false => (entry.entry.seq, Err(entry)),
        });
        let entries: Vec<_> = entries.collect();
        let mut buffers = self.buffers();
        for (seq, entry) in entries {
            let item = match entry {
                Ok(item) => item,
                // A subscriber may have come meanwhile: its buffer must have all entries after the last one laid out.
                Err(entry) if buffers.listening(&entry).is_empty() => None,
                Err(entry) => LiveEntry::of(entry),
            };
            if let Some(item) = item {
                buffers.lay(Arc::new(item));
            }
            buffers.seq = seq;
        }
        buffers.trim();
    }

    /// No more will come.
    pub fn close(&self) {
        let mut buffers = self.buffers();
        buffers.closed = true;
        for buffer in buffers.open.values() {
            buffer.news.send_replace(u64::MAX);
        }
    }

    /// Whether no more will come.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.buffers().closed
    }

    /// A place at the buffer of a channel, or of all.
    #[must_use]
    pub fn subscribe(self: &Arc<Self>, channel: Option<&str>) -> Subscriber {
        let channel = channel.map(str::to_owned);
        let mut buffers = self.buffers();
        let floor = buffers.seq;
        buffers.sat += 1;
        let number = buffers.sat;
        let buffer = buffers
            .open
            .entry(channel.clone())
            .or_insert_with(|| RingBuffer {
                items: VecDeque::new(),
                floor,
                subscribers: HashMap::new(),
                news: watch::Sender::new(floor),
            });
        buffer.subscribers.insert(number, floor);
        let news = buffer.news.subscribe();
        drop(buffers);
        Subscriber {
            hub: Arc::clone(self),
            channel,
            number,
            news,
        }
    }
}

impl RingBuffers {
    /// The buffers into which an entry belongs.
    fn listening(&self, delivered: &DeliveredEntry) -> Vec<Option<String>> {
        let mut listening = vec![None];
        match (&delivered.entry.channel, &delivered.channels) {
            (Some(channel), _) => listening.push(Some(channel.clone())),
            (None, Some(channels)) if channels.len() < self.open.len() => {
                listening.extend(channels.iter().cloned().map(Some));
            }
            (None, Some(channels)) => {
                let named = self.open.keys().flatten();
                let named = named.filter(|channel| channels.contains(*channel));
                listening.extend(named.cloned().map(Some));
            }
            (None, None) => {}
        }
        listening.retain(|channel| self.open.contains_key(channel));
        listening
    }

    fn lay(&mut self, item: Arc<LiveEntry>) {
        for channel in self.listening(&item.delivered) {
            let Some(buffer) = self.open.get_mut(&channel) else {
                continue;
            };
            let (seq, bytes) = (item.delivered.entry.seq, item.json.len());
            buffer.items.push_back(Arc::clone(&item));
            if buffer.items.len() > limits::LAG_ENTRIES_MAX {
                buffer.drop_up_to(
                    buffer
                        .items
                        .front()
                        .map_or(0, |item| item.delivered.entry.seq),
                );
            }
            buffer.news.send_replace(seq);
            self.bytes += bytes;
            self.order.push_back((channel, seq, bytes));
        }
    }

    /// What was laid into a buffer that is gone counts no more.
    fn forget(&mut self, gone: &Option<String>) {
        let bytes = &mut self.bytes;
        self.order.retain(|(channel, _, length)| {
            let kept = channel != gone;
            *bytes -= if kept { 0 } else { *length };
            kept
        });
        if self.open.is_empty() {
            self.order = VecDeque::new();
        }
    }

    /// Keeps the bound of all buffers together: what was laid out first goes first.
    fn trim(&mut self) {
        while self.order.len() > limits::LIVE_ENTRIES_MAX || self.bytes > limits::LIVE_BYTES_MAX {
            let Some((channel, seq, bytes)) = self.order.pop_front() else {
                return;
            };
            self.bytes -= bytes;
            if let Some(buffer) = self.open.get_mut(&channel) {
                buffer.drop_up_to(seq);
            }
        }
    }
}

impl RingBuffer {
    /// How many entries it holds for the one who is furthest behind.
    fn lag(&self) -> Option<u64> {
        let last = self.subscribers.values().min()?;
        Some((self.items.len() - self.taken(*last)) as u64)
    }

    /// How many of its entries are not behind the entry `seq`.
    fn taken(&self, seq: u64) -> usize {
        self.items
            .partition_point(|item| item.delivered.entry.seq <= seq)
    }

    fn drop_up_to(&mut self, seq: u64) {
        while let Some(item) = self.items.front()
            && item.delivered.entry.seq <= seq
        {
            self.floor = item.delivered.entry.seq;
            self.items.pop_front();
        }
    }
}

impl Subscriber {
    /// Whether the buffer has everything behind the entry `seq`.
    #[must_use]
    pub fn reaches_back_to(&self, seq: u64) -> bool {
        let buffers = self.hub.buffers();
        let buffer = buffers.open.get(&self.channel);
        buffer.is_some_and(|buffer| buffer.floor <= seq)
    }

    /// What the buffer has behind the entry `seq`; waits until there is something. May be given up at any time.
    pub async fn next(&mut self, seq: u64) -> NextEntries {
        loop {
            self.news.mark_unchanged();
            match self.take(seq) {
                NextEntries::Items(items) if items.is_empty() => {}
                other => return other,
            }
            if self.news.changed().await.is_err() {
                return NextEntries::Closed;
            }
        }
    }

    fn take(&self, seq: u64) -> NextEntries {
        let mut buffers = self.hub.buffers();
        let closed = buffers.closed;
        let Some(buffer) = buffers.open.get_mut(&self.channel) else {
            return NextEntries::Closed;
        };
        buffer.subscribers.insert(self.number, seq);
        if buffer.floor > seq {
            return NextEntries::TooSlow;
        }
        // What it holds it keeps from being dropped.
        let mut bytes = 0;
        let fits = |item: &&Arc<LiveEntry>| {
            let before = bytes;
            bytes += item.json.len();
            before < limits::CATCH_UP_BYTES
        };
        let behind = buffer.items.range(buffer.taken(seq)..);
        let items: Vec<_> = behind.take_while(fits).cloned().collect();
        if items.is_empty() && closed {
            return NextEntries::Closed;
        }
        NextEntries::Items(items)
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        let mut buffers = self.hub.buffers();
        if let Some(buffer) = buffers.open.get_mut(&self.channel) {
            buffer.subscribers.remove(&self.number);
            if buffer.subscribers.is_empty() {
                buffers.open.remove(&self.channel);
                buffers.forget(&self.channel);
            }
        }
    }
}
