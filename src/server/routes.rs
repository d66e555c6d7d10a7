//! All routes: the router and the API's own description are both made from these tables.

use super::access::auth::{AuthPolicy, TokenScope};
use super::access::guard::{Guard, guard};
use super::access::observe::{RequestObserver, observe};
use super::access::origin::{PageOrigin, around};
use super::api_error::ApiError;
use super::app::App;
use super::read::{backup, feed, play, queries, subscribe};
use super::route::{AnswerForm, Route};
use super::write::{events, ingest};
use super::{dashboard, openapi, owner, pages};
use crate::query::answer;
use crate::query::params;
use axum::Router;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::Response;
use axum::routing::{get, post};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::sync::Arc;

fn of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// One of two answers, by the parameters.
fn either<A: JsonSchema, B: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    let both = [of::<A>(generator), of::<B>(generator)];
    json_schema!({ "anyOf": both })
}

/// Declares a table of routes.
macro_rules! routes {
    ($(#[$doc:meta])* $table:ident: $($method:ident $path:literal $scope:expr, $params:ident, $answer:expr, $handler:expr, $summary:literal;)*) => {
        $(#[$doc])*
        pub static $table: &[Route] = &[$(Route {
            method: stringify!($method),
            path: $path,
            summary: $summary,
            scope: $scope,
            params: of::<params::$params>,
            answer: $answer,
            handler: || $method($handler),
        }),*];
    };
}

use AnswerForm::{List, Live, One, Socket, Text};
const READ: Option<TokenScope> = Some(TokenScope::Read);
const ADMIN: Option<TokenScope> = Some(TokenScope::Admin);
const INGEST: Option<TokenScope> = Some(TokenScope::Ingest);
const OPEN: Option<TokenScope> = None;
const PIECES: AnswerForm = Text("application/x-ndjson");

routes! {
    /// The routes of a store.
    ROUTES:
    get "/v1/who" READ, WhoParams, One(of::<answer::Who>), queries::who, "Who is or was present in a channel";
    get "/v1/history" READ, HistoryParams, List(of::<answer::HistoryEntry>), queries::history, "The entries of the log";
    get "/v1/missed" READ, MissedParams, List(of::<answer::Missed>), queries::missed, "For every gap: who joined, left and changed while nobody watched";
    get "/v1/sessions" READ, SessionsParams, List(of::<answer::Session>), queries::sessions, "Stays of members, and how long each lasted";
    get "/v1/stats" READ, StatsParams, List(either::<answer::Stats, answer::UserStats>), queries::stats, "How many, at most, how long; with `by`, who, from when until when, and how long";
    get "/v1/attendance" READ, AttendanceParams, List(of::<answer::Attendance>), queries::attendance, "Who was there at a time or at appointments, how long, late or not";
    get "/v1/channels" READ, NoParams, List(of::<answer::ChannelAnswer>), queries::channels, "The channels there are";
    get "/v1/gaps" READ, ChannelParams, List(of::<answer::Gap>), queries::gaps, "When nobody watched a channel";
    get "/v1/rejects" READ, NoParams, List(of::<answer::RejectAnswer>), queries::rejects, "The lines that could not be taken; needs a token for all channels";
    get "/v1/forgotten" READ, NoParams, List(of::<answer::ForgottenAnswer>), queries::forgotten, "Every time that somebody was forgotten, without their name; needs a token for all channels";
    post "/v1/events" INGEST, IngestParams, One(of::<events::IngestResponse>), events::events, "Records a body of JSON lines; answers once they are durable";
    get "/v1/ingest" INGEST, IngestParams, Socket("Lines in; {\"t\":\"ack\",\"line\":n,\"seq\":n}, {\"t\":\"reject\",\"line\":n,\"reason\":s} and, with `feed`, first {\"t\":\"resume\",\"line\":n} out"), ingest::ingest, "Records lines as they come";
    get "/v1/subscribe" READ, SubscribeParams, Live("Entries after `after_seq`, then {\"t\":\"live\",\"seq\":n} once, then entries as they come"), subscribe::subscribe, "Follows the entries; a channel that nobody has spoken of yet is waited for";
    get "/v1/stream" READ, SubscribeParams, Text("text/event-stream"), subscribe::stream, "Follows the entries as server-sent events; Last-Event-ID goes on behind a seq; a channel that nobody has spoken of yet is waited for";
    get "/v1/feed" READ, ChannelParams, Live("SNAPSHOT, then REMOTE_JOIN and REMOTE_LEAVE, as Agora's JavaScript SDK has them"), feed::feed, "Follows a channel as an SDK's listener would; one that nobody has spoken of yet is empty, and is waited for";
    get "/v1/backup" ADMIN, BackupParams, Text("application/octet-stream"), backup::backup, "All that is durable, as one stream for `rollbook restore`; needs a token for all channels";
    get "/metrics" READ, NoParams, Text("application/openmetrics-text"), pages::metrics, "Figures for Prometheus; needs a token for all channels";
    get "/healthz" OPEN, NoParams, Text("text/plain"), pages::healthz, "Whether the server runs";
    get "/readyz" OPEN, NoParams, Text("text/plain"), pages::readyz, "Whether lines can be recorded";
    get "/openapi.json" OPEN, NoParams, Text("application/json"), async || openapi::of(ROUTES), "This description";
    get "/bridge.js" OPEN, NoParams, Text("text/javascript"), pages::bridge, "The bridge from Agora's SDK, an ES module";
    get "/" OPEN, NoParams, Text("text/html"), dashboard::page, "The web dashboard";
}

routes! {
    /// The routes of a played store: those that a page needs to follow a feed.
    PLAYED:
    get "/v1/feed" READ, ChannelParams, Socket("The channel's recorded events from the first, as Agora's JavaScript SDK had them; close code 1000 behind the last"), play::feed, "Plays a channel as an SDK's listener would have heard it";
    get "/healthz" OPEN, NoParams, Text("text/plain"), pages::healthz, "Whether the server runs";
    get "/openapi.json" OPEN, NoParams, Text("application/json"), async || openapi::of(PLAYED), "This description";
    get "/bridge.js" OPEN, NoParams, Text("text/javascript"), pages::bridge, "The bridge from Agora's SDK, an ES module";
}

routes! {
    /// The additional routes of the owner's socket. They may read the whole log; their answers are types of
    /// `query::owner`.
    OWNERS:
    get "/v1/verify" READ, VerifyParams, PIECES, owner::verify, "Whether the log is whole";
    get "/v1/export/entries" READ, HistoryParams, PIECES, owner::entries, "The rows of an export of entries";
    get "/v1/export/sessions" READ, SessionsParams, PIECES, owner::sessions, "The rows of an export of stays";
    get "/v1/replay" READ, ReplayParams, PIECES, owner::replay, "The log as the lines of a feed";
    post "/v1/step-aside" ADMIN, NoParams, PIECES, owner::step_aside, "Closes the store for a moment, so that another process can have it";
    post "/v1/rejects/retry" INGEST, RetryParams, PIECES, owner::retry, "Takes the rejects in again";
}

/// The description of all routes of a store, as `GET /openapi.json` answers it.
#[must_use]
pub fn document() -> serde_json::Value {
    openapi::describe(ROUTES)
}

/// Names what the form of a list depends on, whatever is answered.
async fn varying(mut response: Response) -> Response {
    let vary = HeaderValue::from_static("accept, accept-encoding");
    response.headers_mut().insert(header::VARY, vary);
    response
}

/// Creates a router from tables, with the policy of a listener, and for pages of these origins. Where the dashboard's page
/// is, its files are.
pub fn router(
    app: &Arc<App>,
    door: &Arc<AuthPolicy>,
    origins: &Arc<[PageOrigin]>,
    tables: &[&'static [Route]],
) -> Router {
    let mut router = Router::new();
    for route in tables.iter().copied().flatten() {
        let at_door = Guard {
            net: Arc::clone(&app.net),
            door: Arc::clone(door),
            scope: route.scope,
            stays: route.answer.stays(),
            route: route.path,
        };
        let mut handler = (route.handler)().layer(from_fn_with_state(at_door, guard));
        if matches!(route.answer, AnswerForm::List(_)) {
            handler = handler.layer(map_response(varying));
        }
        router = router.route(route.path, handler);
    }
    let has_page = tables
        .iter()
        .copied()
        .flatten()
        .any(|route| route.path == dashboard::PATH);
    for file in dashboard::FILES.iter().filter(|_| has_page) {
        let answer = async |asked: HeaderMap| file.answer(&asked);
        router = router.route(file.path, get(answer));
    }
    let paths = tables.iter().copied().flatten().map(|route| {
        let is_question = RequestObserver::is_question(route.scope, route.answer.stays());
        (route.path, is_question)
    });
    let pages = dashboard::FILES.iter().filter(|_| has_page);
    let pages = pages.map(|file| (file.path, false));
    let observer = RequestObserver {
        net: Arc::clone(&app.net),
        paths: Arc::new(paths.chain(pages).collect()),
    };
    let nothing = async || {
        ApiError::NotFound("there is nothing here; /openapi.json says what is where".into())
    };
    let wrong = async || ApiError::Method;
    router
        .fallback(nothing)
        .method_not_allowed_fallback(wrong)
        .layer(from_fn_with_state(Arc::clone(origins), around))
        .layer(from_fn_with_state(observer, observe))
        .with_state(Arc::clone(app))
}
