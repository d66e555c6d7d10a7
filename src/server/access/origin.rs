//! Browser rules: the origins whose pages may send requests, the headers for browsers (CORS, content types, what a
//! page may load), and the refusal of requests with two `Host` headers.

use crate::server::api_error::ApiError;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::str::FromStr;
use std::sync::Arc;

/// The origin of a page: scheme, host and port, as a browser writes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageOrigin(HeaderValue);

impl PageOrigin {
    /// Whether a header contains this origin.
    #[must_use]
    pub fn is(&self, header: &HeaderValue) -> bool {
        self.0 == header
    }
}

impl FromStr for PageOrigin {
    type Err = String;

    fn from_str(text: &str) -> Result<PageOrigin, String> {
        let lower = text.to_ascii_lowercase();
        let host = lower.split_once("://").map_or("", |(_, host)| host);
        let value = HeaderValue::from_str(&lower).ok();
        let whole = !host.is_empty() && !host.contains(['/', '?', '#', '@', '*', ' ', ',']);
        value.filter(|_| whole).map(PageOrigin).ok_or_else(|| {
            format!(
                "\"{text}\" is no origin: write scheme, host and port, as in https://app.example"
            )
        })
    }
}

/// Whether a page comes from the host to which it sends the request.
pub fn is_of(origin: &HeaderValue, host: &str) -> bool {
    let origin = origin.to_str().unwrap_or_default();
    let pages = origin
        .strip_prefix("http://")
        .or(origin.strip_prefix("https://"));
    pages.is_some_and(|from| from.eq_ignore_ascii_case(host))
}

/// What an answer may load where a browser shows it as a page: nothing. The dashboard has a policy of its own.
const POLICY: &str =
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// How long a browser may cache a preflight answer, in seconds.
const ALLOWED_FOR: &str = "600";

/// Runs around all requests: checks before the guard, headers on the answer.
pub async fn around(
    State(origins): State<Arc<[PageOrigin]>>,
    request: Request,
    next: Next,
) -> Response {
    let headers = request.headers();
    if headers.get_all(header::HOST).iter().count() > 1 {
        return ApiError::Bad("the request has more than one Host header".into()).into_response();
    }
    let origin = headers.get(header::ORIGIN).cloned();
    let origin = origin.filter(|origin| origins.iter().any(|named| named.is(origin)));
    let asks_first = request.method() == Method::OPTIONS
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if asks_first {
        preflight(origin.is_some())
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static(POLICY));
    if !origins.is_empty() {
        headers.append(header::VARY, HeaderValue::from_static("origin"));
    }
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    response
}

/// Answers a CORS preflight request.
fn preflight(allowed: bool) -> Response {
    if !allowed {
        let what =
            "pages of this origin may not ask; start the server with --allow-origin to let them";
        return ApiError::Forbidden(what.into()).into_response();
    }
    let may = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"),
        (
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "authorization, content-type, last-event-id",
        ),
        (header::ACCESS_CONTROL_MAX_AGE, ALLOWED_FOR),
    ];
    (StatusCode::NO_CONTENT, may).into_response()
}
