//! State that all requests share: the store, permits for the limited resources, and what all connections share.
//!
//! **Invariant:** the store is called only from the blocking pool, never on a worker of the runtime, and the number
//! of concurrent calls is limited.

use super::api_error::ApiError;
use super::net::crowd::{Client, Full, Permit, Places};
use super::net::shared::NetShared;
use super::read::tailer::LogTailer;
use super::write::observers::Observers;
use crate::domain::entry::Rules;
use crate::domain::time::Millis;
use crate::feed::Settings;
use crate::query::answer::Time;
use crate::query::params::RETAINED_HEADER;
use crate::store::{Store, StoreError};
use axum::http::HeaderValue;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// State that all requests share.
pub struct App {
    /// The log.
    pub store: Arc<Store>,
    /// The rules for recording lines.
    pub rules: Rules,
    /// The settings for parsing lines.
    pub settings: Settings,
    /// Ends the server, so that another process can have the store.
    pub step_aside: Option<CancellationToken>,
    /// What all connections share.
    pub net: Arc<NetShared>,
    /// Delivers new entries to subscribers.
    pub tailer: LogTailer,
    /// The leases of ingest connections, one per observer.
    pub observers: Observers,
    /// Places for queries.
    pub queries: Arc<Places>,
    /// Places for reads of the history on behalf of subscribers.
    pub catching_up: Arc<Places>,
    /// Places for answers that wait for their readers.
    pub slow_readers: Arc<Places>,
    /// Places for bodies whose start is being read.
    pub starts: Arc<Places>,
    /// Places for bodies that are being ingested.
    pub bodies: Arc<Places>,
    /// Places for data read ahead for subscribers, in units of
    /// [`READ_AHEAD_PIECE_BYTES`](crate::limits::READ_AHEAD_PIECE_BYTES).
    pub read_ahead: Arc<Places>,
    /// Places for answers that only the owner gets.
    pub owner_answers: Arc<Places>,
    /// Places for backups.
    pub backups: Arc<Places>,
    /// Places for batches of sockets that are being submitted to the writer.
    pub handed_over: Arc<Places>,
}

/// The error for an answer that takes too long.
pub const TOO_LONG: ApiError =
    ApiError::Late("the answer was not found in time; ask for less, or later");

impl App {
    /// Runs a question to the store in the blocking pool.
    ///
    /// # Errors
    /// The store's error; [`ApiError::Crowded`]; [`ApiError::Late`].
    pub async fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        client: &Client,
        question: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let began = Instant::now();
        let turn = self.turn(client).await?;
        let asked = async {
            let store = Arc::clone(&self.store);
            let answer = tokio::task::spawn_blocking(move || {
                let _turn = turn;
                question(&store)
            });
            answer.await.map_err(broken)?.map_err(ApiError::from)
        };
        timeout(self.left(began), asked)
            .await
            .unwrap_or(Err(TOO_LONG))
    }

    /// Answers with one object.
    ///
    /// # Errors
    /// As [`ask`](App::ask).
    pub async fn one<T: Serialize + Send + 'static>(
        self: &Arc<Self>,
        client: &Client,
        question: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<Response, ApiError> {
        let response = axum::Json(self.ask(client, question).await?).into_response();
        Ok(self.with_retention(response))
    }

    /// Adds to an answer from when on the store is retained, if older entries were pruned.
    #[must_use]
    pub fn with_retention(&self, mut response: Response) -> Response {
        if let Some(retained) = self.store.retained()
            && let Ok(from) = HeaderValue::from_str(&Time(retained.from).to_string())
        {
            response.headers_mut().insert(RETAINED_HEADER, from);
        }
        response
    }

    /// Waits for a place in the pool, for at most the time limit of an answer.
    ///
    /// # Errors
    /// [`ApiError::Crowded`], [`ApiError::Late`].
    pub async fn turn(&self, client: &Client) -> Result<Permit, ApiError> {
        let patience = self.net.bounds.request;
        self.turn_in(&self.queries, client, patience, "queries")
            .await
    }

    /// Waits for a place to read a piece of the history for a subscriber. Thousands may come back at once.
    ///
    /// # Errors
    /// [`ApiError::Crowded`], [`ApiError::Late`].
    pub async fn catch_up_turn(&self, client: &Client) -> Result<Permit, ApiError> {
        let (patience, what) = (self.net.bounds.whole, "subscribers that catch up");
        self.turn_in(&self.catching_up, client, patience, what)
            .await
    }

    async fn turn_in(
        &self,
        places: &Arc<Places>,
        client: &Client,
        patience: Duration,
        what: &str,
    ) -> Result<Permit, ApiError> {
        let turn = places.take(client, patience).await;
        turn.map_err(|full| match full {
            Full::Share => full.fault(what),
            Full::Room => TOO_LONG,
        })
    }

    /// The time left for an answer.
    #[must_use]
    pub fn left(&self, began: Instant) -> Duration {
        self.net.bounds.request.saturating_sub(began.elapsed())
    }

    /// Unix milliseconds.
    #[must_use]
    pub fn now(&self) -> Millis {
        self.net.now()
    }
}

/// The error for a tailer thread that has ended while the server still runs.
#[must_use]
pub fn untold() -> ApiError {
    let what =
        "new entries are delivered to nobody any more; they are recorded; restart the server";
    ApiError::Unavailable(what.into())
}

/// Reports a panic in the pool. Its message may contain other clients' data, so only the operator's log gets it.
pub fn broken(error: tokio::task::JoinError) -> ApiError {
    tracing::error!(
        event = "request_failed",
        "a call of the store broke off: {error}"
    );
    ApiError::Failed("a call of the store broke off; the server's log says where".into())
}
