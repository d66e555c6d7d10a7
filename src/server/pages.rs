//! Routes that are not queries: the server's health and figures, and the bridge.

use super::access::auth::AuthContext;
use super::api_error::ApiError;
use super::app::{App, untold};
use super::exposition::MetricsFormat;
use super::metrics::LiveFigures;
use super::process::{DiskFigures, ProcessFigures};
use crate::store::Store;
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use std::sync::{Arc, LazyLock};

/// The bridge's files, which import each other.
const BRIDGE: [&str; 4] = [
    include_str!("bridge.js"),
    include_str!("bridge/outbox.js"),
    include_str!("bridge/resync.js"),
    include_str!("bridge/timing.js"),
];

/// All files as one module, without the imports between them.
static ONE_BRIDGE: LazyLock<String> = LazyLock::new(|| {
    let lines = BRIDGE.iter().flat_map(|part| part.lines());
    let own = lines.filter(|line| !line.starts_with("import {"));
    own.flat_map(|line| [line, "\n"]).collect()
});

/// `GET /metrics`. The figures cover all channels, so only a token for all channels may read them.
pub async fn metrics(
    State(app): State<Arc<App>>,
    Extension(pass): Extension<AuthContext>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    pass.access.demand_all_channels()?;
    let ask = |store: &Store| Ok((store.gauges()?, store.unsealed()?, store.last_backup()));
    let (gauges, unsealed, last_backup) = app.ask(&pass.client, ask).await?;
    let hub = app.tailer.hub();
    let live = LiveFigures {
        subscribers: hub.subscribers() as u64,
        lag: hub.lag(app.store.head()),
        clients: app.net.sockets.clients() as u64,
        poisoned: app.store.failure().is_some(),
        unsealed,
        last_backup,
        process: ProcessFigures::now(),
        disk: app.store.folder().and_then(DiskFigures::of),
    };
    let accept = headers.get(header::ACCEPT);
    let accept = accept.and_then(|accept| accept.to_str().ok());
    let format = MetricsFormat::asked(accept.unwrap_or_default());
    let text = format.of(app.net.metrics.text(&gauges, &live)?);
    let kind = [
        (header::CONTENT_TYPE, format.kind()),
        (header::VARY, "accept"),
    ];
    Ok((kind, text).into_response())
}

/// `GET /healthz`.
pub async fn healthz() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: fails if lines are no longer written or delivered, and while the server stops.
pub async fn readyz(State(app): State<Arc<App>>) -> Result<&'static str, ApiError> {
    if app.net.stop.is_cancelled() {
        return Err(ApiError::Unavailable("the server stops".into()));
    }
    if app.tailer.hub().is_closed() {
        return Err(untold());
    }
    match app.store.failure() {
        Some(reason) => Err(ApiError::Unavailable(format!(
            "nothing more is written: {reason}"
        ))),
        None => Ok("ready\n"),
    }
}

/// `GET /bridge.js`. Pages of other sites may import it.
pub async fn bridge() -> Response {
    let kind = [
        (header::CONTENT_TYPE, "text/javascript; charset=utf-8"),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    ];
    (kind, ONE_BRIDGE.as_str()).into_response()
}
