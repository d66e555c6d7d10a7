//! State that all requests share: the store, permits for the limited resources, and what all connections share.
//!
//! **Invariant:** the store is called only from the blocking pool, never on a worker of the runtime, and the number
//! of concurrent calls is limited.

use super::api_error::ApiError;
use super::net::crowd::{Client, Full, Permit, Places};
use super::net::patience::Patience;
use super::net::shared::NetShared;
use super::read::tailer::LogTailer;
use super::server_limits::ServerLimits;
use super::write::observers::Observers;
use crate::domain::entry::Rules;
use crate::domain::time::Millis;
use crate::feed::Settings;
use crate::query::answer::Time;
use crate::query::params::RETAINED_HEADER;
use crate::store::{Store, StoreError};
use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::{Instant, timeout};

/// State that all requests share.
pub struct App {
    /// The log.
    pub store: Arc<Store>,
    /// The rules for recording lines.
    pub rules: Rules,
    /// The settings for parsing lines.
    pub settings: Settings,
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

const TOO_LONG: ApiError =
    ApiError::Late("the answer was not found in time; ask for less, or later");

/// The approximate size of the pieces in which lists are sent.
const PIECE_BYTES: usize = 32 << 10;
/// The number of pieces that may wait for the reader.
const PIECES_AHEAD: usize = 8;
const BROKE_OFF: &str = "the answer broke off";

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

    /// Answers with JSON lines, sent as they are found. A reader that is too slow is dropped.
    ///
    /// # Errors
    /// As [`ask`](App::ask). After the first piece, an error only breaks off the answer.
    pub async fn list(
        self: &Arc<Self>,
        client: &Client,
        question: impl FnOnce(&Store, &mut NdjsonWriter) -> Result<(), StoreError> + Send + 'static,
    ) -> Result<Response, ApiError> {
        let (pieces, mut reader) = mpsc::channel(PIECES_AHEAD);
        let began = Instant::now();
        let turn = self.turn(client).await?;
        let begun = async {
            let store = Arc::clone(&self.store);
            let mut rows = NdjsonWriter {
                piece: Vec::new(),
                pieces,
                runtime: Handle::current(),
                bounds: self.net.bounds,
                patience: Patience::new(self.net.bounds),
                turn: Some(turn),
                slow_readers: Arc::clone(&self.slow_readers),
                client: client.clone(),
                place: None,
                given_up: false,
            };
            tokio::task::spawn_blocking(move || {
                let read = question(&store, &mut rows);
                rows.finish(read);
            });
            let first = reader.recv().await;
            first.unwrap_or_else(|| Err(ApiError::Failed(BROKE_OFF.into())))
        };
        let first = timeout(self.left(began), begun)
            .await
            .unwrap_or(Err(TOO_LONG))?;
        let pieces = stream::unfold(Some((Some(first), reader)), async |going_on| {
            let (first, mut reader) = going_on?;
            let piece = match first {
                Some(first) => Ok(first),
                // An answer that ends without its last piece is reported as broken.
                None => reader
                    .recv()
                    .await
                    .unwrap_or_else(|| Err(ApiError::Failed(BROKE_OFF.into()))),
            };
            Some(match piece {
                Ok(AnswerPiece::More(bytes)) => (Ok(bytes), Some((None, reader))),
                Ok(AnswerPiece::Last(bytes)) => (Ok(bytes), None),
                Err(fault) => (Err(fault), None),
            })
        });
        let body = Body::from_stream(pieces);
        let kind = [(header::CONTENT_TYPE, "application/x-ndjson")];
        Ok(self.with_retention((kind, body).into_response()))
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
    fn left(&self, began: Instant) -> Duration {
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
    tracing::error!("a call of the store broke off: {error}");
    ApiError::Failed("a call of the store broke off; the server's log says where".into())
}

/// A piece of an answer.
enum AnswerPiece {
    More(Bytes),
    Last(Bytes),
}

/// Writes the lines of a list to the reader.
pub struct NdjsonWriter {
    piece: Vec<u8>,
    pieces: mpsc::Sender<Result<AnswerPiece, ApiError>>,
    runtime: Handle,
    bounds: ServerLimits,
    /// For this reader.
    patience: Patience,
    /// Released when the writer has to wait for the reader.
    turn: Option<Permit>,
    slow_readers: Arc<Places>,
    client: Client,
    /// The place in `slow_readers`, once the writer has to wait.
    place: Option<Permit>,
    /// The reader is gone, or too slow.
    given_up: bool,
}

impl NdjsonWriter {
    /// Adds a line; `false`: the reader wants no more.
    pub fn row(&mut self, row: &impl Serialize) -> bool {
        if let Err(error) = serde_json::to_writer(&mut self.piece, row) {
            return self.send(Err(ApiError::Failed(error.to_string())));
        }
        self.piece.push(b'\n');
        if self.piece.len() < PIECE_BYTES {
            return true;
        }
        let piece = std::mem::take(&mut self.piece);
        self.send(Ok(AnswerPiece::More(piece.into())))
    }

    fn send(&mut self, piece: Result<AnswerPiece, ApiError>) -> bool {
        if let Ok(AnswerPiece::More(bytes) | AnswerPiece::Last(bytes)) = &piece {
            self.patience.moved(bytes.len());
        }
        let sent = match self.pieces.try_send(piece) {
            Ok(()) => true,
            Err(TrySendError::Closed(_)) => false,
            Err(TrySendError::Full(piece)) => self.send_slowly(piece),
        };
        self.given_up |= !sent;
        sent
    }

    /// Waits for the reader, in a place that blocks no queries.
    fn send_slowly(&mut self, piece: Result<AnswerPiece, ApiError>) -> bool {
        let place = match self.place.take() {
            Some(place) => place,
            None => {
                let place = self.slow_readers.take(&self.client, self.bounds.request);
                let Ok(place) = self.runtime.block_on(place) else {
                    return false;
                };
                self.turn = None;
                place
            }
        };
        let place = self.place.insert(place);
        let sent = self.patience.wait(self.pieces.send(piece), place);
        matches!(self.runtime.block_on(sent), Some(Ok(())))
    }

    fn finish(mut self, read: Result<(), StoreError>) {
        if self.given_up {
            return;
        }
        let piece = std::mem::take(&mut self.piece);
        // If the reader is gone, there is nothing left to report.
        let _ = self.send(match read {
            Ok(()) => Ok(AnswerPiece::Last(piece.into())),
            Err(error) => Err(error.into()),
        });
    }
}
