//! `WS /v1/feed`: a channel as a listener of Agora's JavaScript SDK sees it: a snapshot, then joins and leaves. A
//! change of metadata appears as in the SDK: as a join with the new metadata.

use super::entry_stream::{EntryStream, StreamItem};
use super::forward::forward;
use crate::domain::time::Millis;
use crate::query::HistoryFilter;
use crate::query::answer::{DispositionAnswer, EntryType, HistoryEntry, TopicAnswer};
use crate::query::params::{ChannelParams, FEED_HEADER, FEED_LIVE};
use crate::replay::line::LineFields;
use crate::replay::topic::{AgoraPublisher, EventType, TopicEvent, TopicInfo};
use crate::server::access::auth::AuthContext;
use crate::server::api_error::ApiError;
use crate::server::app::App;
use crate::server::net::listen::ConnectionGuard;
use crate::server::net::session::SocketSession;
use crate::server::net::upgrade::{Speaker, Upgrade};
use crate::server::query_params::QueryParams;
use crate::store::{Store, StoreError};
use axum::Extension;
use axum::extract::State;
use axum::extract::ws::Message;
use axum::http::HeaderValue;
use axum::response::Response;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// `WS /v1/feed`.
pub async fn feed(
    State(app): State<Arc<App>>,
    Extension(pass): Extension<AuthContext>,
    Extension(guest): Extension<ConnectionGuard>,
    QueryParams(ChannelParams { channel }): QueryParams<ChannelParams>,
    upgrade: Upgrade,
) -> Result<Response, ApiError> {
    let of_channel = channel.clone();
    let (topics, seq) = app
        .ask(&pass.client, move |store| roster(store, &of_channel))
        .await?;
    let mut listener = FeedListener::new(channel.clone());
    let snapshot = listener.snapshot(&topics, app.now());
    drop(topics);
    let mut response = upgrade.with(Speaker::Server, async move |socket| {
        let filter = HistoryFilter {
            channel: Some(channel),
            types: vec![EntryType::Join, EntryType::Leave, EntryType::Update],
            after_seq: seq,
            ..HistoryFilter::default()
        };
        let tail = EntryStream::new(Arc::clone(&app), pass.client.clone(), filter);
        let mut session = SocketSession::new(socket, Arc::clone(&app.net), pass, guest);
        if session.send(snapshot).await.is_ok() {
            forward(session, tail, move |_, said| listener.hear(said)).await;
        }
    });
    let headers = response.headers_mut();
    headers.insert(FEED_HEADER, HeaderValue::from_static(FEED_LIVE));
    Ok(response)
}

/// The members of a channel, and the `seq` of that state. A channel without any events is empty.
fn roster(store: &Store, channel: &str) -> Result<(Vec<TopicAnswer>, u64), StoreError> {
    let head = store.head();
    match store.who(channel, &Default::default()) {
        Ok(who) => Ok((who.topics, who.seq)),
        Err(StoreError::NoSuchChannel(_)) => Ok((Vec::new(), head)),
        Err(error) => Err(error),
    }
}

/// The state of the simulated SDK listener.
struct FeedListener {
    channel: String,
    /// The time of the snapshot. Later events get at least this time: the listener would ignore an earlier one as
    /// stale, even if the event was only delayed on its way here.
    shown_at: Millis,
    /// The named connections of each topic and user. The SDK knows one instance of a user, which joins with the first
    /// connection and leaves with the last.
    connections: HashMap<(String, String), HashSet<String>>,
}

impl FeedListener {
    fn new(channel: String) -> FeedListener {
        FeedListener {
            channel,
            shown_at: Millis::MIN,
            connections: HashMap::new(),
        }
    }

    fn snapshot(&mut self, topics: &[TopicAnswer], now: Millis) -> Message {
        let infos = topics.iter().map(|topic| {
            // Publishers are sorted by user, then connection.
            let users = topic.publishers.chunk_by(|a, b| a.user == b.user);
            let publishers: Vec<AgoraPublisher<'_>> = users
                .filter_map(|of_user| of_user.last())
                .map(|shown| AgoraPublisher {
                    publisher_user_id: &shown.user,
                    publisher_meta: shown.meta.as_deref(),
                })
                .collect();
            TopicInfo {
                topic_name: &topic.topic,
                total_publisher: publishers.len(),
                publishers,
            }
        });
        let event = TopicEvent {
            event_type: EventType::Snapshot,
            channel_name: &self.channel,
            publisher: "",
            timestamp: Some(now),
            total_topics: topics.len(),
            topic_infos: infos.collect(),
            line: LineFields::default(),
        };
        let message = message(&event);
        self.shown_at = now;
        for topic in topics {
            for publisher in &topic.publishers {
                self.comes(&topic.topic, &publisher.user, &publisher.connection);
            }
        }
        message
    }

    fn hear(&mut self, said: StreamItem) -> Vec<Message> {
        let StreamItem::Items(items) = said else {
            return Vec::new();
        };
        let entries = items.iter().map(|item| &item.delivered.entry);
        let applied = entries.filter(|entry| entry.disposition == DispositionAnswer::Applied);
        applied.filter_map(|entry| self.event(entry)).collect()
    }

    fn event(&mut self, entry: &HistoryEntry) -> Option<Message> {
        let (topic, user) = (entry.topic.as_deref()?, entry.user.as_deref()?);
        let connection = entry.connection.as_deref()?;
        let (event_type, publisher_meta) = match entry.kind {
            EntryType::Join => {
                self.comes(topic, user, connection);
                (EventType::RemoteJoin, entry.meta.as_deref())
            }
            EntryType::Update => (EventType::RemoteJoin, entry.meta.as_deref()),
            _ if self.stays(topic, user, connection) => return None,
            _ => (EventType::RemoteLeave, None),
        };
        Some(message(&TopicEvent {
            event_type,
            channel_name: &self.channel,
            publisher: user,
            timestamp: Some(entry.effective_at.0.max(self.shown_at)),
            total_topics: 1,
            topic_infos: vec![TopicInfo {
                topic_name: topic,
                total_publisher: 1,
                publishers: vec![AgoraPublisher {
                    publisher_user_id: user,
                    publisher_meta,
                }],
            }],
            line: LineFields::default(),
        }))
    }

    fn comes(&mut self, topic: &str, user: &str, connection: &str) {
        if !connection.is_empty() {
            let key = (topic.to_owned(), user.to_owned());
            self.connections
                .entry(key)
                .or_default()
                .insert(connection.to_owned());
        }
    }

    /// Removes a connection; returns whether the user has another one.
    fn stays(&mut self, topic: &str, user: &str, connection: &str) -> bool {
        if connection.is_empty() {
            return false;
        }
        let key = (topic.to_owned(), user.to_owned());
        let Some(connections) = self.connections.get_mut(&key) else {
            return false;
        };
        connections.remove(connection);
        let stays = !connections.is_empty();
        if !stays {
            self.connections.remove(&key);
        }
        stays
    }
}

fn message(event: &TopicEvent<'_>) -> Message {
    // Contains only strings and JSON that was parsed before, so serializing cannot fail.
    Message::text(serde_json::to_string(event).unwrap_or_default())
}
