//! The entries after a position, followed by the new ones: none is missing and none comes twice at the transition.
//!
//! The log is read up to its head, piece by piece. Then the stream subscribes to the hub. If the subscriber's buffer
//! reaches back to where reading ended, the stream continues from the buffer; otherwise it first reads more of the
//! log.

use super::forward::{MessageStream, StreamEnd};
use super::hub::{LiveEntry, NextEntries, Subscriber};
use crate::limits;
use crate::query::{Cursor, HistoryFilter};
use crate::server::api_error::ApiError;
use crate::server::app::{App, broken, untold};
use crate::server::net::crowd::{Client, Permit};
use crate::store::StoreError;
use std::sync::Arc;
use tokio::task::JoinHandle;

/// The entries of one subscriber.
pub struct EntryStream {
    app: Arc<App>,
    client: Client,
    filter: Arc<HistoryFilter>,
    place: StreamPlace,
    /// All entries up to this one were read.
    read: u64,
}

enum StreamPlace {
    /// The history is next: no read is in progress.
    History(Option<HistoryCursor>, Option<Subscriber>),
    Reading(JoinHandle<Read>, Option<Subscriber>),
    /// All entries up to this one were delivered; the next come from the buffer.
    Live(Subscriber, u64),
    Ended,
}

/// A cursor between two reads. It keeps what it has read ahead only if there is room (`read_ahead`).
struct HistoryCursor {
    cursor: Box<Cursor>,
    _room: Option<Permit>,
}

type Read = Result<(HistoryCursor, Vec<Arc<LiveEntry>>, bool), StoreError>;

/// What the stream delivers next.
pub enum StreamItem {
    /// Entries, in order.
    Items(Vec<Arc<LiveEntry>>),
    /// All entries up to this one were delivered; the following ones are new.
    Live(u64),
}

/// The number of entries per read of the log.
const READ_ENTRIES: usize = 128;

impl MessageStream for EntryStream {
    type Said = StreamItem;

    async fn next(&mut self) -> Result<StreamItem, StreamEnd> {
        loop {
            match &mut self.place {
                StreamPlace::History(cursor, place) => {
                    let turn = self
                        .app
                        .catch_up_turn(&self.client)
                        .await
                        .map_err(StreamEnd::Failed)?;
                    let (cursor, place) = (cursor.take(), place.take());
                    self.place = StreamPlace::Reading(self.read(turn, cursor), place);
                }
                StreamPlace::Reading(reading, place) => {
                    let read = reading.await;
                    let place = place.take();
                    self.place = StreamPlace::Ended;
                    let read = read
                        .map_err(broken)
                        .and_then(|read| read.map_err(ApiError::from));
                    let (history, items, at_head) = read.map_err(StreamEnd::Failed)?;
                    self.read = history.cursor.seq();
                    if let Some(seq) = self.goes_live(history, place, at_head) {
                        return Ok(StreamItem::Live(seq));
                    } else if !items.is_empty() {
                        return Ok(StreamItem::Items(items));
                    }
                }
                StreamPlace::Live(place, at) => match place.next(*at).await {
                    NextEntries::Items(items) => {
                        *at = items.last().map_or(*at, |item| item.delivered.entry.seq);
                        let shown = items
                            .into_iter()
                            .filter(|item| self.filter.shows(&item.delivered));
                        let shown: Vec<_> = shown.collect();
                        if !shown.is_empty() {
                            return Ok(StreamItem::Items(shown));
                        }
                    }
                    NextEntries::TooSlow => return Err(StreamEnd::TooSlow),
                    NextEntries::Closed if self.app.net.stop.is_cancelled() => {
                        return Err(StreamEnd::Closed);
                    }
                    NextEntries::Closed => return Err(StreamEnd::Failed(untold())),
                },
                StreamPlace::Ended => return Err(StreamEnd::Closed),
            }
        }
    }
}

impl EntryStream {
    /// The entries after `filter.after_seq` that the filter shows. The filter's `limit` and times are ignored.
    #[must_use]
    pub fn new(app: Arc<App>, client: Client, filter: HistoryFilter) -> EntryStream {
        EntryStream {
            app,
            client,
            read: filter.after_seq,
            filter: Arc::new(filter),
            place: StreamPlace::History(None, None),
        }
    }

    /// Reads the next piece of history in the pool. The head is reached when nothing was left to read.
    fn read(&self, turn: Permit, history: Option<HistoryCursor>) -> JoinHandle<Read> {
        let app = Arc::clone(&self.app);
        let filter = Arc::clone(&self.filter);
        let (client, behind) = (self.client.clone(), self.read);
        tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let store = &*app.store;
            // The tailer must run before this stream subscribes.
            app.tailer.start()?;
            let mut cursor = match history {
                Some(HistoryCursor { cursor, .. }) => cursor,
                None => Box::new(store.cursor(behind, filter.channel.as_deref())?),
            };
            let (mut items, mut bytes) = (Vec::new(), 0);
            loop {
                let delivered = cursor.next_batch(store, READ_ENTRIES, limits::CATCH_UP_BYTES)?;
                let end = delivered.is_empty();
                let shown = delivered
                    .into_iter()
                    .filter(|delivered| filter.shows(delivered));
                for item in shown.filter_map(LiveEntry::of) {
                    bytes += item.json.len();
                    items.push(Arc::new(item));
                }
                if end || bytes >= limits::CATCH_UP_BYTES {
                    let at_head = end && items.is_empty();
                    let pieces = cursor
                        .ahead_bytes()
                        .div_ceil(limits::READ_AHEAD_PIECE_BYTES);
                    let pieces = u32::try_from(pieces).unwrap_or(u32::MAX);
                    let room = app.read_ahead.free_together(&client, pieces).ok();
                    if room.is_none() {
                        cursor.drop_ahead();
                    }
                    let history = HistoryCursor {
                        cursor,
                        _room: room,
                    };
                    return Ok((history, items, at_head));
                }
            }
        })
    }

    /// Switches to the hub's buffer if reading has reached the buffer's start.
    fn goes_live(
        &mut self,
        history: HistoryCursor,
        place: Option<Subscriber>,
        at_head: bool,
    ) -> Option<u64> {
        if !at_head {
            self.place = StreamPlace::History(Some(history), place);
            return None;
        }
        let place = place.unwrap_or_else(|| {
            self.app
                .tailer
                .hub()
                .subscribe(self.filter.channel.as_deref())
        });
        if !place.reaches_back_to(self.read) {
            self.place = StreamPlace::History(Some(history), Some(place));
            return None;
        }
        self.place = StreamPlace::Live(place, self.read);
        Some(self.read)
    }
}
