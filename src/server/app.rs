//! What all requests share: the store, the readers' pool, the clock, and the sign to stop.
//!
//! **Invariant:** the store is only called from the blocking pool, never on a worker of the runtime; and not more often
//! at a time than the limits say.

use super::auth::{Access, Door, Scope};
use super::bounds::Bounds;
use super::clock::Clock;
use super::fault::Fault;
use super::hub::Hub;
use super::metrics::Metrics;
use super::observers::Observers;
use crate::domain::entry::Rules;
use crate::domain::time::Millis;
use crate::feed::Settings;
use crate::store::{Store, StoreError};
use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// What all requests share.
pub struct App {
    /// The log.
    pub store: Arc<Store>,
    /// How lines are taken.
    pub rules: Rules,
    /// How lines are read.
    pub settings: Settings,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Entries on their way to subscribers.
    pub hub: Arc<Hub>,
    /// Which connection speaks for which observer.
    pub observers: Observers,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What is borne of those who come.
    pub bounds: Bounds,
    /// Nothing new is begun any more, and what is in hand comes to its end.
    pub stop: CancellationToken,
    /// Room for queries.
    pub queries: Arc<Semaphore>,
    /// Room for bodies.
    pub bodies: Arc<Semaphore>,
}

/// What a request was let in with; enough to look at a newer token, too.
#[derive(Clone)]
pub struct Pass {
    /// What it may do.
    pub access: Access,
    /// Where it came in.
    pub door: Arc<Door>,
    /// What it needs.
    pub scope: Scope,
    /// The one channel that it is about, if there is one.
    pub channel: Option<String>,
}

const TOO_LONG: Fault = Fault::Late("the answer was not found in time; ask for less, or later");

/// Lists are sent in pieces of about this size.
const PIECE_BYTES: usize = 32 << 10;
/// Pieces that wait for the reader.
const PIECES_AHEAD: usize = 2;

impl App {
    /// Asks the store something, in the pool.
    ///
    /// # Errors
    /// What the store says; [`Fault::Late`].
    pub async fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        question: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Fault> {
        let asked = async {
            let turn = self.turn().await?;
            let store = Arc::clone(&self.store);
            let answer = tokio::task::spawn_blocking(move || {
                let _turn = turn;
                question(&store)
            });
            answer.await.map_err(broken)?.map_err(Fault::from)
        };
        timeout(self.bounds.request, asked)
            .await
            .unwrap_or(Err(TOO_LONG))
    }

    /// Answers with one object.
    ///
    /// # Errors
    /// As [`ask`](App::ask).
    pub async fn one<T: Serialize + Send + 'static>(
        self: &Arc<Self>,
        question: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<Response, Fault> {
        Ok(axum::Json(self.ask(question).await?).into_response())
    }

    /// Answers with JSON lines, as they are found. A reader who is too slow is left.
    ///
    /// # Errors
    /// As [`ask`](App::ask); but where the first line was found, later trouble only breaks the answer off.
    pub async fn list(
        self: &Arc<Self>,
        question: impl FnOnce(&Store, &mut Rows) -> Result<(), StoreError> + Send + 'static,
    ) -> Result<Response, Fault> {
        let (pieces, mut reader) = mpsc::channel(PIECES_AHEAD);
        let begun = async {
            let turn = self.turn().await?;
            let store = Arc::clone(&self.store);
            let mut rows = Rows {
                piece: Vec::new(),
                pieces,
                runtime: Handle::current(),
                patience: self.bounds.request,
            };
            tokio::task::spawn_blocking(move || {
                let _turn = turn;
                let read = question(&store, &mut rows);
                rows.finish(read);
            });
            reader.recv().await.unwrap_or(Ok(Bytes::new()))
        };
        let first = timeout(self.bounds.request, begun)
            .await
            .unwrap_or(Err(TOO_LONG))?;
        let rest = stream::unfold(reader, async |mut reader| {
            let piece: Result<Bytes, Fault> = reader.recv().await?;
            Some((piece, reader))
        });
        let body = stream::once(async { Ok(first) });
        let body = Body::from_stream(futures_util::StreamExt::chain(body, rest));
        Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response())
    }

    /// Waits for a place in the pool.
    ///
    /// # Errors
    /// Where the server stops.
    pub async fn turn(&self) -> Result<OwnedSemaphorePermit, Fault> {
        let turn = Arc::clone(&self.queries).acquire_owned().await;
        turn.map_err(|_| Fault::Unavailable("the server stops".into()))
    }

    /// Unix milliseconds.
    #[must_use]
    pub fn now(&self) -> Millis {
        self.clock.now()
    }
}

/// A call in the pool has panicked.
pub fn broken(error: tokio::task::JoinError) -> Fault {
    Fault::Failed(format!("a call of the store broke off: {error}"))
}

/// The lines of a list, on their way to the reader.
pub struct Rows {
    piece: Vec<u8>,
    pieces: mpsc::Sender<Result<Bytes, Fault>>,
    runtime: Handle,
    /// For the reader.
    patience: Duration,
}

impl Rows {
    /// Adds a line; `false`: nobody wants more.
    pub fn row(&mut self, row: &impl Serialize) -> bool {
        if let Err(error) = serde_json::to_writer(&mut self.piece, row) {
            return self.send(Err(Fault::Failed(error.to_string())));
        }
        self.piece.push(b'\n');
        self.piece.len() < PIECE_BYTES || self.flush()
    }

    fn flush(&mut self) -> bool {
        let piece = std::mem::take(&mut self.piece);
        self.send(Ok(piece.into()))
    }

    fn send(&self, piece: Result<Bytes, Fault>) -> bool {
        let sent = async { timeout(self.patience, self.pieces.send(piece)).await };
        matches!(self.runtime.block_on(sent), Ok(Ok(())))
    }

    fn finish(mut self, read: Result<(), StoreError>) {
        // Where nobody reads any more there is nobody to tell.
        let _ = match read {
            Ok(()) => self.flush(),
            Err(error) => self.send(Err(error.into())),
        };
    }
}
