//! What a route is: a row of the tables in `routes`, of which the router and the API's own description are made.

use super::access::auth::TokenScope;
use super::app::App;
use axum::routing::MethodRouter;
use schemars::{Schema, SchemaGenerator};
use std::sync::Arc;

/// One route.
pub struct Route {
    /// `get` or `post`.
    pub method: &'static str,
    /// Its path; none has variable parts.
    pub path: &'static str,
    /// Its purpose, in one sentence.
    pub summary: &'static str,
    /// The scope that a token needs; `None`: no token is needed.
    pub scope: Option<TokenScope>,
    /// The schema of its parameters.
    pub params: fn(&mut SchemaGenerator) -> Schema,
    /// The form of its answer.
    pub answer: AnswerForm,
    /// Its handler.
    pub handler: fn() -> MethodRouter<Arc<App>>,
}

/// The form of an answer.
#[derive(Clone, Copy)]
pub enum AnswerForm {
    /// One JSON object.
    One(fn(&mut SchemaGenerator) -> Schema),
    /// JSON lines, each an object of this schema.
    List(fn(&mut SchemaGenerator) -> Schema),
    /// Text of this content type.
    Text(&'static str),
    /// A WebSocket; the text describes its messages.
    Socket(&'static str),
    /// A WebSocket for a channel that may not exist yet: the client waits for its first event.
    Live(&'static str),
}

impl AnswerForm {
    /// Whether the answer continues until one side ends it.
    #[must_use]
    pub fn stays(self) -> bool {
        matches!(
            self,
            AnswerForm::Socket(_) | AnswerForm::Live(_) | AnswerForm::Text("text/event-stream")
        )
    }
}
