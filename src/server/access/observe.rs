//! Sees each request from its arrival to the head of its answer: for the metrics, and for the operator's log.

use super::auth::TokenScope;
use crate::limits;
use crate::server::events::shown;
use crate::server::net::listen::ConnectionGuard;
use crate::server::net::shared::NetShared;
use crate::server::refusal::TokenRefusal;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What is observed.
#[derive(Clone)]
pub struct RequestObserver {
    /// What all connections share.
    pub net: Arc<NetShared>,
    /// The paths that there are, and whether each is a question: its answer is found before it begins.
    pub paths: Arc<HashMap<&'static str, bool>>,
}

impl RequestObserver {
    /// Whether a route is a question, by its scope and whether its answer goes on.
    #[must_use]
    pub fn is_question(scope: Option<TokenScope>, stays: bool) -> bool {
        scope == Some(TokenScope::Read) && !stays
    }
}

/// The label of all paths that there are not: a client may ask for any.
const OTHER: &str = "other";

/// Counts a request, and writes what the operator should know of it. Its URL, which may have a token, is not in that.
pub async fn observe(
    State(RequestObserver { net, paths }): State<RequestObserver>,
    request: Request,
    next: Next,
) -> Response {
    let known = paths.get_key_value(request.uri().path());
    let (route, is_question) = known.map_or((OTHER, false), |(path, is)| (*path, *is));
    let channel = is_question.then(|| channel(&request)).flatten();
    let guest = request.extensions().get::<ConnectionGuard>();
    let address = guest.and_then(ConnectionGuard::address);
    let began = Instant::now();
    let response = next.run(request).await;
    let took = began.elapsed();
    let status = response.status().as_u16();
    net.metrics.answered(route, status);
    if let Some(refusal) = response.extensions().get::<TokenRefusal>() {
        net.metrics.refused(*refusal, route, address);
    }
    let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    if is_question && took >= Duration::from_millis(limits::SLOW_QUESTION_MS) {
        let (channel, address) = (channel.as_deref(), shown(address));
        tracing::warn!(
            event = "question_slow",
            route,
            channel,
            address,
            status,
            ms,
            "{route} took {ms} ms"
        );
    } else {
        tracing::debug!(
            event = "answered",
            route,
            address = shown(address),
            status,
            ms,
            "{route} is answered with {status}"
        );
    }
    response
}

/// The channel that a question names.
fn channel(request: &Request) -> Option<String> {
    let query = request.uri().query()?;
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let found = pairs.find(|(name, _)| name == "channel");
    found.map(|(_, channel)| channel.into_owned())
}
