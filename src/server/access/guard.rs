//! Checks each request before its handler runs. The token is removed from the URL here, before anything could log it.

use super::auth::{AuthContext, AuthPolicy, TokenScope};
use super::origin::{self, PageOrigin};
use crate::server::api_error::ApiError;
use crate::server::net::listen::ConnectionGuard;
use crate::server::net::shared::NetShared;
use axum::extract::{Request, State};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, Uri, header};
use axum::middleware::Next;
use axum::response::Response;
use std::net::IpAddr;
use std::sync::Arc;

/// What the guard of one route needs.
#[derive(Clone)]
pub struct Guard {
    /// What all connections share.
    pub net: Arc<NetShared>,
    /// The policy of the listener.
    pub door: Arc<AuthPolicy>,
    /// The scope that a token needs; `None`: no token is needed.
    pub scope: Option<TokenScope>,
    /// Whether the answer continues until one side ends it.
    pub stays: bool,
    /// The path.
    pub route: &'static str,
}

/// Passes a request on with its [`AuthContext`], or refuses it.
pub async fn guard(
    State(guard): State<Guard>,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let Guard {
        net,
        door,
        scope,
        stays,
        route,
    } = guard;
    let asked = GuardedRequest::take(request.uri_mut());
    let Some(scope) = scope else {
        return Ok(next.run(request).await);
    };
    if let AuthPolicy::Loopback(origins) = &*door {
        expect_here(request.headers(), origins)?;
    }
    let token = bearer(request.headers()).or(asked.token.as_deref());
    let access = door.admit(token, scope, asked.channel.as_deref(), net.now())?;
    let mut guest: ConnectionGuard = request.extensions().get().cloned().unwrap_or_default();
    let client = access.client(guest.address());
    if stays {
        let place = net.sockets.free(&client);
        guest.stay(place.map_err(|full| full.fault("sockets and streams"))?);
        request.extensions_mut().insert(guest);
    }
    // The token has been checked, and no handler needs it.
    request.headers_mut().remove(header::AUTHORIZATION);
    request.extensions_mut().insert(AuthContext {
        access,
        client,
        door,
        scope,
        channel: asked.channel,
        observer: asked.observer,
        route,
    });
    Ok(next.run(request).await)
}

/// The parameters of the URL that the guard needs.
#[derive(Default)]
struct GuardedRequest {
    token: Option<String>,
    channel: Option<String>,
    observer: Option<String>,
}

impl GuardedRequest {
    /// Reads the parameters, and removes the token from the URL.
    fn take(uri: &mut Uri) -> GuardedRequest {
        let mut asked = GuardedRequest::default();
        let Some(query) = uri.query() else {
            return asked;
        };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "access_token" => asked.token = Some(value.into_owned()),
                "channel" => asked.channel = Some(value.into_owned()),
                "observer" => asked.observer = Some(value.into_owned()),
                _ => {}
            }
        }
        if asked.token.is_some() {
            let names_token = |pair: &&str| {
                let name = pair.split('=').next().unwrap_or_default();
                form_urlencoded::parse(name.as_bytes()).any(|(name, _)| name == "access_token")
            };
            let kept: Vec<&str> = query.split('&').filter(|pair| !names_token(pair)).collect();
            let kept = format!("{}?{}", uri.path(), kept.join("&"));
            let mut parts = uri.clone().into_parts();
            parts.path_and_query = PathAndQuery::try_from(kept).ok();
            *uri = Uri::from_parts(parts).unwrap_or_default();
        }
        asked
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Without tokens, all programs on this machine are trusted. A browser is one of them, but foreign pages in it are
/// not. Such pages send a foreign `Origin`, or (DNS rebinding) a foreign `Host`.
fn expect_here(headers: &HeaderMap, origins: &[PageOrigin]) -> Result<(), ApiError> {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    if !host.is_none_or(is_here) {
        let what = "without tokens only this machine is served, by the name of localhost; \
            start the server with --auth-secret-file or --auth-public-key to serve others";
        return Err(ApiError::Forbidden(what.into()));
    }
    let Some(origin) = headers.get(header::ORIGIN) else {
        return Ok(());
    };
    let named = origins.iter().any(|named| named.is(origin));
    if named || host.is_some_and(|host| origin::is_of(origin, host)) {
        return Ok(());
    }
    let what = "without tokens only the server's own pages are served, and those of origins that it names; \
        start the server with --allow-origin to name one";
    Err(ApiError::Forbidden(what.into()))
}

fn is_here(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let here = |address: IpAddr| address.is_loopback();
    name.eq_ignore_ascii_case("localhost") || name.parse().is_ok_and(here)
}
