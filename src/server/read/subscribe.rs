//! `WS /v1/subscribe` and `GET /v1/stream`: the entries after a position, then one `live` message, then new entries.
//! A client may subscribe to a channel before its first event, and waits for it.

use super::entry_stream::{EntryStream, StreamItem};
use super::forward::{MessageStream, StreamEnd, forward};
use super::hub::LiveEntry;
use crate::query::params::SubscribeParams;
use crate::server::access::auth::AuthContext;
use crate::server::api_error::ApiError;
use crate::server::app::App;
use crate::server::net::connection_log::ConnectionLog;
use crate::server::net::listen::ConnectionGuard;
use crate::server::net::session::SocketSession;
use crate::server::net::upgrade::{Speaker, Upgrade};
use crate::server::query_params::QueryParams;
use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::extract::ws::Message;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// `WS /v1/subscribe`.
pub async fn subscribe(
    State(app): State<Arc<App>>,
    Extension(pass): Extension<AuthContext>,
    Extension(guest): Extension<ConnectionGuard>,
    QueryParams(params): QueryParams<SubscribeParams>,
    upgrade: Upgrade,
) -> Result<Response, ApiError> {
    expect_behind(&app, &pass, params.after_seq).await?;
    Ok(upgrade.with(Speaker::Server, async move |socket| {
        let tail = EntryStream::new(Arc::clone(&app), pass.client.clone(), params.filter());
        let session = SocketSession::new(socket, Arc::clone(&app.net), pass, guest);
        forward(session, tail, entry_or_live).await;
    }))
}

/// Refuses to go on behind an entry if some behind it were pruned.
async fn expect_behind(app: &Arc<App>, pass: &AuthContext, seq: u64) -> Result<(), ApiError> {
    // Most stores are not pruned; then nobody waits for a place.
    match app.store.retained() {
        Some(_) => {
            app.ask(&pass.client, move |store| store.expect_behind(seq))
                .await
        }
        None => Ok(()),
    }
}

fn entry_or_live(pass: &AuthContext, said: StreamItem) -> Vec<Message> {
    match said {
        StreamItem::Items(items) => {
            let seen = items.iter().filter(|item| may_see(pass, item));
            seen.map(|item| Message::Text(item.json.clone())).collect()
        }
        StreamItem::Live(seq) => vec![Message::text(live(seq))],
    }
}

fn live(seq: u64) -> String {
    format!("{{\"t\":\"live\",\"seq\":{seq}}}")
}

fn may_see(pass: &AuthContext, item: &LiveEntry) -> bool {
    pass.sees(item.delivered.entry.channel.as_deref())
}

/// A comment at this interval shows both sides that the other is still there.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// `GET /v1/stream`.
pub async fn stream(
    State(app): State<Arc<App>>,
    Extension(pass): Extension<AuthContext>,
    Extension(guest): Extension<ConnectionGuard>,
    headers: HeaderMap,
    QueryParams(params): QueryParams<SubscribeParams>,
) -> Result<Response, ApiError> {
    let mut filter = params.filter();
    if let Some(last) = headers.get("last-event-id") {
        let last = last.to_str().ok().and_then(|last| last.parse().ok());
        filter.after_seq = last.ok_or_else(|| ApiError::Bad("Last-Event-ID: no seq".into()))?;
    }
    expect_behind(&app, &pass, filter.after_seq).await?;
    let tail = EntryStream::new(Arc::clone(&app), pass.client.clone(), filter);
    let log = ConnectionLog::begin(&pass, guest.address());
    let events = stream::unfold(
        (tail, app, pass, guest, log),
        async |(mut tail, app, pass, guest, mut log)| {
            let piece = match events(&mut tail, &app, &pass).await {
                Ok(piece) => piece,
                Err(reason) => {
                    log.ends(None, reason);
                    return None;
                }
            };
            Some((Ok::<_, ApiError>(piece), (tail, app, pass, guest, log)))
        },
    );
    let kind = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((kind, Body::from_stream(events)).into_response())
}

/// The next events, or why the stream ends.
async fn events(
    tail: &mut EntryStream,
    app: &App,
    pass: &AuthContext,
) -> Result<Bytes, &'static str> {
    let expired = async {
        match pass.access.expires_at() {
            Some(at) => app.net.clock.until(at).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        () = app.net.stop.cancelled() => Err("the server stops"),
        () = expired => Err("the token has expired"),
        said = timeout(HEARTBEAT, tail.next()) => match said {
            Err(_) => Ok(Bytes::from_static(b":\n\n")),
            Ok(Err(StreamEnd::TooSlow)) => Err("too slow"),
            Ok(Err(StreamEnd::Failed(_))) => Err("the log cannot be read"),
            Ok(Err(StreamEnd::Done | StreamEnd::Closed)) => Err("the server stops"),
            Ok(Ok(StreamItem::Live(seq))) => Ok(format!("id: {seq}\ndata: {}\n\n", live(seq)).into()),
            Ok(Ok(StreamItem::Items(items))) => {
                // Each line has its seq and its frame beside it. A string that grows would take twice as much.
                let bytes: usize = items.iter().map(|item| item.json.len() + 48).sum();
                let mut text = String::with_capacity(bytes);
                for item in items.iter().filter(|item| may_see(pass, item)) {
                    let (seq, json) = (item.delivered.entry.seq, &item.json);
                    text.push_str(&format!("id: {seq}\ndata: {json}\n\n"));
                }
                Ok(text.into())
            }
        },
    }
}
